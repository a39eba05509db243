// Keys that stay in a PKCS#11 token: the token computes with them, and nothing here ever holds their private
// part. OpenSSL 3.0 reaches tokens through libp11's engine (Debian's libengine-pkcs11-openssl), which is
// looked for only when a key is asked for. Error: "crypto.token".
#pragma once

#include "crypto/key.h"

#include <filesystem>
#include <string_view>

namespace entente::crypto {

struct Token {
  std::filesystem::path module = {};  // the token's own library: one in a process, loaded until it ends
  Secret pin = {};
};

// `uri` names the key (RFC 7512): "pkcs11:token=NAME;object=LABEL". RSA and EC keys. Logs in once, never
// tries a PIN again, and has the token prove with one operation that it holds what belongs to the public key
// it shows. The key may then be used from any thread; it can't be written to a file.
[[nodiscard]] Result<PrivateKey> load_token_key(const Token& token, std::string_view uri);

}  // namespace entente::crypto
