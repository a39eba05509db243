// What all pages of the lobby begin and end with. Private to the room.
#pragma once

#include "exchange/lobby_pages.h"

#include <string>
#include <string_view>

namespace entente::exchange {

// `script`: the page goes on by itself, by this one of the assets; it must be sent with Scripts other than
// none.
[[nodiscard]] std::string open_page(const PageFrame& frame, std::string_view title,
                                    std::string_view script = {});
[[nodiscard]] std::string close_page();
// Any text from outside, as it may stand in a page: escaped, and nothing in it that turns letters around.
[[nodiscard]] std::string on_page(std::string_view text);

}  // namespace entente::exchange
