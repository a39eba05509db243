// What the verbs of sealed objects share: keys from files, what is expected of an object, exit codes.
#pragma once

#include "cli/cli.h"
#include "crypto/x509.h"
#include "data/open.h"

namespace entente::cli {

// A public key or the key of a certificate. Errors: "object.recipient", those of read_file.
[[nodiscard]] Result<crypto::PublicKey> read_public_key_text(const std::string& pem,
                                                             const std::string& where);
[[nodiscard]] Result<crypto::PublicKey> read_public_key_file(const std::string& file);
// --key FILE...
[[nodiscard]] Result<std::vector<crypto::PrivateKey>> private_keys_of(const Arguments& arguments);
// --originator CODE=FILE..., --pin ASSERTION=FILE...
[[nodiscard]] Result<data::OpenExpect> expectations_of(const Arguments& arguments);
// Like report(); an object that does not verify ends with kExitUntrue.
int report_object(const Error& error, bool json);

}  // namespace entente::cli
