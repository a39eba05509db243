// What the servers of both versions of HTTP share. Inside this room only.
#pragma once

#include "net/http_server.h"

namespace entente::net {

[[nodiscard]] const std::string& http_date();  // RFC 9110 section 5.6.7, of this second
void drop_framing(Headers& headers);           // the message's framing is the connection's business

// HTTP/2: the connection goes to the loop that its first request belongs on (HttpService::place) and stays
// there. A later request that belongs on another one is answered 421 (RFC 9110 section 15.5.20): the client
// asks again on a connection of its own.
[[nodiscard]] Task<void> serve_h2(std::unique_ptr<Stream> stream, std::shared_ptr<const HttpService> service);

}  // namespace entente::net
