// The verbs of auditors: they need no running node.
#include "base/file.h"
#include "cli/outputs.h"
#include "cli/verbs.h"
#include "node/audit.h"
#include "node/config.h"

#include <filesystem>

#include <fmt/format.h>

namespace entente::cli {
namespace {

constexpr size_t kReportBytesMax = 16 << 20;

struct Ordered {  // what is to be verified, and against what
  node::NodeConfig config;
  std::optional<std::string> remembered;
  std::optional<Json> exposure;
  std::optional<std::string> checkpoint_out;
};

Result<Ordered> read_order(const Arguments& arguments) {
  TRY(const std::string file, arguments.need("config"));
  std::optional<std::string> checkpoint_out;
  if (arguments.option("checkpoint-out")) {
    TRY(std::string place, output_named(arguments, "checkpoint-out"));
    checkpoint_out = std::move(place);
  }
  // The door's certificate may have ended long ago.
  TRY(node::NodeConfig config, node::load_node_config(file, std::nullopt));
  std::error_code error;
  if (!std::filesystem::is_directory(config.data, error)) {
    return fail("config.file", "there is no such folder", config.data.string(),
                "correct \"data\" in the configuration, or mount what holds it");
  }
  Ordered out{std::move(config), {}, {}, std::move(checkpoint_out)};
  if (const auto remembered_file = arguments.option("remembered")) {
    TRY(std::string text, read_file(*remembered_file));
    out.remembered = std::move(text);
  }
  if (const auto exposure_file = arguments.option("exposure")) {
    TRY(const std::string text, read_file(*exposure_file));
    TRY(out.exposure, Json::parse(text, {.bytes_max = kReportBytesMax, .depth_max = 8}));
  }
  return out;
}

}  // namespace

// What is wrong before or behind the verifying itself is no sign that somebody changed something.
int ledger_verify(const Arguments& arguments) {
  Result<Ordered> ordered = read_order(arguments);
  if (!ordered) return report(ordered.error(), arguments.json());
  const Result<node::Audit> audit =
      node::audit(ordered->config, std::move(ordered->remembered), std::move(ordered->exposure));
  if (!audit) {
    report(audit.error(), arguments.json());
    return kExitUntrue;
  }
  if (ordered->checkpoint_out) {
    const Result<void> written = write_file(*ordered->checkpoint_out, audit->ledger.note);
    if (!written) return report(written.error(), arguments.json());
  }
  const auto entries = static_cast<int64_t>(audit->ledger.checkpoint.size);
  const auto revision = static_cast<int64_t>(audit->ledger.store_revision.value);
  const std::string& unfinished = audit->ledger.unfinished;
  if (arguments.json()) {
    Json said = Json::object({{"verified", true},
                              {"unfinished", unfinished},
                              {"entries", entries},
                              {"records", static_cast<int64_t>(audit->records)},
                              {"revision", revision},
                              {"checkpoint", audit->ledger.note}});
    if (audit->exposure_read) said.set("exposure_read", *audit->exposure_read);
    print_json(said);
  } else {
    fmt::print(
        "verified: {} ledger entries, chained, signed and complete; {} store records at revision {}, each in "
        "the ledger\n",
        entries, audit->records, revision);
    if (audit->exposure_read)
      fmt::print("the report on what was released is what the first {} of these {} entries say\n",
                 *audit->exposure_read, entries);
    if (!unfinished.empty()) {
      fmt::print(
          "behind them is an unfinished write, as a node that was killed leaves it ({}): nobody was told "
          "that it "
          "is recorded, and the node cuts it off when it starts\n",
          unfinished);
    }
  }
  return unfinished.empty() ? kExitOk : kExitUnfinished;
}

int man(const Arguments&) {
  fmt::print(
      ".TH ENTENTE 1\n.SH NAME\nentente \\- a zero trust exchange for coalitions\n.SH SYNOPSIS\n.B entente\n"
      "VERB [ARGUMENTS] [--json] [--socket PATH | --config FILE]\n.SH VERBS\n");
  for (const Verb& verb : verbs()) fmt::print(".TP\n.B {} {}\n{}\n", verb.name, verb.usage, verb.what);
  fmt::print(
      ".SH EXIT STATUS\n0 done; 1 refused or failed; 2 not understood; 3 the node does not answer; 4 "
      "verification found a "
      "fault; 5 verified, but for an unfinished last write\n.SH ENVIRONMENT\n.TP\n.B ENTENTE_SOCKET\nthe "
      "node's operators_socket\n");
  return kExitOk;
}

}  // namespace entente::cli
