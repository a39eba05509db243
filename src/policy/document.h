// Policies as their authors keep them: static policies, templates, and links that fill a template's slots.
// Read from Cedar text or JSON, written as either. A PolicySet is what decides; a document is what it is made
// from.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "policy/policy_set.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace entente::policy {

// A policy made from a template by naming an entity for each slot: {"?principal": uid, "?resource": uid}.
struct PolicyLink {
  std::string template_id;
  std::string id;
  std::map<std::string, EntityUid, std::less<>> values;
  bool operator==(const PolicyLink&) const = default;
};

class PolicyDocument {
 public:
  // What policies in text are called: by @id, else "file#n"; by @id, else "policyN"; always "policyN",
  // counted from 0 through the text, templates among them.
  enum class Names : uint8_t { annotated, annotated_or_numbered, numbered };

  // Cedar text. Errors "policy.syntax", "policy.doubled". Natives must outlive the document.
  [[nodiscard]] static Result<PolicyDocument> parse(const PolicySource& source,
                                                    Names names = Names::annotated,
                                                    const NativePredicates& natives = {});
  // JSON: one policy, or a set {"staticPolicies", "templates", "templateLinks"}; policies in it may be Cedar
  // text or lists. Errors "policy.json", "policy.syntax", "policy.doubled", "policy.link".
  [[nodiscard]] static Result<PolicyDocument> parse_json(const PolicySource& source,
                                                         const NativePredicates& natives = {});
  // By what the text looks like: JSON begins with a brace or bracket.
  [[nodiscard]] static Result<PolicyDocument> read(const PolicySource& source, Names names = Names::annotated,
                                                   const NativePredicates& natives = {});

  // Adds a link. Error "policy.link": no such template, the id is taken, a slot is missing or too many.
  [[nodiscard]] Result<void> link(PolicyLink link);

  [[nodiscard]] std::vector<PolicyInfo> policies() const;  // static ones
  [[nodiscard]] std::vector<PolicyInfo> templates() const;
  [[nodiscard]] const std::vector<PolicyLink>& links() const;

  // Canonical text of policies and templates; links have no text and are left out.
  [[nodiscard]] std::string text() const;
  // {"staticPolicies": {id: policy}, "templates": {...}, "templateLinks": [...]}. Error "policy.json".
  [[nodiscard]] Result<Json> json() const;
  // One policy or template alone. Error "policy.json".
  [[nodiscard]] Result<Json> json(std::string_view id) const;

  struct Inside;  // private to the room
  [[nodiscard]] const Inside& inside() const { return *inside_; }

 private:
  explicit PolicyDocument(std::shared_ptr<Inside> inside) : inside_(std::move(inside)) {}
  std::shared_ptr<Inside> inside_;
};

}  // namespace entente::policy
