// The ZIP around a sealed object: exactly two entries, stored, in either order. The rules are those of
// src/data/zip.h: the directory at the end is believed only where everything else agrees with it. Nothing is read
// but the two headers, the directory and what a caller asks for. Offsets are safe integers.
const kLocal = 0x04034b50;
const kCentral = 0x02014b50;
const kEnd = 0x06054b50;
const kEnd64 = 0x06064b50;
const kLocator = 0x07064b50;
const kDescriptor = 0x08074b50;
const [kLocalBytes, kCentralBytes, kEndBytes, kEnd64Bytes, kLocatorBytes] = [30, 46, 22, 56, 20];
const kExtraMax = 1024; // of one header; writers use up to 60
const kDirectoryMax = 2 * (kCentralBytes + 32 + kExtraMax);
const kDescriptorMax = 24;
const kFull16 = 0xffff;
const kFull32 = 0xffffffff;
const kFlagDescriptor = 1 << 3;
const kFlagsRefused = (1 << 0) | (1 << 5) | (1 << 6) | (1 << 13); // encryption, patches, masked headers

export const kPayloadName = '0.payload';
export const kManifestName = '0.manifest.json';

export class TdfError extends Error {
  // `code` as the command line's: docs/errors.md.
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}
const wrong = (what, at) => {
  throw new TdfError('data.zip', `${what} (byte ${at})`);
};

export async function readAt(file, at, length) {
  if (at > file.size || length > file.size - at) wrong('The file ends too early.', at);
  const bytes = new Uint8Array(await file.slice(at, at + length).arrayBuffer());
  if (bytes.length !== length) wrong('The file changed while it was read.', at);
  return bytes;
}

// Little-endian fields one after another.
class Fields {
  constructor(bytes, where) {
    Object.assign(this, { bytes, where, at: 0 });
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  get left() {
    return this.bytes.length - this.at;
  }
  step(length) {
    if (this.left < length) wrong('A header is cut short.', this.where);
    this.at += length;
    return this.at - length;
  }
  u16() {
    return this.view.getUint16(this.step(2), true);
  }
  u32() {
    return this.view.getUint32(this.step(4), true);
  }
  u64() {
    const value = this.view.getBigUint64(this.step(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) wrong('A size is beyond any file.', this.where);
    return Number(value);
  }
  take(length) {
    const at = this.step(length);
    return this.bytes.subarray(at, at + length);
  }
  text(length) {
    return String.fromCharCode(...this.take(length));
  }
}

// Where the directory is, by the records that end the file.
async function findDirectory(file) {
  if (file.size < kEndBytes) wrong('The file is too short for a ZIP.', 0);
  const endAt = file.size - kEndBytes;
  const r = new Fields(await readAt(file, endAt, kEndBytes), endAt);
  const signature = r.u32();
  const disks = r.u32(); // two numbers of 16 bits, both 0
  const [here, count, size, at, comment] = [r.u16(), r.u16(), r.u32(), r.u32(), r.u16()];
  if (signature !== kEnd || comment !== 0)
    wrong('The file does not end as a ZIP without a comment does.', endAt);

  const locatorAt = endAt - kLocatorBytes;
  const wideAt = locatorAt - kEnd64Bytes;
  const locator =
    wideAt >= 0 ? new Fields(await readAt(file, locatorAt, kLocatorBytes), locatorAt) : undefined;
  if (locator?.u32() !== kLocator) {
    if (disks !== 0 || here !== 2 || count !== 2) wrong('The directory does not list two entries.', endAt);
    return { at, size, end: endAt };
  }
  const [disk, recordAt, disksInAll] = [locator.u32(), locator.u64(), locator.u32()];
  if (disk !== 0 || disksInAll !== 1 || recordAt !== wideAt)
    wrong('The ZIP64 locator leads elsewhere than to the record before it.', locatorAt);
  const w = new Fields(await readAt(file, wideAt, kEnd64Bytes), wideAt);
  const [wideSignature, length] = [w.u32(), w.u64()];
  w.u32(); // versions
  const [wideDisks, wideHere, wideCount, wideSize, wideDirectory] = [
    w.u64(),
    w.u64(),
    w.u64(),
    w.u64(),
    w.u64(),
  ];
  if (
    wideSignature !== kEnd64 ||
    length !== kEnd64Bytes - 12 ||
    wideDisks !== 0 ||
    wideHere !== 2 ||
    wideCount !== 2
  )
    wrong('The ZIP64 end record does not list two entries.', wideAt);
  const same = (narrow, full, wide) => narrow === full || narrow === wide;
  if (
    (disks !== 0 && disks !== kFull32) ||
    !same(here, kFull16, 2) ||
    !same(count, kFull16, 2) ||
    !same(size, kFull32, wideSize) ||
    !same(at, kFull32, wideDirectory)
  )
    wrong('The two end records contradict each other.', endAt);
  return { at: wideDirectory, size: wideSize, end: wideAt };
}

// A header's numbers with those of its ZIP64 field: only the full ones, or all of them, which then must agree.
// `later`: the real ones follow the data.
function widen(numbers, later, extra, where) {
  const r = new Fields(extra, where);
  let wide;
  while (r.left > 0) {
    const [id, length] = [r.u16(), r.u16()];
    const field = r.take(length);
    if (id !== 1) continue;
    if (wide) wrong('A header has two ZIP64 fields.', where);
    wide = field;
  }
  const full = numbers.filter((one) => one === kFull32).length;
  const complete = wide !== undefined && wide.length >= 8 * numbers.length;
  if (!complete && (full === 0 || (!wide && later))) return numbers;
  if (!wide) wrong("A header's ZIP64 field is missing.", where);
  const w = new Fields(wide, where);
  return numbers.map((one) => {
    if (!complete && one !== kFull32) return one;
    const value = w.u64();
    if (one !== kFull32 && one !== value) wrong('A header and its ZIP64 field contradict each other.', where);
    return value;
  });
}

function checkMethod(method, flags, where) {
  if (method !== 0 || (flags & kFlagsRefused) !== 0)
    wrong('An entry is compressed or encrypted by ZIP.', where);
}

function readCentral(r, where) {
  if (r.u32() !== kCentral) wrong('The directory holds what is no entry.', where);
  r.u32(); // versions
  const [flags, method] = [r.u16(), r.u16()];
  r.u32(); // time
  const [crc, narrowPacked, narrowSize] = [r.u32(), r.u32(), r.u32()];
  const [nameLength, extraLength, comment, disk] = [r.u16(), r.u16(), r.u16(), r.u16()];
  r.u16(); // internal and
  r.u32(); // external attributes: nothing here becomes a file
  const narrowAt = r.u32();
  const name = r.text(nameLength);
  const extra = r.take(extraLength);
  if (comment !== 0 || disk !== 0) wrong('The directory holds what is no entry.', where);
  checkMethod(method, flags, where);
  const [size, packed, headerAt] = widen([narrowSize, narrowPacked, narrowAt], false, extra, where);
  if (size !== packed) wrong('A stored entry has two sizes.', where);
  return { name, flags, crc, size, headerAt };
}

// With or without its signature, with sizes of 32 or 64 bits: how long it is, or 0 when none fits.
function descriptorLength(bytes, entry) {
  for (const marked of [true, false]) {
    for (const wide of [false, true]) {
      const length = (marked ? 4 : 0) + 4 + (wide ? 16 : 8);
      if (bytes.length < length) continue;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      if (marked && view.getUint32(0, true) !== kDescriptor) continue;
      const start = marked ? 4 : 0;
      if (view.getUint32(start, true) !== entry.crc) continue;
      const size = (at) => (wide ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true)));
      const expected = BigInt(entry.size);
      if (size(start + 4) === expected && size(start + (wide ? 12 : 8)) === expected) return length;
    }
  }
  return 0;
}

// The header before the data must say the same as the directory. Answers where data and entry begin and end.
async function checkLocal(file, entry, directoryAt) {
  const where = entry.headerAt;
  const r = new Fields(await readAt(file, where, kLocalBytes), where);
  const signature = r.u32();
  r.u16(); // version
  const [flags, method] = [r.u16(), r.u16()];
  r.u32(); // time
  const [crc, narrowPacked, narrowSize, nameLength, extraLength] = [
    r.u32(),
    r.u32(),
    r.u32(),
    r.u16(),
    r.u16(),
  ];
  if (signature !== kLocal || nameLength !== entry.name.length || extraLength > kExtraMax)
    wrong('The directory leads to what is no entry.', where);
  checkMethod(method, flags, where);
  const rest = new Fields(await readAt(file, where + kLocalBytes, nameLength + extraLength), where);
  if (rest.text(nameLength) !== entry.name)
    wrong('An entry has one name in the directory and another at its place.', where);
  const described = (flags & kFlagDescriptor) !== 0;
  const [size, packed] = widen([narrowSize, narrowPacked], described, rest.take(extraLength), where);
  // Where a descriptor follows, its numbers may be left open here.
  const agrees = (local, central) => local === central || (described && (local === 0 || local === kFull32));
  if (!agrees(size, entry.size) || !agrees(packed, entry.size) || !agrees(crc, entry.crc))
    wrong("An entry's header and the directory contradict each other.", where);
  const dataAt = where + kLocalBytes + nameLength + extraLength;
  if (dataAt > directoryAt || entry.size > directoryAt - dataAt)
    wrong('An entry reaches into the directory.', where);
  let end = dataAt + entry.size;
  if (described) {
    const behind = await readAt(file, end, Math.min(kDescriptorMax, directoryAt - end));
    const length = descriptorLength(behind, entry);
    if (length === 0) wrong("An entry's data descriptor contradicts the directory.", end);
    end += length;
  }
  return { ...entry, dataAt, end };
}

// Of a Blob: { payload, manifest }, each { dataAt, size, crc, ... }. Throws TdfError.
export async function readZip(file) {
  const place = await findDirectory(file);
  if (place.at > place.end || place.size !== place.end - place.at)
    wrong('The directory does not end where its end record begins.', place.end);
  if (place.size > kDirectoryMax) wrong('The directory is too long for two entries.', place.at);
  const r = new Fields(await readAt(file, place.at, place.size), place.at);
  const entries = [readCentral(r, place.at), readCentral(r, place.at)];
  if (r.left !== 0) wrong('The directory holds more than its entries.', place.at);
  if (entries[0].name === kManifestName) entries.reverse();
  if (entries[0].name !== kPayloadName || entries[1].name !== kManifestName)
    wrong('The entries are not 0.payload and 0.manifest.json.', place.at);
  const payload = await checkLocal(file, entries[0], place.at);
  const manifest = await checkLocal(file, entries[1], place.at);
  const apart = payload.end <= manifest.headerAt || manifest.end <= payload.headerAt;
  if (!apart || payload.end > place.at || manifest.end > place.at)
    wrong('The entries overlap.', manifest.headerAt);
  return { payload, manifest };
}

const kCrcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = kCrcTable[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
