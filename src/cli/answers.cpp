#include "cli/answers.h"

#include "cli/operator_client.h"
#include "net/url.h"

#include <fmt/format.h>

namespace entente::cli {
namespace {

// What that change would come to instead, with `--preview`: nothing is changed.
Result<Json> call_preview(const Arguments& arguments, const std::string& path, const Json& body) {
  net::Pairs asked;
  for (const auto& [name, value] : body.members()) {
    if (value.is_string()) asked.emplace_back(name, value.string());
    if (!value.is_array()) continue;
    for (const Json& one : value.items()) asked.emplace_back(name, one.string());
  }
  const std::string query = asked.empty() ? std::string() : "?" + write_form(asked);
  return call_node(arguments, "GET", path + "/preview" + query);
}

}  // namespace

std::string cell(const Json& row, std::string_view key) {
  const Json* value = row.find(key);
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return value->string().empty() ? "-" : printable(value->string());
  if (value->is_array()) {
    std::string out;
    for (const Json& item : value->items())
      out += (out.empty() ? "" : ",") + (item.is_string() ? item.string() : item.dump());
    return out.empty() ? "-" : printable(out);
  }
  return printable(value->dump());
}

std::string named(const Arguments& arguments) {
  return net::percent_encode(arguments.words[0]);
}

void print_list(const Json& answer, std::string_view member, const std::vector<Column>& columns) {
  if (const Json* unrecorded = answer.find("unrecorded"); unrecorded != nullptr)
    fmt::print(stderr, "that you looked is not in the ledger yet: {}\n", cell(answer, "unrecorded"));
  std::vector<std::string> heads;
  heads.reserve(columns.size());
  for (const Column& column : columns) heads.push_back(column.head);
  std::vector<std::vector<std::string>> rows;
  const Json* found = answer.find(member);
  if (found != nullptr && found->is_array()) {
    for (const Json& row : found->items()) {
      std::vector<std::string> cells;
      cells.reserve(columns.size());
      for (const Column& column : columns) cells.push_back(cell(row, column.key));
      rows.push_back(std::move(cells));
    }
  }
  print_table(heads, rows);
}

int list(const Arguments& arguments, std::string path, std::string_view member,
         const std::vector<Column>& columns) {
  const Result<Json> answer = call_node(arguments, "GET", std::move(path));
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
  } else {
    print_list(*answer, member, columns);
  }
  return kExitOk;
}

int change(const Arguments& arguments, std::string path, const Json& body) {
  const Result<Json> answer = arguments.option("preview") ? call_preview(arguments, path, body)
                                                          : call_node(arguments, "POST", path, body);
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
  } else {
    fmt::print("{}\n", printable(answer->text_or("text", "done")));
  }
  return kExitOk;
}

int change_because(const Arguments& arguments, std::string path, Json body) {
  const bool preview = arguments.option("preview").has_value();
  const Result<std::string> reason = preview ? std::string() : arguments.need("reason");
  if (!reason) return report(reason.error(), arguments.json());
  if (!preview) body.set("reason", *reason);
  return change(arguments, std::move(path), body);
}

Result<Json> call_page(const Arguments& arguments, std::string_view path) {
  net::Pairs asked;
  if (arguments.option("all")) asked.emplace_back("all", "true");
  if (const auto after = arguments.option("after")) asked.emplace_back("after", *after);
  return call_node(arguments, "GET",
                   asked.empty() ? std::string(path) : fmt::format("{}?{}", path, write_form(asked)));
}

void print_rest(const Json& answer) {
  if (answer.find("next") != nullptr)
    fmt::print("{} more: --after {}\n", cell(answer, "more"), cell(answer, "next"));
}

int page(const Arguments& arguments, std::string_view path, std::string_view member,
         const std::vector<Column>& columns) {
  const Result<Json> answer = call_page(arguments, path);
  if (!answer) return report(answer.error(), arguments.json());
  if (arguments.json()) {
    print_json(*answer);
    return kExitOk;
  }
  print_list(*answer, member, columns);
  print_rest(*answer);
  return kExitOk;
}

}  // namespace entente::cli
