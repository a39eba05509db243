// `entente inspect`: what an object says of itself, and plainly how much of that is verified.
#include "base/progress.h"
#include "cli/object_files.h"
#include "cli/verbs.h"
#include "data/file.h"
#include "data/lineage.h"
#include "label/label.h"

#include <fmt/format.h>

namespace entente::cli {
namespace {

// Takes plain text and keeps none of it.
class NoSink final : public data::Sink {
 public:
  Result<void> write(ByteView) override { return {}; }
};

struct Inspected {
  data::Manifest manifest;
  std::optional<data::DataPolicy> policy;
  bool opened = false;                         // with the given keys: all of it is verified
  std::optional<Error> why_not;                // keys were given and it did not open
  std::optional<std::string> originator;       // verified
  std::optional<std::string> originator_said;  // as it stands there
  Signer signer;
};

Result<Inspected> inspect(const Arguments& arguments) {
  TRY(const std::vector<crypto::PrivateKey> keys, private_keys_of(arguments));
  if (keys.empty() && !arguments.all("pin").empty())
    return fail("cli.usage", "--pin takes --key", {},
                "what an assertion is bound to shows in an opened object");
  TRY(data::OpenExpect expect, expectations_of(arguments));
  TRY(const data::FileSource source, data::FileSource::open(arguments.words[0]));
  TRY(const data::SealedObject sealed, data::read_object(source));
  Inspected out;
  out.manifest = sealed.manifest;
  if (auto policy = data::read_policy(sealed.manifest.policy_text)) out.policy = *std::move(policy);
  out.originator_said = data::claimed_originator(sealed.manifest);
  TRY(expect.known, known_originators(arguments, sealed.manifest));
  ProgressBar bar("verifying " + arguments.words[0], sealed.zip.payload.size);
  const auto tell = [&](uint64_t done) { bar.at(done); };
  TRY(const data::OriginatorJudged judged, data::judge_originator(sealed, expect, tell));
  out.signer = signer_of_object(judged.seen, sealed.manifest);
  if (out.signer.verified()) out.originator = out.signer.seen.said;
  if (keys.empty()) return out;
  auto key = data::collect_key(sealed.manifest, data::with_keys(keys));
  if (!key && key.error().code() == "data.unwrap") {
    out.why_not = key.error();
    return out;
  }
  if (!key) return Failure(key.error());
  TRY(data::OpenObject open, data::OpenObject::open(sealed, *std::move(key), expect, tell));
  NoSink nowhere;
  TRY_VOID(open.copy_to(nowhere, tell));
  out.opened = true;
  return out;
}

// What vouches for one assertion, as far as is known here.
std::string voucher(const Inspected& object, const Arguments& arguments, const std::string& id) {
  if (!object.opened) return object.originator ? "signed by " + *object.originator : "not verified";
  for (const std::string& pin : arguments.all("pin"))
    if (pin.starts_with(id + "=")) return "bound by the pinned key";
  if (object.originator) return "signed by " + *object.originator;
  return "bound with the object's key: any reader could have written it";
}

std::string label_line(const data::Assertion& assertion) {
  const auto label = data::read_label_assertion(assertion);
  if (!label) return "cannot be read: " + label.error().what();
  std::string out = label->policy.empty() ? label->policy_id : label->policy;
  out += " " + label->classification;
  for (const label::Category& category : label->categories)
    for (const std::string& value : category.values) out += fmt::format(", {}: {}", category.tag, value);
  return out;
}

Json inspected_json(const Inspected& object, const Arguments& arguments) {
  const data::Manifest& m = object.manifest;
  Json accesses = Json::array();
  for (const data::KeyAccess& one : m.key_access)
    accesses.push(Json::object({{"type", data::name(one.type)},
                                {"url", one.url},
                                {"kid", one.kid},
                                {"share", one.sid},
                                {"digest", data::key_digest(one)}}));
  for (const std::string& type : m.passed_over)
    accesses.push(Json::object({{"type", type}, {"read", false}}));
  Json assertions = Json::array();
  for (const Json& one : m.assertions) {
    const auto read = data::read_assertion(one);
    Json item = Json::object({{"id", one.text_or("id", "")}});
    if (read && data::is_label_assertion(*read)) {
      if (const auto label = data::read_label_assertion(*read)) item.set("label", label::to_json(*label));
    }
    item.set("voucher", voucher(object, arguments, std::string(one.text_or("id", ""))));
    assertions.push(std::move(item));
  }
  Json policy;
  if (object.policy) {
    Json attributes = Json::array();
    for (const data::AttributeName& one : object.policy->attributes) attributes.push(one.fqn());
    Json people = Json::array();
    for (const std::string& one : object.policy->dissem) people.push(one);
    policy = Json::object({{"uuid", object.policy->uuid},
                           {"attributes", std::move(attributes)},
                           {"people", std::move(people)},
                           {"author", !object.policy->author.empty()}});
  }
  Json lineage;
  if (const auto said = data::read_lineage(m))
    lineage = Json::object({{"original", data::to_json(said->original)},
                            {"previous", data::to_json(said->previous)},
                            {"voucher", voucher(object, arguments, std::string(data::kLineageAssertionId))}});
  return Json::object(
      {{"version", m.schema_version.empty() ? "4.2.2" : m.schema_version},
       {"mimeType", m.mime_type},
       {"bytes", m.segments.plain_at(m.segments.count())},
       {"segments", static_cast<int64_t>(m.segments.count())},
       {"policy", std::move(policy)},
       {"keyAccess", std::move(accesses)},
       {"assertions", std::move(assertions)},
       {"lineage", std::move(lineage)},
       {"originator", object.originator_said ? Json(*object.originator_said) : Json()},
       {"signature", signature_json(object.signer)},
       {"verified", Json::object({{"payload", object.opened},
                                  {"policy", object.opened || object.originator.has_value()},
                                  {"assertions", object.opened || object.originator.has_value()},
                                  {"originator", object.originator.has_value()}})}});
}

void print_policy(const Inspected& object) {
  const char* verified = object.originator ? "signed by its originator"
                         : object.opened   ? "bound to the object's key"
                                           : "not verified";
  if (!object.policy) {
    fmt::print("policy      cannot be read\n");
    return;
  }
  fmt::print("policy      {} ({})\n", printable(object.policy->uuid), verified);
  for (const data::AttributeName& one : object.policy->attributes)
    fmt::print("  attribute {}\n", printable(one.fqn()));
  for (const std::string& one : object.policy->dissem) fmt::print("  person    {}\n", printable(one));
  if (!object.policy->author.empty())
    fmt::print("  author    somebody whom their own nation's node knows, and nobody else\n");
  if (object.policy->attributes.empty() && object.policy->dissem.empty())
    fmt::print("  names nobody and no attribute: key services that follow rules refuse it\n");
}

void print_lineage(const Inspected& object, const Arguments& arguments) {
  const auto said = data::read_lineage(object.manifest);
  if (!said) return;
  const std::string by = voucher(object, arguments, std::string(data::kLineageAssertionId));
  fmt::print("made of     {} ({})\n", fmt::join(said->previous, " "), by);
  fmt::print("original    {} ({})\n", fmt::join(said->original, " "), by);
}

void print_text(const Inspected& object, const Arguments& arguments) {
  const data::Manifest& m = object.manifest;
  const size_t parts = m.segments.count();
  fmt::print("object      OpenTDF {}, {} in {} segment{}\n",
             m.schema_version.empty() ? "4.2.2" : printable(m.schema_version),
             bytes_text(m.segments.plain_at(parts)), parts, parts == 1 ? "" : "s");
  fmt::print("type        {} ({})\n", printable(m.mime_type),
             object.originator ? "signed by its originator" : "not verified");
  print_policy(object);
  for (const data::KeyAccess& one : m.key_access)
    fmt::print("key         {} {}{}{}\n  digest    {}\n", printable(one.url), data::name(one.type),
               one.kid.empty() ? "" : ", key " + printable(one.kid),
               one.sid.empty() ? "" : ", share " + printable(one.sid), data::key_digest(one));
  for (const std::string& type : m.passed_over)
    fmt::print("key         wrapped in a way that is not known here: {}\n", printable(type));
  for (const Json& one : m.assertions) {
    const auto read = data::read_assertion(one);
    const std::string id(one.text_or("id", ""));
    if (id == data::kOriginatorAssertionId || id == data::kLineageAssertionId) continue;
    if (read && data::is_label_assertion(*read))
      fmt::print("label       {} ({})\n", printable(label_line(*read)), voucher(object, arguments, id));
    else
      fmt::print("assertion   {} ({})\n", printable(id), voucher(object, arguments, id));
  }
  print_lineage(object, arguments);
  fmt::print("originator  {}\n", signer_words(object.signer));
  if (object.opened)
    fmt::print("verified    every segment, the root signature, the policy's binding and every assertion\n");
  else if (object.why_not)
    fmt::print("verified    payload: no. {}\n", printable(object.why_not->what()));
  else
    fmt::print("verified    payload: no, that takes a key (--key PRIVATE.pem)\n");
}

}  // namespace

int object_inspect(const Arguments& arguments) {
  const auto object = inspect(arguments);
  if (!object) return report_object(object.error(), arguments.json());
  if (arguments.json())
    print_json(inspected_json(*object, arguments));
  else
    print_text(*object, arguments);
  return object->why_not ? kExitRefused : kExitOk;  // what was to be verified is not
}

}  // namespace entente::cli
