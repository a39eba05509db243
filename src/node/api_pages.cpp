#include "node/api_pages.h"

#include "net/url.h"

#include <fmt/format.h>

namespace entente::node {

namespace {

constexpr size_t kAfterBytesMax = 256;

}  // namespace

Result<PageAsked> read_page_asked(const std::string& query) {
  TRY(const net::Pairs pairs, net::parse_form(query));
  PageAsked out;
  for (const auto& [name, text] : pairs) {
    if (name == "all" && text == "true") {
      out.all = true;
    } else if (name == "after" && text.size() <= kAfterBytesMax) {
      out.after = text;
    } else {
      return fail("field.value", "a list is not asked for like that", name,
                  "all=true, or after=NEXT of another page");
    }
  }
  return out;
}

std::string place_of(Instant at, const std::string& id) {
  return fmt::format("{:016x}/{}", static_cast<uint64_t>(at.time_since_epoch().count()) ^ (uint64_t{1} << 63),
                     id);
}

}  // namespace entente::node
