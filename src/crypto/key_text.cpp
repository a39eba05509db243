// Keys as text: DER, PEM, JWK, and the files private keys are kept in.
#include "crypto/openssl.h"
#include "crypto/spki.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

namespace entente::crypto {
namespace {

constexpr size_t kKeyTextBytesMax = 64 * 1024;
constexpr std::array<std::string_view, 8> kPrivateMembers{"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

// An encrypted PEM would otherwise ask its question on the terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

struct Curve {
  std::string_view crv;
  const char* group;
  size_t length;
};
constexpr std::array<Curve, 3> kCurves{
    {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}}};
const Curve& curve_of(KeyKind kind) {
  return kCurves[static_cast<size_t>(kind)];
}

Failure jwk_fail(std::string what, std::string hint = {}) {
  return openssl_fail("crypto.key", std::move(what), std::move(hint));
}

Result<Bytes> jwk_bytes(const Json& jwk, std::string_view member) {
  const Json* value = jwk.find(member);
  if (value == nullptr || !value->is_string())
    return jwk_fail("The JWK has no text member \"" + std::string(member) + "\".");
  auto bytes = from_base64url(value->string());
  if (!bytes || bytes->empty())
    return jwk_fail("The JWK's \"" + std::string(member) + "\" is not base64url.");
  return bytes;
}

// Gathers parameters and makes a key of them; the numbers must live as long as the builder.
class KeyBuilder {
 public:
  KeyBuilder() : builder_(OSSL_PARAM_BLD_new()) { ENTENTE_CHECK(builder_ != nullptr); }

  Result<void> number(const Json& jwk, std::string_view member, const char* parameter) {
    TRY(Bytes bytes, jwk_bytes(jwk, member));
    if (bytes.front() == 0) {
      // RFC 7518 section 2: as few octets as the number needs. Private EC numbers have a fixed length
      // instead.
      if (std::string_view(parameter) != OSSL_PKEY_PARAM_PRIV_KEY)
        return jwk_fail("The JWK's \"" + std::string(member) + "\" starts with a zero octet.");
    }
    BigNumber value(BN_secure_new());
    ENTENTE_CHECK(value && BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), value.get()) != nullptr);
    OPENSSL_cleanse(bytes.data(), bytes.size());
    ENTENTE_CHECK(OSSL_PARAM_BLD_push_BN(builder_.get(), parameter, value.get()) == 1);
    numbers_.push_back(std::move(value));
    return {};
  }
  void text(const char* parameter, const char* value) {
    ENTENTE_CHECK(OSSL_PARAM_BLD_push_utf8_string(builder_.get(), parameter, value, 0) == 1);
  }
  void octets(const char* parameter, const Bytes& value) {
    ENTENTE_CHECK(OSSL_PARAM_BLD_push_octet_string(builder_.get(), parameter, value.data(), value.size()) ==
                  1);
  }

  Result<PKey> make(const char* type, int selection) {
    const std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>> parameters(
        OSSL_PARAM_BLD_to_param(builder_.get()));
    const PKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, selection, parameters.get()) != 1)
      return jwk_fail("The JWK's numbers are not a " + std::string(type) + " key.");
    return PKey(key);
  }

 private:
  std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>> builder_;
  std::vector<BigNumber> numbers_;
};

struct JwkPoint {
  KeyKind kind = KeyKind::p256;
  Bytes point;  // 04||x||y
};
Result<JwkPoint> jwk_point(const Json& jwk) {
  const std::string_view crv = jwk.text_or("crv", "");
  for (const Curve& curve : kCurves) {
    if (curve.crv != crv) continue;
    TRY(const Bytes x, jwk_bytes(jwk, "x"));
    TRY(const Bytes y, jwk_bytes(jwk, "y"));
    if (x.size() != curve.length || y.size() != curve.length)
      return jwk_fail("The JWK's \"x\" or \"y\" is not as long as its curve asks.");
    JwkPoint out{static_cast<KeyKind>(&curve - kCurves.data()), {4}};
    out.point.insert(out.point.end(), x.begin(), x.end());
    out.point.insert(out.point.end(), y.begin(), y.end());
    return out;
  }
  return jwk_fail("The JWK's \"crv\" is not one we use.", "Use P-256, P-384, P-521 or Ed25519.");
}

Result<PKey> private_ec_from_jwk(const Json& jwk) {
  TRY(const JwkPoint read, jwk_point(jwk));
  KeyBuilder builder;
  builder.text(OSSL_PKEY_PARAM_GROUP_NAME, curve_of(read.kind).group);
  builder.octets(OSSL_PKEY_PARAM_PUB_KEY, read.point);
  TRY_VOID(builder.number(jwk, "d", OSSL_PKEY_PARAM_PRIV_KEY));
  return builder.make("EC", EVP_PKEY_KEYPAIR);
}

Result<PKey> rsa_from_jwk(const Json& jwk, bool with_private) {
  KeyBuilder builder;
  TRY_VOID(builder.number(jwk, "n", OSSL_PKEY_PARAM_RSA_N));
  TRY_VOID(builder.number(jwk, "e", OSSL_PKEY_PARAM_RSA_E));
  if (with_private) {
    if (jwk.find("oth") != nullptr) return jwk_fail("The JWK is an RSA key of more than two primes.");
    TRY_VOID(builder.number(jwk, "d", OSSL_PKEY_PARAM_RSA_D));
    TRY_VOID(builder.number(jwk, "p", OSSL_PKEY_PARAM_RSA_FACTOR1));
    TRY_VOID(builder.number(jwk, "q", OSSL_PKEY_PARAM_RSA_FACTOR2));
    TRY_VOID(builder.number(jwk, "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1));
    TRY_VOID(builder.number(jwk, "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2));
    TRY_VOID(builder.number(jwk, "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1));
  }
  return builder.make("RSA", with_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
}

Result<PKey> ed25519_from_jwk(const Json& jwk, bool with_private) {
  if (jwk.text_or("crv", "") != "Ed25519")
    return jwk_fail("The JWK's \"crv\" is not one we use.", "Use Ed25519.");
  TRY(const Bytes x, jwk_bytes(jwk, "x"));
  if (x.size() != 32) return jwk_fail("The JWK's \"x\" is not 32 octets long.");
  if (!with_private) {
    PKey key(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, x.data(), x.size()));
    if (!key) return jwk_fail("The JWK's \"x\" is not an Ed25519 key.");
    return key;
  }
  TRY(Bytes d, jwk_bytes(jwk, "d"));
  const Secret secret(std::move(d));
  PKey key(EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, secret.bytes().data(),
                                           secret.bytes().size()));
  std::array<uint8_t, 32> made{};
  size_t length = made.size();
  if (!key || EVP_PKEY_get_raw_public_key(key.get(), made.data(), &length) != 1 ||
      !equal_constant_time(made, x))
    return jwk_fail("The JWK's \"d\" and \"x\" do not belong together.");
  return key;
}

Failure unknown_kty() {
  return jwk_fail("The JWK's \"kty\" is not one we use.", "Use EC, OKP or RSA.");
}

Result<PKey> private_from_jwk(const Json& jwk) {
  const std::string_view kty = jwk.text_or("kty", "");
  if (kty == "EC") return private_ec_from_jwk(jwk);
  if (kty == "RSA") return rsa_from_jwk(jwk, true);
  if (kty == "OKP") return ed25519_from_jwk(jwk, true);
  return unknown_kty();
}

Result<PublicKey> public_from_jwk(const Json& jwk) {
  const std::string_view kty = jwk.text_or("kty", "");
  if (kty == "EC") {
    TRY(const JwkPoint read, jwk_point(jwk));
    return adopt_plain({read.kind, read.point, {}, {}});
  }
  if (kty != "RSA" && kty != "OKP") return unknown_kty();
  TRY(PKey key, kty == "RSA" ? rsa_from_jwk(jwk, false) : ed25519_from_jwk(jwk, false));
  TRY(auto inside, adopt(std::move(key)));
  return PublicKey(std::move(inside));
}

// The algorithm a JWK names must fit the key it comes with.
Result<void> check_alg(const Json& jwk, KeyKind kind) {
  const Json* alg = jwk.find("alg");
  if (alg == nullptr) return {};
  TRY(const SignatureAlg named, signature_alg(alg->string()));
  if (!fits(named, kind)) return fail("crypto.key_use", "The JWK's \"alg\" does not fit its key.");
  return {};
}

Result<void> check_use(const Json& jwk, std::string_view operation) {
  TRY(const JwkUse use, jwk_use(jwk, operation));
  if (use == JwkUse::other)
    return fail("crypto.key_use", "The JWK is not for signatures: see its \"use\", \"key_ops\" and \"alg\".");
  return {};
}

std::string coordinate(const EVP_PKEY* key, const char* parameter, size_t length) {
  BIGNUM* number = nullptr;
  ENTENTE_CHECK(EVP_PKEY_get_bn_param(key, parameter, &number) == 1);
  const BigNumber owner(number);
  Bytes out(length == 0 ? static_cast<size_t>(BN_num_bytes(number)) : length);
  ENTENTE_CHECK(BN_bn2binpad(number, out.data(), static_cast<int>(out.size())) >= 0);
  return base64url(out);
}

Failure file_fail(const std::string& path, std::string_view action) {
  return fail("crypto.key_file",
              "The key file could not be " + std::string(action) + ": " + std::strerror(errno) + ".", path);
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

// The key of `path` in `file`, which was not there before; mode 0600.
Result<void> make_key_file(const std::string& file, const std::string& path, const PrivateKey& key) {
  if (EVP_PKEY_get0_provider(key.native()) == nullptr)
    return fail("crypto.key_use", "A key that stays in its token can't be written to a file.", path);
  const Secret pem = key.pem();
  const File made(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (made.fd() < 0 && errno == EEXIST)
    return fail("crypto.key_file", "There is a file already, and a key that is written over is lost.", path,
                "Name another file, or move this one away first.");
  if (made.fd() < 0) return file_fail(path, "written");
  if (write_all(made.fd(), pem.bytes()) && ::fsync(made.fd()) == 0) return {};
  Failure failure = file_fail(path, "written");
  ::unlink(file.c_str());
  return failure;
}

Result<void> sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const File directory(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd() < 0 || ::fsync(directory.fd()) != 0) return file_fail(path, "made durable");
  return {};
}

}  // namespace

Result<JwkUse> jwk_use(const Json& jwk, std::string_view operation) {
  for (const std::string_view member : {"kty", "use", "alg", "kid", "crv"}) {
    const Json* value = jwk.find(member);
    if (value != nullptr && !value->is_string())
      return jwk_fail("The JWK's \"" + std::string(member) + "\" is not text.");
  }
  if (jwk.text_or("use", "sig") != "sig") return JwkUse::other;
  if (const Json* alg = jwk.find("alg"); alg != nullptr && !signature_alg(alg->string()))
    return JwkUse::other;
  const Json* operations = jwk.find("key_ops");
  if (operations == nullptr) return JwkUse::allowed;
  if (!operations->is_array()) return jwk_fail("The JWK's \"key_ops\" is not a list.");
  bool allowed = false;
  for (const Json& each : operations->items()) {
    if (!each.is_string()) return jwk_fail("The JWK's \"key_ops\" holds something that is not text.");
    allowed = allowed || each.string() == operation;
  }
  return allowed ? JwkUse::allowed : JwkUse::other;
}

Result<PublicKey> PublicKey::from_spki(ByteView der) {
  if (const auto plain = read_plain_spki(der)) return adopt_plain(*plain);
  return decoded_spki(der);
}

Result<PublicKey> decoded_spki(ByteView der) {
  const uint8_t* at = der.data();
  PKey key(der.size() > kKeyTextBytesMax ? nullptr : d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (!key || at != der.data() + der.size())
    return openssl_fail("crypto.key", "The bytes are not one public key (DER SubjectPublicKeyInfo).");
  TRY(auto inside, adopt(std::move(key)));
  return PublicKey(std::move(inside));
}

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  if (pem.size() > kKeyTextBytesMax)
    return openssl_fail("crypto.key", "The text is too long for a public key.");
  if (const auto der = read_plain_pem(pem)) return from_spki(*der);
  return decoded_pem(pem);
}

Result<PublicKey> decoded_pem(std::string_view pem) {
  const Bio bio = read_bio(pem);
  PKey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key)
    return openssl_fail("crypto.key", "The text is not a public key in PEM.",
                        "It begins with -----BEGIN PUBLIC KEY-----.");
  TRY(auto inside, adopt(std::move(key)));
  return PublicKey(std::move(inside));
}

Result<PublicKey> PublicKey::from_jwk(const Json& jwk) {
  if (!jwk.is_object()) return jwk_fail("A JWK is a JSON object.");
  for (const std::string_view member : kPrivateMembers)
    if (jwk.find(member) != nullptr)
      return jwk_fail("The JWK holds secret members.", "Give the public key only.");
  TRY_VOID(check_use(jwk, "verify"));
  TRY(PublicKey key, public_from_jwk(jwk));
  TRY_VOID(check_alg(jwk, key.kind()));
  return key;
}

Bytes PublicKey::spki() const {
  if (!inside_->point.empty()) return write_spki(kind(), inside_->point);
  uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(native(), &der);
  ENTENTE_CHECK(size > 0);
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

std::string PublicKey::pem() const {
  if (!inside_->point.empty()) return write_public_pem(spki());
  const Bio bio(BIO_new(BIO_s_mem()));
  ENTENTE_CHECK(bio && PEM_write_bio_PUBKEY(bio.get(), native()) == 1);
  return std::string(bio_text(bio.get()));
}

Json PublicKey::jwk() const {
  if (kind() == KeyKind::rsa)
    return Json::object({{"e", coordinate(native(), OSSL_PKEY_PARAM_RSA_E, 0)},
                         {"kty", "RSA"},
                         {"n", coordinate(native(), OSSL_PKEY_PARAM_RSA_N, 0)}});
  if (kind() == KeyKind::ed25519) {
    std::array<uint8_t, 32> x{};
    size_t length = x.size();
    ENTENTE_CHECK(EVP_PKEY_get_raw_public_key(native(), x.data(), &length) == 1);
    return Json::object({{"crv", "Ed25519"}, {"kty", "OKP"}, {"x", base64url(x)}});
  }
  const Curve& curve = curve_of(kind());
  if (!inside_->point.empty()) {
    const ByteView both = ByteView(inside_->point).subspan(1);
    return Json::object({{"crv", curve.crv},
                         {"kty", "EC"},
                         {"x", base64url(both.first(curve.length))},
                         {"y", base64url(both.last(curve.length))}});
  }
  return Json::object({{"crv", curve.crv},
                       {"kty", "EC"},
                       {"x", coordinate(native(), OSSL_PKEY_PARAM_EC_PUB_X, curve.length)},
                       {"y", coordinate(native(), OSSL_PKEY_PARAM_EC_PUB_Y, curve.length)}});
}

std::string PublicKey::thumbprint() const {
  std::call_once(inside_->named, [&] { inside_->thumbprint = base64url(sha256(jwk().dump())); });
  return inside_->thumbprint;
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  if (pem.size() > kKeyTextBytesMax)
    return openssl_fail("crypto.key", "The text is too long for a private key.");
  const Bio bio = read_bio(pem);
  PKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key)
    return openssl_fail("crypto.key", "The text is not a private key in PEM without a passphrase.",
                        "It begins with -----BEGIN PRIVATE KEY-----.");
  return adopt_private(std::move(key));
}

Result<PrivateKey> PrivateKey::from_jwk(const Json& jwk) {
  if (!jwk.is_object()) return jwk_fail("A JWK is a JSON object.");
  TRY_VOID(check_use(jwk, "sign"));
  TRY(PKey key, private_from_jwk(jwk));
  TRY(PrivateKey out, adopt_private(std::move(key)));
  TRY_VOID(check_alg(jwk, out.kind()));
  return out;
}

Secret PrivateKey::pem() const {
  const Bio bio(BIO_new(BIO_s_secmem()));
  ENTENTE_CHECK(
      bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), native(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return Secret(as_bytes(bio_text(bio.get())));
}

Result<void> save_private_key(const std::string& path, const PrivateKey& key) {
  const std::string fresh = path + ".new-" + random_token(9);
  TRY_VOID(make_key_file(fresh, path, key));
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    Failure failure = file_fail(path, "put in its place");
    ::unlink(fresh.c_str());
    return failure;
  }
  return sync_folder_of(path);
}

Result<void> create_private_key(const std::string& path, const PrivateKey& key) {
  TRY_VOID(make_key_file(path, path, key));
  Result<void> synced = sync_folder_of(path);
  if (!synced) ::unlink(path.c_str());
  return synced;
}

Result<PrivateKey> load_private_key(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat about{};
  if (file.fd() < 0 || ::fstat(file.fd(), &about) != 0) return file_fail(path, "read");
  if (!S_ISREG(about.st_mode)) return fail("crypto.key_file", "The key is not in a plain file.", path);
  if ((about.st_mode & 077) != 0)
    return fail("crypto.key_file", "Others may read the key file.", path, "Run: chmod 600 " + path);
  if (about.st_size > static_cast<off_t>(kKeyTextBytesMax))
    return fail("crypto.key_file", "The key file is too long.", path);
  Bytes text(static_cast<size_t>(about.st_size));
  size_t have = 0;
  while (have < text.size()) {
    const ssize_t n = ::read(file.fd(), text.data() + have, text.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<size_t>(n);
  }
  const Secret pem(std::move(text));
  auto key = PrivateKey::from_pem(as_text(pem.bytes().first(have)));
  if (!key) key.error().where() = path;
  return key;
}

}  // namespace entente::crypto
