// The table of verbs. Help, man pages and the parser are made from it, so that none of them lags behind.
#pragma once

#include "cli/cli.h"

#include <span>
#include <string_view>

namespace entente::cli {

struct Verb {
  std::string_view name;     // "partner suspend"
  std::string_view usage;    // "CODE --reason TEXT"
  std::string_view what;     // one line
  std::string_view options;  // names of options that take a value, comma separated; flags end in "!", those
                             // that may stand again in "+"
  size_t words_min = 0;
  size_t words_max = 0;
  int (*run)(const Arguments&) = nullptr;
};

[[nodiscard]] std::span<const Verb> verbs();

int node_run(const Arguments&);
int node_keys(const Arguments&);
int node_init(const Arguments&);
int node_check(const Arguments&);
int genesis_key(const Arguments&);
int genesis_sign(const Arguments&);
int connector_run(const Arguments&);
int connector_enrol(const Arguments&);
int connector_add(const Arguments&);
int connector_list(const Arguments&);
int partner_list(const Arguments&);
int partner_suspend(const Arguments&);
int partner_resume(const Arguments&);
int partner_isolate(const Arguments&);
int release_ask(const Arguments&);
int release_object(const Arguments&);
int release_list(const Arguments&);
int release_show(const Arguments&);
int release_approve(const Arguments&);
int release_deny(const Arguments&);
int release_revoke(const Arguments&);
int key_service_reload(const Arguments&);
int clock_show(const Arguments&);
int clock_accept(const Arguments&);
int recall_object(const Arguments&);
int recall_own(const Arguments&);
int recall_lift(const Arguments&);
int recall_list(const Arguments&);
int exposure(const Arguments&);
int partner_rejoin(const Arguments&);
int app_list(const Arguments&);
int app_withdraw(const Arguments&);
int connector_cut(const Arguments&);
int session_list(const Arguments&);
int session_cut(const Arguments&);
int mission_list(const Arguments&);
int mission_show(const Arguments&);
int mission_phase(const Arguments&);
int mission_threat(const Arguments&);
int mission_end(const Arguments&);
int request_list(const Arguments&);
int request_show(const Arguments&);
int request_approve(const Arguments&);
int request_deny(const Arguments&);
int grant_list(const Arguments&);
int grant_revoke(const Arguments&);
int delegation_list(const Arguments&);
int delegation_add(const Arguments&);
int delegation_end(const Arguments&);
int why(const Arguments&);
int ledger_verify(const Arguments&);
int ledger_show(const Arguments&);
int policy_check(const Arguments&);
int policy_bench(const Arguments&);
int policy_fmt(const Arguments&);
int policy_convert(const Arguments&);
int policy_test(const Arguments&);
int policy_conformance(const Arguments&);
int label_parse(const Arguments&);
int label_print(const Arguments&);
int label_compare(const Arguments&);
int label_roll_up(const Arguments&);
int label_prove(const Arguments&);
int object_seal(const Arguments&);
int object_reseal(const Arguments&);
int object_open(const Arguments&);
int object_inspect(const Arguments&);
int doctor(const Arguments&);
int man(const Arguments&);

}  // namespace entente::cli
