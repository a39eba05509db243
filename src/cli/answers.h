// What the verbs of operators share: a call of the node's API, and its answer as a table, a line or JSON.
#pragma once

#include "base/json.h"
#include "cli/cli.h"

#include <string>
#include <string_view>
#include <vector>

namespace entente::cli {

struct Column {
  std::string head;
  std::string key;
};

// A member's text for a terminal: "-" where there is none, the items of a list with commas between.
[[nodiscard]] std::string cell(const Json& row, std::string_view key);
// The first word as a part of a path: whatever stands in it, it is one name.
[[nodiscard]] std::string named(const Arguments& arguments);

// Each gives the exit code. `list` and `page` print what stands under `member`, or the whole answer as JSON.
int list(const Arguments& arguments, std::string path, std::string_view member,
         const std::vector<Column>& columns);
// A list that others choose the length of: a page of it, and how to ask for the next.
int page(const Arguments& arguments, std::string_view path, std::string_view member,
         const std::vector<Column>& columns);
// With `--preview` what the change would come to, and nothing is changed.
int change(const Arguments& arguments, std::string path, const Json& body);
// With the reason, which a preview needs not.
int change_because(const Arguments& arguments, std::string path, Json body);

[[nodiscard]] Result<Json> call_page(const Arguments& arguments, std::string_view path);
void print_list(const Json& answer, std::string_view member, const std::vector<Column>& columns);
void print_rest(const Json& answer);

}  // namespace entente::cli
