// What the verbs of sealed objects share: keys from files, what is expected of an object, exit codes.
#pragma once

#include "cli/cli.h"
#include "crypto/x509.h"
#include "data/kas_client.h"
#include "data/open.h"

namespace entente::cli {

// An attribute of this name says whose the object is, by whatever authority.
inline constexpr std::string_view kOriginatorAttribute = "originator";

// A public key or the key of a certificate. Errors: "object.recipient", those of read_file.
[[nodiscard]] Result<crypto::PublicKey> read_public_key_text(const std::string& pem,
                                                             const std::string& where);
[[nodiscard]] Result<crypto::PublicKey> read_public_key_file(const std::string& file);
// --key FILE...
[[nodiscard]] Result<std::vector<crypto::PrivateKey>> private_keys_of(const Arguments& arguments);
// --originator CODE=FILE..., --pin ASSERTION=FILE...
[[nodiscard]] Result<data::OpenExpect> expectations_of(const Arguments& arguments);
// Who signed an object, by the keys of --originator and of --known-originator CODE=FILE, or CODE=URL of a key
// service that says them: asked only where the object says that CODE signed it.
struct Signer {
  data::OriginatorSeen seen;
  bool of_origin = false;  // by the object's own attributes it may be of whoever signed it
  [[nodiscard]] bool verified() const { return seen.verified && of_origin; }
};
[[nodiscard]] Signer signer_of_object(const data::OriginatorSeen& seen, const data::Manifest& manifest);
// What --known-originator gives of whom the object says that they signed it.
[[nodiscard]] Result<data::OriginatorKeys> known_originators(const Arguments& arguments,
                                                             const data::Manifest& manifest);
// One sentence, for people.
[[nodiscard]] std::string signer_words(const Signer& signer);
[[nodiscard]] Json signer_json(const Signer& signer);  // the originator; null where that is not verified
// {"state", "name"}: what signer_words says, in the words of docs/wire-formats/object.md.
[[nodiscard]] Json signature_json(const Signer& signer);
// The keys by which a key service's nation signs what it seals.
[[nodiscard]] Result<std::vector<crypto::PublicKey>> originator_keys_of_service(const Arguments& arguments,
                                                                                std::string url);
// Shares from --key FILE..., and with --token and --proof from the key services that --service names: nobody
// else is ever shown the token, whatever address an object has in it. Made for an object by its policy's
// text; what it is opened for is what the key services are asked.
using OpenerMaker = std::function<data::ShareOpener(std::string policy_text)>;
[[nodiscard]] Result<OpenerMaker> opener_of(const Arguments& arguments,
                                            std::vector<coalition::Action> opened_for);
// Asks the key service of each nation of origin to let the object go to whoever --token is of: each answers
// by itself.
struct AskedRelease {
  std::string service;
  Result<std::string> release;  // the name under which it waits for an answer
};
[[nodiscard]] Result<std::vector<AskedRelease>> ask_releases(const Arguments& arguments,
                                                             const data::Manifest& manifest,
                                                             const data::ReleaseWish& wish);
// Asks the key services that --service names to take an object back, for its author: until one did, which is
// enough where all shares are needed. Each answers by itself.
struct AskedRecall {
  std::string service;
  Result<bool> durable;
};
[[nodiscard]] Result<std::vector<AskedRecall>> ask_recall(const Arguments& arguments,
                                                          const data::Manifest& manifest,
                                                          const std::string& reason);
// With --token and --proof: how the first --service knows whoever seals as an author; without: nobody, "".
[[nodiscard]] Result<std::string> author_of(const Arguments& arguments);
// A key service that says its own key. Error "object.recipient".
[[nodiscard]] Result<data::Recipient> recipient_of_service(const Arguments& arguments, std::string url);
// Like report(); an object that does not verify ends with kExitUntrue.
int report_object(const Error& error, bool json);

}  // namespace entente::cli
