// The verbs that ask an object's key services for something else than its keys: to let it go, to take it
// back.
#include "cli/object_files.h"
#include "cli/verbs.h"
#include "data/file.h"

#include <fmt/format.h>

namespace entente::cli {
namespace {

Result<std::vector<AskedRelease>> asked_of_file(const Arguments& arguments) {
  data::ReleaseWish wish;
  TRY(wish.purpose, arguments.need("purpose"));
  TRY(wish.minutes, arguments.number("minutes"));
  wish.right = arguments.option("right").value_or(wish.right);
  TRY(const data::FileSource source, data::FileSource::open(arguments.words[0]));
  TRY(const data::SealedObject sealed, data::read_object(source));
  return ask_releases(arguments, sealed.manifest, wish);
}

}  // namespace

int recall_own(const Arguments& arguments) {
  const auto asked = [&]() -> Result<std::vector<AskedRecall>> {
    TRY(const std::string reason, arguments.need("reason"));
    TRY(const data::FileSource source, data::FileSource::open(arguments.words[0]));
    TRY(const data::SealedObject sealed, data::read_object(source));
    return ask_recall(arguments, sealed.manifest, reason);
  }();
  if (!asked) return report_object(asked.error(), arguments.json());
  Json rows = Json::array();
  for (const AskedRecall& one : *asked) {
    Json row = Json::object({{"service", one.service}});
    if (one.durable) {
      row.set("recalled", true).set("durable", *one.durable);
      if (!arguments.json())
        fmt::print("{}: recalled; it gives out no key of it any more{}\n", one.service,
                   *one.durable ? "" : " (not on its disk yet)");
    } else {
      row.set("error", one.durable.error().text());
    }
    rows.push(std::move(row));
  }
  if (arguments.json()) print_json(Json::object({{"asked", std::move(rows)}}));
  if (asked->back().durable) return kExitOk;
  if (arguments.json()) return kExitRefused;
  for (const AskedRecall& one : *asked) report(one.durable.error(), false);
  return kExitRefused;
}

int release_ask(const Arguments& arguments) {
  const auto asked = asked_of_file(arguments);
  if (!asked) return report_object(asked.error(), arguments.json());
  Json rows = Json::array();
  int code = kExitOk;
  for (const AskedRelease& one : *asked) {
    Json row = Json::object({{"service", one.service}});
    if (one.release) {
      row.set("release", *one.release);
      if (!arguments.json())
        fmt::print("{}: asked for; it waits for an answer as {}\n", one.service, printable(*one.release));
    } else {
      row.set("error", one.release.error().text());
      code = arguments.json() ? kExitRefused : report(one.release.error(), false);
    }
    rows.push(std::move(row));
  }
  if (arguments.json()) print_json(Json::object({{"asked", std::move(rows)}}));
  return code;
}

}  // namespace entente::cli
