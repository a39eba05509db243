// What the ledger gets of a request. A reader asks as often as they may for what somebody else sealed: what
// either of them chose is bounded here, or any one of them would fill the disk.
#include "coalition/author_recall.h"
#include "crypto/digest.h"
#include "data/kas_case.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::data {
namespace {

constexpr size_t kReadersBytesMax = 1024;
constexpr size_t kTextBytesMax = 512;

std::string action_names(const std::vector<coalition::Action>& actions) {
  std::string out;
  for (const coalition::Action one : actions)
    out.append(out.empty() ? "" : " ").append(coalition::action_name(one));
  return out;
}

Json texts_json(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& text : texts) out.push(text);
  return out;
}

// What is said twice means the same, and a sealer may say it as often as an object has room for.
std::vector<std::string> each_once(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts)
    if (std::ranges::find(out, text) == out.end()) out.push_back(text);
  return out;
}

// Nothing reads them back: whoever has the object finds by the digest which names they were.
Json readers_json(const std::vector<std::string>& names) {
  Json whole = texts_json(names);
  const std::string text = whole.dump();
  if (text.size() <= kReadersBytesMax) return whole;
  return fmt::format("{} names, sha256 {}", names.size(), hex(crypto::sha256(text)));
}

// Cut where a character ends.
std::string short_text(std::string_view text) {
  constexpr uint8_t kInside = 0x80, kInsideMask = 0xc0;
  if (text.size() <= kTextBytesMax) return std::string(text);
  size_t end = kTextBytesMax;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & kInsideMask) == kInside) --end;
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace

KasLeaf Kas::Case::leaf(std::string_view kind, const CaseItem& item) const {
  constexpr size_t kUsualFields = 12;
  KasLeaf out{std::string(kind), {}};
  out.fields.reserve(kUsualFields);
  const auto add = [&](std::string name, Json value) {
    out.fields.emplace_back(std::move(name), std::move(value));
  };
  add("person", caller.person.id.text());
  add("partner", caller.person.partner.text());
  add("device", caller.by.device);
  add("client", short_text(caller.by.client));
  add("object", item.object->policy.uuid);
  add("key", item.key->digest);
  const bool tried = item.ask.object && !item.ask.object->kid.empty();
  add("kid", tried ? item.ask.object->kid : item.key->access.kid);
  add("action", action_names(item.object->actions));
  if (!caller.by.mission.empty()) add("mission", caller.by.mission.text());
  if (!item.verdict.id.empty()) {
    add("verdict", item.verdict.id.text());
    add("revision", static_cast<int64_t>(item.verdict.revision.value));
  }
  if (!service.empty() && service != service_.parts_.self) add("service", service.text());
  if (kind == "key.release" ||
      kind == "key.passed") {  // what it takes to ask again later whether it could still be opened
    add("attributes", texts_json(each_once(item.ask.object->attributes)));
    add("dissem", readers_json(item.ask.object->dissem));
    if (!item.from.empty()) add("from", texts_json(item.from));
  }
  // By which an author's recall is found; of the withheld too, since they are taken back from the released.
  const bool counts = kind == "key.release" || kind == "key.passed" || kind == "key.withheld";
  if (counts && !item.ask.object->text_digest.empty()) add("policy", item.ask.object->text_digest);
  if (kind == "object.recall") {
    add("recall", fmt::format("recall/{}/{}", coalition::kAuthorRecall, item.ask.object->text_digest));
    add("reason", item.object->recall->reason);
  }
  if (kind == "object.view") {
    add("view", item.view);
    add("until", rfc3339(item.until));
  }
  if (item.object->release && kind != "key.refusal") {
    add("purpose", item.object->release->purpose);
    add("minutes", item.object->release->minutes);
    if (item.ask.object) add("attributes", texts_json(each_once(item.ask.object->attributes)));
    if (!item.waits.empty()) add("release", item.waits);
  }
  if (!item.grants.empty()) add("grant", fmt::format("{}", fmt::join(item.grants, " ")));
  if (kind == "key.refusal") {
    if (!item.problem.empty() || !item.elsewhere.empty()) {
      add("why", short_text(item.problem.empty() ? item.elsewhere : item.problem));
    } else {
      Json rules = Json::array();
      for (const coalition::Reason& reason : item.verdict.reasons) rules.push(reason.policy);
      add("rules", std::move(rules));
    }
  }
  return out;
}

// The policy's text and the mission too: under another one it is another question about the same id.
crypto::Digest Kas::Case::denial_name(size_t index) const {
  const CaseItem& item = items[index];
  const std::string rule = item.verdict.reasons.empty() ? item.problem : item.verdict.reasons.front().policy;
  return crypto::sha256(
      identity::framed({caller.person.partner.text(), caller.person.id.text(), caller.by.device,
                        item.object->policy.uuid, as_text(item.object->policy_digest), item.key->digest,
                        action_names(item.object->actions), caller.by.mission.text(), rule}));
}

}  // namespace entente::data
