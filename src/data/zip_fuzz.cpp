// Any bytes as a ZIP: refused, or two entries that lie apart and inside.
#include "data/object_manifest.h"
#include "data/zip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace entente;
  using namespace entente::data;
  const MemorySource source({data, size});
  const auto zip = read_zip(source);
  if (!zip) return 0;
  for (const ZipEntry* one : {&zip->payload, &zip->manifest})
    ENTENTE_CHECK(one->header_at < one->data_at && one->data_at <= size && one->size <= size - one->data_at &&
                  one->data_at + one->size <= one->end && one->end <= size);
  ENTENTE_CHECK(zip->payload.end <= zip->manifest.header_at || zip->manifest.end <= zip->payload.header_at);
  const auto text = read_manifest_text(source, *zip, kManifestBytesMax);
  if (text) static_cast<void>(read_manifest(*text));
  return 0;
}
