#include "identity/identity_headers.h"

#include <doctest/doctest.h>

using namespace entente::identity;

TEST_CASE("headers that name a visitor or an address are known in any spelling") {
  for (const char* name : {"Entente-Assertion",
                           "entente-session",
                           "ENTENTE_ASSERTION",
                           "X-Forwarded-For",
                           "x-forwarded-user",
                           "X_Forwarded_For",
                           "Forwarded",
                           "X-Real-IP",
                           "Remote-User",
                           "REMOTE_USER",
                           "X-Remote-User",
                           "Cf-Access-Jwt-Assertion",
                           "X-Pomerium-Jwt-Assertion",
                           "X-Auth-Request-Email",
                           "X-Goog-IAP-JWT-Assertion",
                           "X-SSL-Client-Cert",
                           "Client-Cert",
                           "X-Authorization",
                           "True-Client-IP",
                           "X-WEBAUTH-USER"})
    CHECK_MESSAGE(is_identity_header(name), name);
}

TEST_CASE("ordinary headers pass") {
  for (const char* name :
       {"Accept", "Authorization", "Cookie", "Host", "Origin", "User-Agent", "X-Requested-With",
        "Content-Type", "Sec-WebSocket-Key", "Ententeish", "", "X-Forward", "If-None-Match"})
    CHECK_MESSAGE(!is_identity_header(name), name);
}
