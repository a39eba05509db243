#include "label/binding.h"

#include "label/policies_for_test.h"

#include <array>

#include <doctest/doctest.h>

using namespace entente;
using namespace entente::label;
using crypto::KeyKind;
using crypto::PrivateKey;

namespace {

constexpr std::string_view kReport = "<report><line>fuel for two ships</line></report>";

std::vector<RoledLabel> labels() {
  Label label = label_for_test("SECRET", {{"Releasable To", CategoryType::permissive, {"XAA", "XBB"}}});
  label.created = time_for_test();
  return {{LabelRole::originator, label}, {LabelRole::alternative, label_for_test("SEALED-B", {}, "XBB")}};
}

BoundObject object(std::string_view bytes = "EXERCISE crates: 40") {
  return {"stores/crates.csv", "text/csv", as_bytes(bytes)};
}

const PrivateKey& key_of(KeyKind kind) {
  static const PrivateKey rsa = PrivateKey::generate(KeyKind::rsa, 2048);
  static const PrivateKey p256 = PrivateKey::generate(KeyKind::p256);
  static const PrivateKey p384 = PrivateKey::generate(KeyKind::p384);
  return kind == KeyKind::rsa ? rsa : kind == KeyKind::p256 ? p256 : p384;
}

std::string code_of(const auto& result) {
  return result ? "" : result.error().code();
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  REQUIRE_MESSAGE(at != std::string::npos, from);
  return text.replace(at, from.size(), to);
}

std::string embedded(KeyKind kind = KeyKind::p256) {
  return bind_embedded(kReport, labels(), &key_of(kind)).value();
}
std::string detached(KeyKind kind = KeyKind::p256) {
  return bind_detached(labels(), object(), &key_of(kind)).value();
}
std::string check(const std::string& text, KeyKind kind = KeyKind::p256) {
  return code_of(verify_embedded(text, key_of(kind).public_key()));
}

}  // namespace

TEST_CASE("a binding made by each kind of key is verified by its public half and nothing else") {
  for (const KeyKind kind : {KeyKind::rsa, KeyKind::p256, KeyKind::p384}) {
    const auto inside = verify_embedded(embedded(kind), key_of(kind).public_key());
    REQUIRE_MESSAGE(inside.has_value(), inside.error().text());
    CHECK(inside->labels == labels());
    CHECK(inside->originator().classification == "SECRET");
    const auto beside = verify_detached(detached(kind), object(), key_of(kind).public_key());
    REQUIRE_MESSAGE(beside.has_value(), beside.error().text());
    CHECK(beside->uri == "stores/crates.csv");
    CHECK(beside->media_type == "text/csv");
    CHECK(code_of(verify_embedded(embedded(kind), PrivateKey::generate(kind, 2048).public_key())) ==
          "label.signature");
  }
  CHECK(code_of(bind_embedded(kReport, labels(),
                              std::make_unique<PrivateKey>(PrivateKey::generate(KeyKind::ed25519)).get())) ==
        "label.key");
}

TEST_CASE("a changed label, document, object or reference does not verify") {
  CHECK(check(replaced(embedded(), "SECRET", "RESTRICTED")) == "label.signature");
  CHECK(check(replaced(embedded(), "two ships", "ten ships")) == "label.signature");
  CHECK(check(replaced(embedded(), "<report>", "<report urgent=\"no\">")) == "label.signature");
  CHECK(check(replaced(embedded(), "SEALED-B", "OPEN-B")) == "label.signature");
  CHECK(code_of(verify_detached(detached(), object("EXERCISE crates: 41"),
                                key_of(KeyKind::p256).public_key())) == "label.signature");
  CHECK(code_of(verify_detached(replaced(detached(), "SECRET", "RESTRICTED"), object(),
                                key_of(KeyKind::p256).public_key())) == "label.signature");
  BoundObject other = object();
  other.uri = "stores/fuel.csv";
  CHECK(code_of(verify_detached(detached(), other, key_of(KeyKind::p256).public_key())) == "label.binding");
  CHECK(code_of(verify_detached(replaced(detached(), "DataReference URI=\"stores/crates.csv\"",
                                         "DataReference URI=\"stores/fuel.csv\""),
                                other, key_of(KeyKind::p256).public_key())) == "label.binding");
}

TEST_CASE("white space around it may change nothing that was signed, so it does not verify") {
  CHECK(check(replaced(embedded(), "</report>", " </report>")) == "label.signature");
}

TEST_CASE("a key inside the document is never used") {
  const PrivateKey mallory = PrivateKey::generate(KeyKind::p256);
  std::string forged = bind_embedded(kReport, labels(), &mallory).value();
  const std::string point = base64(mallory.public_key().spki());
  forged = replaced(forged, "</ds:SignatureValue>",
                    "</ds:SignatureValue><ds:KeyInfo><ds:KeyValue><dsig11:DEREncodedKeyValue "
                    "xmlns:dsig11=\"http://www.w3.org/2009/xmldsig11#\">" +
                        point + "</dsig11:DEREncodedKeyValue></ds:KeyValue></ds:KeyInfo>");
  CHECK(code_of(verify_embedded(forged, mallory.public_key())).empty());
  CHECK(check(forged) == "label.signature");
}

TEST_CASE(
    "algorithms, transforms and references other than the pinned ones are refused before anything is "
    "computed") {
  const std::string good = embedded();
  for (const auto& [from, to] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"xmldsig-more#ecdsa-sha256", "xmldsig-more#ecdsa-sha1"},
           {"2001/04/xmldsig-more#ecdsa-sha256", "2000/09/xmldsig#hmac-sha1"},
           {"2001/04/xmldsig-more#sha384", "2000/09/xmldsig#sha1"},
           {"2001/10/xml-exc-c14n#\"/><ds:SignatureMethod",
            "TR/2001/REC-xml-c14n-20010315\"/><ds:SignatureMethod"},
           {"<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>",
            "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"/>"},
           {"<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>", ""},
           {"<ds:Reference URI=\"\">", "<ds:Reference URI=\"#part\">"},
           {"<ds:Reference URI=\"\">", "<ds:Reference URI=\"file:///etc/passwd\">"},
           {"<ds:Reference URI=\"\">", "<ds:Reference URI=\"http://127.0.0.1:9/\">"},
           {"<ds:Reference URI=\"\">", "<ds:Reference>"},
           {"<ds:Reference URI=\"\">", "<ds:Reference URI=\"\" Type=\"x\">"},
           {"</ds:Signature>", "<ds:Object>more</ds:Object></ds:Signature>"},
       }) {
    INFO(from);
    INFO(to);
    CHECK(check(replaced(good, from, to)) == "label.binding");
  }
}

TEST_CASE("a signed document can't be wrapped into another, nor a second binding or signature slipped in") {
  const std::string good = embedded();
  const std::string body = good.substr(good.find("<report>"));
  CHECK(check("<outer>" + body + "</outer>") == "label.binding");
  const size_t open = good.find("<mb:BindingInformation");
  const std::string binding = good.substr(open, good.find("</mb:BindingInformation>") + 24 - open);
  CHECK(check(replaced(good, "<line>", binding + "<line>")) == "label.binding");
  CHECK(check(replaced(good, "<line>", "<keep>" + binding + "</keep><line>")) == "label.binding");
  const size_t begin = good.find("<ds:Signature ");
  const std::string signature = good.substr(begin, good.find("</ds:Signature>") + 15 - begin);
  CHECK(check(replaced(good, "<line>", signature + "<line>")) == "label.signature");
  CHECK(check(replaced(good, signature, "")) == "label.signature");
  // Moved out of the binding: the binding is then unsigned.
  CHECK(check(replaced(replaced(good, signature, ""), "<line>", signature + "<line>")) == "label.signature");
  // An embedded binding is no detached one.
  CHECK(code_of(verify_detached(good, object(), key_of(KeyKind::p256).public_key())) == "label.binding");
  CHECK(check(detached()) == "label.binding");
}

TEST_CASE("without a key a binding says what it says, and nobody takes it for signed") {
  const std::string plain = bind_embedded(kReport, labels(), nullptr).value();
  CHECK(read_unverified(plain)->labels == labels());
  CHECK(check(plain) == "label.signature");
  CHECK(read_unverified(bind_detached(labels(), object(), nullptr).value())->uri == "stores/crates.csv");
}

TEST_CASE("a binding has exactly one originator's label, one reference, and a plain URI") {
  auto two = labels();
  two[1].role = LabelRole::originator;
  CHECK(code_of(bind_embedded(kReport, two, nullptr)) == "label.binding");
  CHECK(code_of(bind_embedded(kReport, {}, nullptr)) == "label.binding");
  CHECK(code_of(bind_embedded(bind_embedded(kReport, labels(), nullptr).value(), labels(), nullptr)) ==
        "label.binding");
  for (const char* uri : {"", "#part", "a b", "x\"y"}) {
    BoundObject odd = object();
    odd.uri = uri;
    CHECK(code_of(bind_detached(labels(), odd, nullptr)) == "label.binding");
  }
  CHECK(code_of(bind_embedded("<!DOCTYPE a><a/>", labels(), nullptr)) == "label.doctype");
}

TEST_CASE("every byte of a signed binding, changed, is refused") {
  const std::string good = bind_detached(labels(), object(), &key_of(KeyKind::p256)).value();
  const auto key = key_of(KeyKind::p256).public_key();
  int accepted = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    const auto read = verify_detached(bad, object(), key);
    // Some bytes say nothing: the XML declaration, and space inside tags that canonical XML writes alike.
    if (read && !(read->labels == labels() && read->uri == object().uri)) FAIL(bad);
    accepted += read ? 1 : 0;
  }
  CHECK(accepted < 25);
}
