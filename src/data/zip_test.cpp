#include "data/zip.h"

#include <array>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace entente;
using namespace entente::data;

namespace {

void put(Bytes& out, uint64_t value, size_t length) {
  for (size_t i = 0; i < length; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}
void put(Bytes& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
}

// What one header says; a test changes one thing of a good ZIP.
struct Part {
  std::string name;
  std::string data;
  uint32_t crc = 0;
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t size = 0;
  uint32_t packed = 0;
  Bytes extra = {};
  std::string comment = {};
  Bytes descriptor = {};
};

Part part(std::string name, std::string data, uint32_t crc) {
  const auto size = static_cast<uint32_t>(data.size());
  return {.name = std::move(name), .data = std::move(data), .crc = crc, .size = size, .packed = size};
}

// The two checksums are those of these texts, as zlib computes them.
Part payload() {
  return part("0.payload", "payload", 0x422c6a15);
}
Part manifest() {
  return part("0.manifest.json", "{}", 0xa3a6bf43);
}

struct Zip {
  std::array<Part, 2> local{payload(), manifest()};
  std::array<Part, 2> central{payload(), manifest()};
  std::array<int64_t, 2> shift{0, 0};  // where the directory says an entry is, from where it is
  int64_t directory_shift = 0;
  int64_t directory_size_shift = 0;
  uint16_t count = 2;
  std::string comment = {};
  std::string before = {};         // the first entry
  std::string after_entries = {};  // before the directory
  std::string after_directory = {};
  bool zip64 = false;

  [[nodiscard]] Bytes bytes() const {
    Bytes out;
    put(out, before);
    std::array<uint64_t, 2> at{};
    for (size_t i = 0; i < 2; ++i) {
      const Part& p = local[i];
      at[i] = out.size();
      put(out, 0x04034b50, 4), put(out, 20, 2), put(out, p.flags, 2), put(out, p.method, 2), put(out, 0, 4);
      put(out, p.crc, 4), put(out, p.packed, 4), put(out, p.size, 4), put(out, p.name.size(), 2);
      put(out, p.extra.size(), 2), put(out, p.name), put(out, as_text(p.extra)), put(out, p.data);
      put(out, as_text(p.descriptor));
    }
    put(out, after_entries);
    const uint64_t directory = out.size();
    for (size_t i = 0; i < 2; ++i) {
      const Part& p = central[i];
      put(out, 0x02014b50, 4), put(out, 20, 2), put(out, 20, 2), put(out, p.flags, 2), put(out, p.method, 2);
      put(out, 0, 4), put(out, p.crc, 4), put(out, p.packed, 4), put(out, p.size, 4),
          put(out, p.name.size(), 2);
      put(out, p.extra.size(), 2), put(out, p.comment.size(), 2), put(out, 0, 2), put(out, 0, 6);
      put(out, at[i] + static_cast<uint64_t>(shift[i]), 4), put(out, p.name), put(out, as_text(p.extra));
      put(out, p.comment);
    }
    const uint64_t size = out.size() - directory + static_cast<uint64_t>(directory_size_shift);
    const uint64_t place = directory + static_cast<uint64_t>(directory_shift);
    put(out, after_directory);
    if (zip64) {
      const uint64_t record = out.size();
      put(out, 0x06064b50, 4), put(out, 44, 8), put(out, 45, 2), put(out, 45, 2), put(out, 0, 8);
      put(out, count, 8), put(out, count, 8), put(out, size, 8), put(out, place, 8);
      put(out, 0x07064b50, 4), put(out, 0, 4), put(out, record, 8), put(out, 1, 4);
    }
    put(out, 0x06054b50, 4), put(out, 0, 4), put(out, zip64 ? 0xffff : count, 2),
        put(out, zip64 ? 0xffff : count, 2);
    put(out, zip64 ? 0xffffffff : size, 4), put(out, zip64 ? 0xffffffff : place, 4);
    put(out, comment.size(), 2), put(out, comment);
    return out;
  }
};

std::string read_both(const Bytes& bytes) {
  const MemorySource source(bytes);
  const auto zip = read_zip(source);
  if (!zip) return zip.error().code();
  const auto text = read_manifest_text(source, *zip, 1000);
  if (!text) return text.error().code();
  Bytes data(static_cast<size_t>(zip->payload.size));
  REQUIRE(source.read(zip->payload.data_at, data));
  return std::string(as_text(data)) + *text;
}

Bytes extra64(std::initializer_list<uint64_t> values) {
  Bytes out;
  put(out, 1, 2), put(out, 8 * values.size(), 2);
  for (const uint64_t value : values) put(out, value, 8);
  return out;
}

Bytes descriptor(uint32_t crc, uint64_t size, bool marked, bool wide) {
  Bytes out;
  if (marked) put(out, 0x08074b50, 4);
  put(out, crc, 4), put(out, size, wide ? 8 : 4), put(out, size, wide ? 8 : 4);
  return out;
}

}  // namespace

TEST_CASE(
    "ZIPs as different writers make them are read: order, descriptors, ZIP64, flags and fields of their "
    "own") {
  const std::string good = "payload{}";
  CHECK(read_both(Zip{}.bytes()) == good);
  CHECK(read_both(Zip{.local = {manifest(), payload()}, .central = {manifest(), payload()}}.bytes()) == good);
  CHECK(read_both(Zip{.zip64 = true}.bytes()) == good);
  CHECK(read_both(Zip{.before = "bytes", .after_entries = "left over"}.bytes()) == good);

  Zip flags;  // UTF-8 said in one place only
  flags.central[0].flags = 0x800;
  CHECK(read_both(flags.bytes()) == good);

  Zip foreign;  // an extended timestamp
  foreign.local[0].extra = {0x55, 0x54, 5, 0, 3, 1, 2, 3, 4};
  foreign.central[1].extra = {0x55, 0x54, 1, 0, 3};
  CHECK(read_both(foreign.bytes()) == good);

  for (const bool marked : {true, false}) {
    for (const bool wide : {true, false}) {
      for (const uint32_t open : {0U, 0xffffffffU}) {
        Zip streamed;
        Part& p = streamed.local[0];
        p.flags = 0x808;
        p.crc = 0;
        p.size = p.packed = open;
        if (wide && open != 0) p.extra = extra64({0, 0});
        p.descriptor = descriptor(payload().crc, 7, marked, wide);
        CHECK(read_both(streamed.bytes()) == good);
      }
    }
  }
  Zip wide;
  wide.central[0].size = wide.central[0].packed = 0xffffffff;
  wide.central[0].extra = extra64({7, 7});
  wide.local[0].size = wide.local[0].packed = 0xffffffff;
  wide.local[0].extra = extra64({7, 7});
  CHECK(read_both(wide.bytes()) == good);
  wide.central[0].extra = extra64({7, 7, 0});  // all three, as some write
  CHECK(read_both(wide.bytes()) == good);
}

TEST_CASE("a ZIP that says two things, or hides something, is refused") {
  struct Case {
    const char* name;
    std::function<void(Zip&)> change;
  };
  const std::array<Case, 41> cases{{
      {"another name", [](Zip& z) { z.local[0].name = z.central[0].name = "1.payload"; }},
      {"a name in one place", [](Zip& z) { z.local[0].name = "0.paylord"; }},
      {"a path", [](Zip& z) { z.local[0].name = z.central[0].name = "../0.payload"; }},
      {"one name twice", [](Zip& z) { z.local[1].name = z.central[1].name = "0.payload"; }},
      {"the manifest twice", [](Zip& z) { z.local[0] = z.central[0] = manifest(); }},
      {"compressed", [](Zip& z) { z.local[0].method = z.central[0].method = 8; }},
      {"compressed, says its place alone", [](Zip& z) { z.local[1].method = 8; }},
      {"encrypted", [](Zip& z) { z.central[0].flags = 1; }},
      {"encrypted, says its place alone", [](Zip& z) { z.local[0].flags = 1; }},
      {"masked headers", [](Zip& z) { z.central[0].flags = 1 << 13; }},
      {"a flag of nothing", [](Zip& z) { z.local[1].flags = 1 << 7; }},
      {"a flag of nothing, in the directory", [](Zip& z) { z.central[1].flags = 1 << 15; }},
      {"two sizes", [](Zip& z) { z.central[0].size = 6; }},
      {"smaller in the directory", [](Zip& z) { z.central[0].size = z.central[0].packed = 6; }},
      {"larger in the directory", [](Zip& z) { z.central[1].size = z.central[1].packed = 3; }},
      {"larger everywhere",
       [](Zip& z) {
         for (Part* p : {&z.local[0], &z.central[0]}) p->size = p->packed = 8;
       }},
      {"into the directory",
       [](Zip& z) {
         for (Part* p : {&z.local[1], &z.central[1]}) p->size = p->packed = 30;
       }},
      {"as large as numbers go",
       [](Zip& z) {
         for (Part* p : {&z.local[1], &z.central[1]}) p->size = p->packed = 0xfffffffe;
       }},
      {"full numbers without ZIP64",
       [](Zip& z) {
         for (Part* p : {&z.local[1], &z.central[1]}) p->size = p->packed = 0xffffffff;
       }},
      {"huge by ZIP64",
       [](Zip& z) {
         for (Part* p : {&z.local[1], &z.central[1]}) {
           p->size = p->packed = 0xffffffff;
           p->extra = extra64({UINT64_MAX - 40, UINT64_MAX - 40});
         }
       }},
      {"ZIP64 says another size", [](Zip& z) { z.central[0].extra = extra64({8, 8, 0}); }},
      {"two ZIP64 fields",
       [](Zip& z) {
         z.central[0].extra = extra64({7, 7, 0});
         const Bytes again = z.central[0].extra;
         z.central[0].extra.insert(z.central[0].extra.end(), again.begin(), again.end());
       }},
      {"a field longer than its header", [](Zip& z) { z.central[0].extra = {0x55, 0x54, 9, 0, 1}; }},
      {"half a field", [](Zip& z) { z.local[0].extra = {0x55, 0x54, 9}; }},
      {"another checksum at its place", [](Zip& z) { z.local[0].crc ^= 1; }},
      {"the manifest's checksum", [](Zip& z) { z.local[1].crc = z.central[1].crc = 1; }},
      {"an entry's comment", [](Zip& z) { z.central[0].comment = "hello"; }},
      {"a comment at the end", [](Zip& z) { z.comment = "hello"; }},
      {"no descriptor", [](Zip& z) { z.local[0].flags = 8; }},
      {"a descriptor of another size",
       [](Zip& z) {
         z.local[0].flags = 8;
         z.local[0].descriptor = descriptor(payload().crc, 8, true, false);
       }},
      {"both at one place", [](Zip& z) { z.shift[1] = -(30 + 9 + 7); }},
      {"at a place that is none", [](Zip& z) { z.shift[0] = 1; }},
      {"behind the end", [](Zip& z) { z.shift[0] = 100000; }},
      {"three entries", [](Zip& z) { z.count = 3; }},
      {"one entry", [](Zip& z) { z.count = 1; }},
      {"a directory elsewhere", [](Zip& z) { z.directory_shift = -1; }},
      {"a shorter directory", [](Zip& z) { z.directory_size_shift = -46; }},
      {"something behind the directory", [](Zip& z) { z.after_directory = "hidden"; }},
      {"an entry that is not counted",
       [](Zip& z) {
         z.after_directory = "hidden";
         z.directory_size_shift = 6;
       }},
      {"ZIP64 and three entries",
       [](Zip& z) {
         z.zip64 = true;
         z.count = 3;
       }},
      {"ZIP64 and a directory elsewhere",
       [](Zip& z) {
         z.zip64 = true;
         z.directory_shift = 1;
       }},
  }};
  for (const Case& one : cases) {
    INFO(one.name);
    Zip zip;
    one.change(zip);
    CHECK(read_both(zip.bytes()) == "data.zip");
  }
  CHECK(read_both(Bytes()) == "data.zip");
  CHECK(read_both(Bytes(100000, 'P')) == "data.zip");
}

TEST_CASE("entries that share bytes are refused") {
  // The manifest's header lies inside the payload's data: both headers agree with the directory.
  Zip inner;
  Bytes hidden;
  put(hidden, 0x04034b50, 4), put(hidden, 20, 2), put(hidden, 0, 8), put(hidden, manifest().crc, 4);
  put(hidden, 2, 4), put(hidden, 2, 4), put(hidden, 15, 2), put(hidden, 0, 2),
      put(hidden, "0.manifest.json{}");
  for (Part* p : {&inner.local[0], &inner.central[0]}) {
    p->data = std::string(as_text(hidden));
    p->size = p->packed = static_cast<uint32_t>(hidden.size());
  }
  CHECK(read_both(inner.bytes()) == std::string(as_text(hidden)) + "{}");
  inner.shift[1] = -static_cast<int64_t>(hidden.size());
  CHECK(read_both(inner.bytes()) == "data.zip");
}

TEST_CASE("a manifest longer than is allowed is not read") {
  const Bytes bytes = Zip{}.bytes();
  const MemorySource source(bytes);
  const ObjectZip zip = read_zip(source).value();
  CHECK(read_manifest_text(source, zip, 2));
  CHECK(read_manifest_text(source, zip, 1).error().code() == "data.zip");
}

TEST_CASE("what we write reads as two entries, small and announced as large") {
  for (const bool large : {false, true}) {
    MemorySink sink;
    ZipWriter writer(sink);
    REQUIRE(writer.begin_payload(large));
    REQUIRE(writer.payload(as_bytes("pay")));
    REQUIRE(writer.payload(as_bytes("load")));
    REQUIRE(writer.end_payload());
    REQUIRE(writer.finish([](Sink& out) { return out.write(as_bytes("{}")); }));
    CHECK(read_both(sink.bytes) == "payload{}");
  }
}
