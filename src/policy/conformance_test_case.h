// One test of a conformance collection. Private to the room.
#pragma once

#include "policy/conformance.h"
#include "policy/decide.h"
#include "policy/document.h"
#include "policy/entities.h"
#include "policy/schema.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace entente::policy {

// Whether it names files of policies and entities, as tests do; and whether it asks something as well.
[[nodiscard]] bool names_files(const Json& json);
[[nodiscard]] bool is_conformance_test(const Json& json);
void note_check(ConformanceReport& report, const std::string& file, std::string_view kind, bool holds,
                const std::string& what);

class ConformanceTestCase {
 public:
  ConformanceTestCase(const std::string& file, const Json& test, ConformanceReport& report)
      : file_(file), test_(test), report_(report) {}

  // The texts of the files; none when the test names none or it is not there.
  std::optional<std::string> policies;
  std::optional<std::string> entities;
  std::optional<std::string> schema;
  std::optional<std::string> json_schema;
  std::optional<std::string> verdicts;

  void run();

 private:
  struct Outcome {
    bool permitted = false;
    std::set<std::string> reasons;
    std::set<std::string> errors;
    bool operator==(const Outcome&) const = default;
  };
  struct Asked {
    Request request;
    std::optional<Error> fault;  // what the schema has against it
  };

  void check(std::string_view kind, bool holds, const std::string& what);
  bool load();
  void check_schema();
  void check_validation();
  void check_policy_verdicts(const Json& wanted);
  void check_entity_verdicts(const Json& wanted);
  void read_entities();
  void read_each_entity();
  [[nodiscard]] const Json* verdict_of(size_t number) const;
  Asked ask(const Json& request) const;
  void run_request(size_t number, const Json& request);
  [[nodiscard]] Outcome outcome(const PolicySet& set, const Request& request) const;
  [[nodiscard]] std::string text(const Outcome& outcome) const;

  const std::string& file_;
  const Json& test_;
  ConformanceReport& report_;
  std::optional<Schema> types_;
  std::optional<PolicyDocument> document_;
  std::optional<PolicySet> plain_;    // not validated
  std::optional<PolicySet> checked_;  // loaded, when they are valid
  Json entities_json_;
  std::vector<Entity> list_;
  std::optional<Entities> store_;
  Json verdicts_;
};

}  // namespace entente::policy
