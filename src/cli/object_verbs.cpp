// The verbs of sealed objects: they need no running node. Nothing is written under its name before all of it
// is.
#include "base/file.h"
#include "base/progress.h"
#include "cli/object_files.h"
#include "cli/outputs.h"
#include "cli/verbs.h"
#include "data/file.h"
#include "data/lineage.h"
#include "data/reseal.h"
#include "label/label_json.h"
#include "label/label_xml.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <unistd.h>

namespace entente::cli {
namespace {

constexpr size_t kPemBytesMax = 64 * 1024;
constexpr size_t kReadBytes = size_t{4} << 20;

// A key service's address, its address and key ("URL=FILE", "URL=FILE#KID"), or a key alone.
Result<data::Recipient> recipient_of(const Arguments& arguments, const std::string& word) {
  const bool service = word.starts_with("https://") || word.starts_with("http://");
  const size_t equals = word.find('=');
  if (service && equals == std::string::npos) return recipient_of_service(arguments, word);
  std::string file = service ? word.substr(equals + 1) : word;
  std::string kid;
  if (const size_t mark = file.rfind('#'); service && mark != std::string::npos) {
    kid = file.substr(mark + 1);
    file.resize(mark);
  }
  TRY(crypto::PublicKey key, read_public_key_file(file));
  if (service) return data::Recipient{std::move(key), word.substr(0, equals), std::move(kid), ""};
  // Nobody serves this key: its thumbprint says which it is.
  const std::string thumbprint = key.thumbprint();
  return data::Recipient{std::move(key), "urn:entente:key:" + thumbprint, thumbprint, ""};
}

Result<label::Label> read_label_of(const std::string& file) {
  TRY(const std::string text, read_file(file, label::kLabelBytesMax));
  return label::read_label_text(text);
}

Result<data::DataPolicy> policy_of(const Arguments& arguments) {
  data::DataPolicy out;
  const Bytes id = crypto::random_bytes(16);
  const std::string digits = hex(id);
  out.uuid = fmt::format("{}-{}-4{}-8{}-{}", digits.substr(0, 8), digits.substr(8, 4), digits.substr(13, 3),
                         digits.substr(17, 3), digits.substr(20));
  for (const std::string& one : arguments.all("attribute")) {
    auto name = data::parse_attribute(one);
    if (!name)
      return fail("cli.usage", fmt::format("--attribute {} is no attribute's full name", one), {},
                  name.error().hint());
    out.attributes.push_back(*std::move(name));
  }
  out.dissem = arguments.all("person");
  return out;
}

Result<std::vector<data::AnyOf>> shares_of(const Arguments& arguments) {
  std::vector<data::AnyOf> shares;
  std::vector<data::Recipient> recipients;
  for (const std::string& word : arguments.all("to")) {
    TRY(data::Recipient one, recipient_of(arguments, word));
    recipients.push_back(std::move(one));
  }
  if (recipients.empty()) return fail("cli.usage", "--to is missing", {}, "say whom the object is for");
  if (arguments.options.contains("split-per-recipient") && arguments.options.contains("any-of"))
    return fail("cli.usage", "--split-per-recipient and --any-of say opposite things", {}, "one of them");
  if (arguments.options.contains("split-per-recipient")) {
    for (data::Recipient& one : recipients) shares.push_back({std::move(one)});
  } else {
    shares.push_back(std::move(recipients));
  }
  return shares;
}

// Every originator's key service must be needed, each with a share of its own, and no fewer shares than
// before: one alone must not be able to give away what several have a say in. --any-of says that it may, to
// whoever holds a key: key services give out none that opens what is of several.
Result<void> check_consent(const Arguments& arguments, const data::DataPolicy& policy,
                           const std::vector<data::AnyOf>& shares, size_t shares_before = 0) {
  std::set<std::string> originators, holders;
  for (const data::AttributeName& one : policy.attributes)
    if (one.name() == kOriginatorAttribute) originators.insert(one.fqn());
  for (const data::AnyOf& share : shares)
    for (const data::Recipient& one : share) holders.insert(one.url);
  constexpr const char* hint =
      "--to for each of them and --split-per-recipient; or --any-of if one may do it alone";
  if (arguments.options.contains("any-of")) {
    const bool asked =
        std::ranges::any_of(holders, [](const auto& url) { return url.starts_with("https://"); });
    if (originators.size() > 1 && asked)
      return fail("cli.usage", "no key service opens alone what is of several originators", {},
                  "--split-per-recipient instead of --any-of");
    return {};
  }
  if (originators.size() > 1 && std::min(shares.size(), holders.size()) < originators.size())
    return fail(
        "cli.usage",
        fmt::format("the object is of {} originators, and {} key shares of {} recipients would open it",
                    originators.size(), shares.size(), holders.size()),
        {}, hint);
  if (shares.size() < shares_before)
    return fail("cli.usage",
                fmt::format("the object takes {} key shares to open, and would take {}", shares_before,
                            shares.size()),
                {}, hint);
  return {};
}

// --label FILE
Result<std::optional<label::Label>> label_of(const Arguments& arguments) {
  const auto file = arguments.option("label");
  if (!file) return std::optional<label::Label>();
  TRY(label::Label label, read_label_of(*file));
  return label;
}

// --as CODE --sign PRIVATE.pem
Result<std::optional<data::OriginatorKey>> signer_of(const Arguments& arguments) {
  const auto who = arguments.option("as");
  const auto sign = arguments.option("sign");
  if (who.has_value() != sign.has_value())
    return fail("cli.usage", "--as and --sign belong together", {}, "who signs, and with which key");
  if (!who) return std::optional<data::OriginatorKey>();
  if (!is_partner_code(*who))
    return fail("cli.usage", fmt::format("--as {} is no nation's code", *who), {}, "three capital letters");
  TRY(crypto::PrivateKey key, crypto::load_private_key(*sign));
  data::OriginatorKey out{*who, std::move(key)};
  if (const auto can = data::check_originator_key(out); !can)
    return fail("cli.usage", "--sign: " + can.error().what(), *sign, can.error().hint());
  return out;
}

Result<data::SealPlan> seal_plan(const Arguments& arguments) {
  data::SealPlan plan;
  TRY(plan.policy, policy_of(arguments));
  TRY(plan.shares, shares_of(arguments));
  TRY_VOID(check_consent(arguments, plan.policy, plan.shares));
  TRY(const std::string author, author_of(arguments));
  if (!author.empty()) plan.policy.author = data::author_mark(author, plan.policy.uuid);
  TRY(const auto label, label_of(arguments));
  if (label) {
    TRY(data::Assertion assertion, data::label_assertion(*label));
    plan.assertions.push_back(std::move(assertion));
    plan.metadata = data::key_metadata(*label);
  }
  TRY(plan.originator, signer_of(arguments));
  plan.mime_type = arguments.option("type").value_or(plan.mime_type);
  if (const auto version = arguments.option("tdf-version")) {
    if (*version != "4.2.2" && *version != "4.3.0")
      return fail("cli.usage", fmt::format("--tdf-version {} is not one we write", *version), {},
                  "4.3.0 or 4.2.2");
    if (*version == "4.2.2") plan.version = data::ObjectVersion::v4_2_2;
  }
  return plan;
}

// Plain text on its way; gone from memory with this.
struct PlainRoom {
  explicit PlainRoom(size_t size) : bytes(size) {}
  ~PlainRoom() { const crypto::Secret gone(std::move(bytes)); }
  PlainRoom(const PlainRoom&) = delete;
  PlainRoom& operator=(const PlainRoom&) = delete;
  Bytes bytes;
};

Result<void> seal_source(const data::FileSource& source, data::Sealer& sealer, ProgressBar& bar) {
  PlainRoom room(static_cast<size_t>(std::min<uint64_t>(kReadBytes, source.size())));
  for (uint64_t at = 0; at < source.size();) {
    const std::span<uint8_t> part =
        std::span(room.bytes)
            .first(static_cast<size_t>(std::min<uint64_t>(room.bytes.size(), source.size() - at)));
    TRY_VOID(source.read(at, part));
    TRY_VOID(sealer.write(part));
    at += part.size();
    bar.at(at);
  }
  return {};
}

Result<void> seal_stream(data::Sealer& sealer, ProgressBar& bar) {
  PlainRoom room(kReadBytes);
  uint64_t done = 0;
  for (;;) {
    TRY(const size_t taken, data::read_some(STDIN_FILENO, room.bytes));
    TRY_VOID(sealer.write(ByteView(room.bytes).first(taken)));
    done += taken;
    bar.at(done);
    if (taken < room.bytes.size()) return {};
  }
}

struct Sealed {
  data::Manifest manifest;
  std::vector<std::string> dropped = {};  // of what it was made of
  std::string author_at = {};             // whose key service knows its author; none: not said
};

Result<Sealed> seal_file(const Arguments& arguments) {
  const std::string& in = arguments.words[0];
  TRY(const std::string out, output_named(arguments));
  TRY(data::SealPlan plan, seal_plan(arguments));
  std::optional<data::FileSource> source;
  if (in != "-") {
    TRY(data::FileSource file, data::FileSource::open(in));
    source.emplace(std::move(file));
  }
  const std::optional<uint64_t> size = source ? std::optional(source->size()) : std::nullopt;
  TRY(data::NewFile file, data::NewFile::create(out));
  TRY(data::Sealer sealer, data::Sealer::begin(file, std::move(plan), size));
  {
    ProgressBar bar("sealing " + in, size);
    TRY_VOID(source ? seal_source(*source, sealer, bar) : seal_stream(sealer, bar));
  }
  TRY(data::Manifest manifest, sealer.finish());
  TRY_VOID(file.commit(true));
  const std::vector<std::string>& services = arguments.all("service");
  const std::string home =
      services.empty() ? "" : services.front().substr(0, services.front().find("=https"));
  return Sealed{std::move(manifest), {}, data::key_service_of(home)};
}

// The label that an object has now.
Result<std::optional<label::Label>> old_label_of(const data::Manifest& old) {
  for (const Json& one : old.assertions) {
    TRY(const data::Assertion assertion, data::read_assertion(one));
    if (!data::is_label_assertion(assertion)) continue;
    TRY(label::Label label, data::read_label_assertion(assertion));
    return label;
  }
  return std::optional<label::Label>();
}

size_t shares_in(const data::Manifest& manifest) {
  std::set<std::string> sids;
  for (const data::KeyAccess& one : manifest.key_access) sids.insert(one.sid);
  return sids.size();
}

// The old policy with what is given in its place: attributes, people or both. What is not given stays.
Result<data::DataPolicy> changed_policy(const Arguments& arguments, const data::Manifest& old) {
  TRY(data::DataPolicy out, data::read_policy(old.policy_text));
  TRY(data::DataPolicy given, policy_of(arguments));
  if (!given.attributes.empty()) out.attributes = std::move(given.attributes);
  if (!given.dissem.empty()) out.dissem = std::move(given.dissem);
  return out;  // under the same id: what was recalled stays recalled
}

// What the old object had and the new one has not, with why. Texts of the object may be anybody's: quoted.
std::vector<std::string> dropped(const data::Manifest& old, const data::Manifest& now) {
  std::vector<std::string> out;
  const auto tell = [&](const std::string& text) { out.push_back(printable(text)); };
  const auto quoted = [](std::string_view text) { return Json(text).dump(); };
  const auto before = data::read_policy(old.policy_text);
  const auto after = data::read_policy(now.policy_text);
  if (before && after) {
    for (const data::AttributeName& one : before->attributes)
      if (std::ranges::find(after->attributes, one) == after->attributes.end())
        tell("attribute " + quoted(one.fqn()) + ", not among those given");
    for (const std::string& one : before->dissem)
      if (std::ranges::find(after->dissem, one) == after->dissem.end())
        tell("person " + quoted(one) + ", not among those given");
  }
  if (shares_in(now) < shares_in(old))
    tell(fmt::format("{} of {} key shares, as --any-of allows", shares_in(old) - shares_in(now),
                     shares_in(old)));
  const auto had_metadata = [](const data::KeyAccess& one) { return !one.encrypted_metadata.empty(); };
  if (std::ranges::any_of(old.key_access, had_metadata) && !std::ranges::any_of(now.key_access, had_metadata))
    tell("what key services read under the old shares: the object bears no label to put there");
  const auto signer = data::claimed_originator(old);
  const auto signs = data::claimed_originator(now);
  if (signer && signs != signer)
    tell("the originator's signature (" + quoted(*signer) + "): " +
         (signs ? quoted(*signs) + " signs now"
                : "it covers policy and label, which changed; --as and --sign sign anew"));
  return out;
}

// What changes: rights when somebody is named, the label when one is given. The label stands under each share
// too.
Result<data::ResealPlan> reseal_plan(const Arguments& arguments, const data::Manifest& old) {
  data::ResealPlan plan;
  TRY(const auto label, label_of(arguments));
  const bool policy = !arguments.all("attribute").empty() || !arguments.all("person").empty();
  if (policy && arguments.all("to").empty())
    return fail("cli.usage", "--to is missing", {},
                "each key share is bound to the policy: say again whom it is for");
  if (!arguments.all("to").empty()) {
    data::Rights rights;
    TRY(rights.policy, changed_policy(arguments, old));
    TRY(rights.shares, shares_of(arguments));
    TRY_VOID(check_consent(arguments, rights.policy, rights.shares, shares_in(old)));
    TRY(const auto kept, old_label_of(old));
    if (label || kept) rights.metadata = data::key_metadata(label ? *label : *kept, data::key_digests(old));
    plan.rights = std::move(rights);
  }
  if (label) {
    if (!plan.rights)
      return fail("cli.usage", "--to is missing", {},
                  "the label stands under each key share: say again whom it is for");
    TRY(plan.label, data::label_assertion(*label));
  }
  TRY(plan.originator, signer_of(arguments));
  plan.vouched = arguments.options.contains("vouch");
  if (plan.vouched && !plan.originator)
    return fail("cli.usage", "--vouch is for --sign", {}, "--as, --sign and --vouch");
  if (!plan.rights && !plan.label && !plan.originator)
    return fail("cli.usage", "nothing is to change", {}, "--to, --attribute, --person, --label or --sign");
  return plan;
}

// What has to be permitted for that. Who gives a key service's key by hand may well be its only holder: that
// passes the object on.
std::vector<coalition::Action> rights_for(const Arguments& arguments, const data::Manifest& old,
                                          const data::ResealPlan& plan) {
  const auto by_hand = [](const std::string& word) {
    return word.starts_with("http") && word.find('=') != std::string::npos;
  };
  std::vector<coalition::Action> out = data::rights_for(old, plan);
  if (!std::ranges::any_of(arguments.all("to"), by_hand) ||
      std::ranges::find(out, coalition::Action::forward) != out.end())
    return out;
  std::erase(out, coalition::Action::open);
  out.push_back(coalition::Action::forward);
  return out;
}

Result<void> copy_kept(const data::FileSource& source, data::Kept kept, data::NewFile& out,
                       ProgressBar& bar) {
  Bytes room(static_cast<size_t>(std::min<uint64_t>(kReadBytes, kept.size)));
  for (uint64_t done = 0; done < kept.size;) {
    const std::span<uint8_t> part =
        std::span(room).first(static_cast<size_t>(std::min<uint64_t>(room.size(), kept.size - done)));
    TRY_VOID(source.read(kept.at + done, part));
    TRY_VOID(out.write(part));
    done += part.size();
    bar.at(done);
  }
  return {};
}

uint64_t plain_bytes(const data::SealedObject& sealed) {
  const data::Segments& segments = sealed.manifest.segments;
  return segments.plain_at(segments.count());
}

Result<Sealed> reseal_file(const Arguments& arguments) {
  const std::string& in = arguments.words[0];
  TRY(const std::string out, output_named(arguments));
  TRY(data::OpenExpect expect, expectations_of(arguments));
  TRY(const data::FileSource source, data::FileSource::open(in));
  TRY(const data::SealedObject sealed, data::read_object(source));
  TRY(expect.known, known_originators(arguments, sealed.manifest));
  TRY(const data::ResealPlan plan, reseal_plan(arguments, sealed.manifest));
  TRY(const OpenerMaker opener, opener_of(arguments, rights_for(arguments, sealed.manifest, plan)));
  TRY(const crypto::Secret key, data::collect_key(sealed.manifest, opener(sealed.manifest.policy_text)));
  TRY(data::NewFile file, data::NewFile::create(out));
  {
    const data::Kept kept = data::kept_bytes(sealed);
    ProgressBar bar("copying " + in, kept.size);
    TRY_VOID(copy_kept(source, kept, file, bar));
  }
  TRY(const data::FileSource copy, file.written());
  const data::SealedObject kept = data::kept_object(sealed, copy);
  const auto write_rest = [&] {
    ProgressBar bar("verifying " + in, plain_bytes(kept));
    return data::reseal(kept, key, plan, expect, file, [&](uint64_t done) { bar.at(done); });
  };
  TRY(data::Manifest manifest, write_rest());
  // The payload's header came with it, from a file that may have been another by then.
  TRY(const data::FileSource made, file.written());
  TRY_VOID(data::read_zip(made));
  TRY_VOID(file.commit(true));
  std::vector<std::string> gone = dropped(sealed.manifest, manifest);
  return Sealed{std::move(manifest), std::move(gone)};
}

struct OpenedFile {
  uint64_t bytes = 0;
  Signer signer;
};

// To read it, or (`edit`) to seal something else made of it. The rights to pass on and to label anew are what
// `reseal` asks for.
Result<coalition::Action> opened_for(const Arguments& arguments) {
  const std::string right = arguments.option("right").value_or("open");
  for (const coalition::Action one : {coalition::Action::open, coalition::Action::edit})
    if (right == coalition::action_name(one)) return one;
  return fail("cli.usage", fmt::format("--right {} is nothing to open an object for", right), {},
              "open, edit; forward and relabel are asked for by `entente reseal`");
}

Result<OpenedFile> open_file(const Arguments& arguments) {
  const std::string& in = arguments.words[0];
  TRY(const std::string out, output_named(arguments));
  TRY(const coalition::Action right, opened_for(arguments));
  TRY(const OpenerMaker opener, opener_of(arguments, {right}));
  TRY(data::OpenExpect expect, expectations_of(arguments));
  TRY(const data::FileSource source, data::FileSource::open(in));
  TRY(const data::SealedObject sealed, data::read_object(source));
  TRY(expect.known, known_originators(arguments, sealed.manifest));
  TRY(crypto::Secret key, data::collect_key(sealed.manifest, opener(sealed.manifest.policy_text)));
  const auto open_it = [&] {
    ProgressBar bar("verifying " + in, plain_bytes(sealed));
    return data::OpenObject::open(sealed, std::move(key), expect, [&](uint64_t done) { bar.at(done); });
  };
  TRY(data::OpenObject open, open_it());
  Signer signer = signer_of_object(open.signer(), sealed.manifest);
  TRY(data::NewFile file, data::NewFile::create(out));
  {
    ProgressBar bar("opening " + in, open.size());
    TRY_VOID(open.copy_to(file, [&](uint64_t done) { bar.at(done); }));
  }
  TRY_VOID(file.commit(false));
  return OpenedFile{open.size(), std::move(signer)};
}

// Of what no key service will ever open.
void tell_shut(const data::Manifest& sealed, const data::DataPolicy& policy) {
  const auto asked = [](const data::KeyAccess& one) { return one.url.starts_with("https://"); };
  if (policy.attributes.empty() && policy.dissem.empty() && std::ranges::any_of(sealed.key_access, asked))
    fmt::print(stderr,
               "entente: it names nobody and no attribute: key services that follow rules refuse it\n");
}

// Whether a share of it is opened by that key service alone: what shuts there is shut.
bool is_held_by(const data::Manifest& manifest, const std::string& service) {
  std::map<std::string, bool> alone;
  for (const data::KeyAccess& one : manifest.key_access) {
    const bool held = data::key_service_of(one.url) == service;
    const auto [share, first] = alone.emplace(one.sid, held);
    share->second = share->second && held;
  }
  return std::ranges::any_of(alone, [](const auto& share) { return share.second; });
}

// To its author, and nobody else: whether they can take it back, and from whom they can not.
void tell_author(const Sealed& sealed) {
  if (is_held_by(sealed.manifest, sealed.author_at))
    fmt::print("its author can take it back: entente recall own\n");
  else
    fmt::print("its author can not take it back from everybody: it also opens without {}\n",
               printable(sealed.author_at));
}

int tell_sealed(const Sealed& sealed, bool json) {
  const data::Manifest& manifest = sealed.manifest;
  const auto policy = data::read_policy(manifest.policy_text);
  if (policy) tell_shut(manifest, *policy);
  const std::string uuid = policy ? policy->uuid : "";
  const uint64_t bytes = manifest.segments.plain_at(manifest.segments.count());
  const bool marked = policy && !policy->author.empty();
  if (json) {
    Json gone = Json::array();
    for (const std::string& one : sealed.dropped) gone.push(one);
    Json out = Json::object({{"policy", uuid},
                             {"bytes", bytes},
                             {"segments", static_cast<int64_t>(manifest.segments.count())},
                             {"keyAccess", static_cast<int64_t>(manifest.key_access.size())},
                             {"author", marked},
                             {"dropped", std::move(gone)}});
    if (marked && !sealed.author_at.empty()) out.set("recallable", is_held_by(manifest, sealed.author_at));
    print_json(out);
  } else {
    for (const std::string& one : sealed.dropped) fmt::print(stderr, "entente: dropped: {}\n", one);
    fmt::print("sealed {} as object {}\n", bytes_text(bytes), uuid);
    if (marked && !sealed.author_at.empty()) tell_author(sealed);
  }
  return kExitOk;
}

}  // namespace

Result<crypto::PublicKey> read_public_key_text(const std::string& pem, const std::string& where) {
  auto key = crypto::PublicKey::from_pem(pem);
  if (!key) {
    const auto certificate = crypto::Certificate::from_pem(pem);
    if (certificate) return certificate->public_key();
    return fail("object.recipient", "This is neither a public key nor a certificate in PEM.", where,
                "It begins with -----BEGIN PUBLIC KEY----- or -----BEGIN CERTIFICATE-----.");
  }
  return key;
}

Result<crypto::PublicKey> read_public_key_file(const std::string& file) {
  TRY(const std::string pem, read_file(file, kPemBytesMax));
  return read_public_key_text(pem, file);
}

Result<std::vector<crypto::PrivateKey>> private_keys_of(const Arguments& arguments) {
  std::vector<crypto::PrivateKey> out;
  for (const std::string& file : arguments.all("key")) {
    TRY(crypto::PrivateKey key, crypto::load_private_key(file));
    out.push_back(std::move(key));
  }
  return out;
}

int report_object(const Error& error, bool json) {
  const int code = report(error, json);
  for (const std::string_view fault : {"data.zip", "data.manifest", "data.binding", "data.root-signature",
                                       "data.segment", "data.assertion", "data.originator", "data.policy"})
    if (error.code() == fault) return kExitUntrue;
  return code;
}

int object_seal(const Arguments& arguments) {
  const auto sealed = seal_file(arguments);
  return sealed ? tell_sealed(*sealed, arguments.json()) : report(sealed.error(), arguments.json());
}

int object_reseal(const Arguments& arguments) {
  const auto sealed = reseal_file(arguments);
  return sealed ? tell_sealed(*sealed, arguments.json()) : report_object(sealed.error(), arguments.json());
}

int object_open(const Arguments& arguments) {
  const auto opened = open_file(arguments);
  if (!opened) return report_object(opened.error(), arguments.json());
  if (arguments.json()) {
    print_json(Json::object({{"bytes", opened->bytes},
                             {"verified", true},
                             {"originator", signer_json(opened->signer)},
                             {"signature", signature_json(opened->signer)}}));
  } else {
    fmt::print("opened and verified {}\n{}\n", bytes_text(opened->bytes), signer_words(opened->signer));
  }
  return kExitOk;
}

}  // namespace entente::cli
