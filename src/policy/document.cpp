#include "policy/document.h"

#include "policy/document_inside.h"
#include "policy/est.h"
#include "policy/parser.h"
#include "policy/print.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::policy {
namespace {

constexpr Json::Limits kJsonLimits{.bytes_max = 64 << 20, .depth_max = 1536};

Failure wrong(std::string what, std::string where, std::string hint = {}) {
  return fail("policy.json", std::move(what), std::move(where), std::move(hint));
}

// One policy or template that must be there once: text, or JSON.
class SetReader {
 public:
  SetReader(const PolicySource& source, const NativePredicates& natives, PolicyDocument::Inside& out)
      : source_(source), natives_(natives), out_(out) {}

  Result<void> run(const Json& json) {
    if (json.find("effect") != nullptr) return one("policy0", json, "", false);
    if (json.is_array()) return list(json, "", false);
    if (!json.is_object()) return wrong("this is neither a policy nor a set of policies", source_.file);
    for (const auto& [name, value] : json.members())
      if (name != "staticPolicies" && name != "templates" && name != "templateLinks")
        return wrong(fmt::format("a set of policies has no `{}`", name), source_.file,
                     "staticPolicies, templates, templateLinks");
    if (const Json* statics = json.find("staticPolicies"))
      TRY_VOID(several(*statics, "/staticPolicies", false));
    if (const Json* templates = json.find("templates")) TRY_VOID(several(*templates, "/templates", true));
    if (const Json* links = json.find("templateLinks")) TRY_VOID(all_links(*links));
    return {};
  }

 private:
  [[nodiscard]] std::string at(const std::string& path) const { return source_.file + path; }

  Result<void> several(const Json& json, const std::string& path, bool templates) {
    if (json.is_string()) return text(json.string(), path);
    if (json.is_array()) return list(json, path, templates);
    if (!json.is_object()) return wrong("policies by their ids belong here", at(path));
    for (const auto& [id, policy] : json.members())
      TRY_VOID(one(id, policy, fmt::format("{}/{}", path, id), templates));
    return {};
  }

  Result<void> text(const std::string& all, const std::string& path) {
    auto parsed = parse_policies(std::make_shared<const PolicySource>(PolicySource{at(path), all}), natives_);
    if (!parsed) return std::unexpected(std::move(parsed).error());
    for (size_t i = 0; i < parsed->size(); ++i) {
      (*parsed)[i].info.id = fmt::format("policy{}", i);
      TRY_VOID(out_.add(std::move((*parsed)[i])));
    }
    return {};
  }

  Result<void> list(const Json& json, const std::string& path, bool templates) {
    for (size_t i = 0; i < json.items().size(); ++i)
      TRY_VOID(one(fmt::format("policy{}", i), json.items()[i], fmt::format("{}/{}", path, i), templates));
    return {};
  }

  Result<void> one(const std::string& id, const Json& json, const std::string& path, bool is_template) {
    std::string written;
    if (json.is_string()) {
      written = json.string();
    } else {
      auto made = policy_text_from_json(json, path, natives_);
      if (!made) {
        made.error().where() = at(made.error().where());
        return std::unexpected(std::move(made).error());
      }
      written = *std::move(made);
    }
    auto source = std::make_shared<const PolicySource>(PolicySource{at("[" + id + "]"), std::move(written)});
    TRY(std::vector<Policy> parsed, parse_policies(source, natives_));
    if (parsed.size() != 1) return wrong("exactly one policy belongs here", at(path));
    if (parsed[0].is_template() && !is_template && !path.empty())
      return wrong(fmt::format("\"{}\" has a slot", id), at(path), "templates belong under `templates`");
    if (is_template && !parsed[0].is_template())
      return wrong(fmt::format("\"{}\" has no slot", id), at(path),
                   "static policies belong under `staticPolicies`");
    parsed[0].info.id = id;
    return out_.add(std::move(parsed[0]));
  }

  Result<void> all_links(const Json& json) {
    if (!json.is_array()) return wrong("a list of links belongs here", at("/templateLinks"));
    for (size_t i = 0; i < json.items().size(); ++i) {
      const std::string path = fmt::format("/templateLinks/{}", i);
      TRY(PolicyLink link, link_from(json.items()[i], path));
      TRY_VOID(out_.add_link(std::move(link), at(path)));
    }
    return {};
  }

  Result<PolicyLink> link_from(const Json& json, const std::string& path) {
    PolicyLink out;
    const Json* values = json.find("values");
    out.template_id = json.text_or("templateId", "");
    out.id = json.text_or("newId", "");
    if (values == nullptr || !values->is_object() || json.find("templateId") == nullptr ||
        json.find("newId") == nullptr || json.members().size() != 3)
      return wrong("a link has `templateId`, `newId` and `values`", at(path));
    for (const auto& [slot, value] : values->members()) {
      auto uid = uid_from_json(value, fmt::format("{}/values/{}", path, slot));
      if (!uid) return wrong(uid.error().what(), at(uid.error().where()), uid.error().hint());
      out.values.emplace(slot, *std::move(uid));
    }
    return out;
  }

  const PolicySource& source_;
  const NativePredicates& natives_;
  PolicyDocument::Inside& out_;
};

Failure bad_link(const PolicyLink& link, const std::string& what, std::string where = {}) {
  return fail("policy.link", fmt::format("link \"{}\": {}", link.id, what), std::move(where));
}

}  // namespace

const Policy* PolicyDocument::Inside::template_of(std::string_view id) const {
  const auto found = template_at.find(id);
  return found == template_at.end() ? nullptr : &templates[found->second];
}

Result<void> PolicyDocument::Inside::add(Policy policy) {
  if (!ids.insert(policy.info.id).second)
    return fail("policy.doubled", fmt::format("two policies are called \"{}\"", policy.info.id),
                policy.info.where);
  if (policy.is_template()) template_at.emplace(policy.info.id, templates.size());
  (policy.is_template() ? templates : policies).push_back(std::move(policy));
  return {};
}

Result<void> PolicyDocument::Inside::add_link(PolicyLink link, const std::string& where) {
  const Policy* made_from = template_of(link.template_id);
  if (made_from == nullptr)
    return bad_link(link, fmt::format("there is no template \"{}\"", link.template_id), where);
  if (auto bound = bind(*made_from, link); !bound) return std::unexpected(std::move(bound).error());
  if (!ids.insert(link.id).second) return bad_link(link, "a policy of that name exists", where);
  links.push_back(std::move(link));
  return {};
}

Result<Policy> bind(const Policy& made_from, const PolicyLink& link) {
  Policy out = made_from;
  out.info.id = link.id;
  size_t used = 0;
  const auto fill = [&](Scope& scope, std::string_view slot) -> Result<void> {
    if (!scope.slot) return {};
    const auto value = link.values.find(slot);
    if (value == link.values.end()) return bad_link(link, fmt::format("{} is not given", slot));
    scope.slot = false;
    scope.entities = {value->second};
    ++used;
    return {};
  };
  TRY_VOID(fill(out.principal, "?principal"));
  TRY_VOID(fill(out.resource, "?resource"));
  if (used != link.values.size()) return bad_link(link, "a slot is given that the template does not have");
  return out;
}

Result<PolicyDocument> PolicyDocument::parse(const PolicySource& source, Names names,
                                             const NativePredicates& natives) {
  TRY(std::vector<Policy> parsed, parse_policies(std::make_shared<const PolicySource>(source), natives));
  auto inside = std::make_shared<Inside>();
  for (size_t i = 0; i < parsed.size(); ++i) {
    PolicyInfo& info = parsed[i].info;
    const auto id = info.annotation("id");
    if (names == Names::numbered || (names == Names::annotated_or_numbered && (!id || id->empty())))
      info.id = fmt::format("policy{}", i);
    TRY_VOID(inside->add(std::move(parsed[i])));
  }
  return PolicyDocument(std::move(inside));
}

Result<PolicyDocument> PolicyDocument::parse_json(const PolicySource& source,
                                                  const NativePredicates& natives) {
  auto json = Json::parse(source.text, kJsonLimits);
  if (!json) return wrong(json.error().what(), fmt::format("{}:{}", source.file, json.error().where()));
  auto inside = std::make_shared<Inside>();
  TRY_VOID(SetReader(source, natives, *inside).run(*json));
  return PolicyDocument(std::move(inside));
}

Result<PolicyDocument> PolicyDocument::read(const PolicySource& source, Names names,
                                            const NativePredicates& natives) {
  const size_t first = source.text.find_first_not_of(" \t\r\n");
  const bool json = first != std::string::npos && (source.text[first] == '{' || source.text[first] == '[');
  return json ? parse_json(source, natives) : parse(source, names, natives);
}

Result<void> PolicyDocument::link(PolicyLink link) {
  // A copy only when somebody else holds the document: many links cost no more than each of them.
  if (inside_.use_count() > 1) inside_ = std::make_shared<Inside>(*inside_);
  return inside_->add_link(std::move(link), {});
}

std::vector<PolicyInfo> PolicyDocument::policies() const {
  std::vector<PolicyInfo> out;
  for (const Policy& one : inside_->policies) out.push_back(one.info);
  return out;
}

std::vector<PolicyInfo> PolicyDocument::templates() const {
  std::vector<PolicyInfo> out;
  for (const Policy& one : inside_->templates) out.push_back(one.info);
  return out;
}

const std::vector<PolicyLink>& PolicyDocument::links() const {
  return inside_->links;
}

std::string PolicyDocument::text() const {
  std::string out;
  for (const auto* group : {&inside_->policies, &inside_->templates})
    for (const Policy& one : *group) out += (out.empty() ? "" : "\n") + policy_text(one) + "\n";
  return out;
}

Result<Json> PolicyDocument::json() const {
  Json::Object statics;
  Json::Object templates;
  Json links = Json::array();
  for (const Policy& one : inside_->policies) {
    TRY(Json policy, policy_to_json(one));
    statics.emplace_back(one.info.id, std::move(policy));
  }
  for (const Policy& one : inside_->templates) {
    TRY(Json policy, policy_to_json(one));
    templates.emplace_back(one.info.id, std::move(policy));
  }
  for (const PolicyLink& link : inside_->links) {
    Json values = Json::object();
    for (const auto& [slot, uid] : link.values) values.set(slot, uid_json(uid));
    links.push(
        Json::object({{"templateId", link.template_id}, {"newId", link.id}, {"values", std::move(values)}}));
  }
  return Json::object({{"staticPolicies", Json(std::move(statics))},
                       {"templates", Json(std::move(templates))},
                       {"templateLinks", std::move(links)}});
}

Result<Json> PolicyDocument::json(std::string_view id) const {
  for (const auto* group : {&inside_->policies, &inside_->templates})
    for (const Policy& one : *group)
      if (one.info.id == id) return policy_to_json(one);
  return fail("policy.json", fmt::format("there is no policy \"{}\"", id));
}

}  // namespace entente::policy
