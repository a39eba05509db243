// What a sealed object says of itself (docs/wire-formats/object.md): read with bounds, its shape checked, nothing of it
// believed yet. Errors: TdfError "data.zip", "data.manifest", "data.too-large", "data.segment".
import { asText, fromBase64, fromHex, fromUtf8, utf8 } from './tdf_bytes.js';
import { isWhole, parseJson, textOf as writtenAs } from './tdf_json.js';
import { TdfError, crc32, readAt, readZip } from './tdf_zip.js';

export const kShownBytesMax = 32 * 1024 * 1024; // of plain text
const kManifestBytesMax = 4 * 1024 * 1024;
const kValuesMax = 128 * 1024;
const kSegmentsMax = 16384;
const kSegmentBytesMax = 16 * 1024 * 1024;
const kSegmentTextMax = 512; // of what the manifest says of one
const kAccessMax = 64; // key access objects, and assertions
const kPolicyTextMax = 256 * 1024;
const kTextMax = 2048;
const kNameMax = 256;
const kWrappedTextMax = 8192;
const kMetadataTextMax = 128 * 1024;
export const kFrameBytes = 28; // nonce and tag of a segment
export const kTagBytes = 16;

const fail = (code, message) => {
  throw new TdfError(code, message);
};
const wrong = (message, where = '') => fail('data.manifest', where ? `${message} (${where})` : message);

// What members an object has, by kind. A member may be missing only where `missing` says what stands for it.
export const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
export const isText = (value, max) =>
  typeof value === 'string' && value !== '' && value.length <= max && utf8(value).length <= max;
function textOf(json, name, where, { max = kTextMax, missing } = {}) {
  const value = json[name];
  if (value === undefined && missing !== undefined) return missing;
  if (!isText(value, max)) wrong(`"${name}" is no text of 1 to ${max} bytes`, where);
  return value;
}
// Others write missing, null and "" for "none".
const looseText = (json, name, where, max, missing = '') =>
  json[name] === null || json[name] === '' ? missing : textOf(json, name, where, { max, missing });
function sizeOf(json, name, where, max, missing) {
  if ((json[name] ?? null) === null && missing !== undefined) return missing;
  if (!isWhole(json, name) || json[name] < 0 || json[name] > max)
    wrong(`"${name}" is no whole number up to ${max}`, where);
  return json[name];
}
function objectOf(json, name, where) {
  if (!isObject(json[name])) wrong(`"${name}" is no object`, where);
  return json[name];
}

// An address without the paths that software writes behind it, its scheme and host as they are written in small
// letters (RFC 3986 6.2.2.1): A to Z alone, since others become letters of other names.
export function serviceOf(url) {
  let out = url;
  for (let before; before !== out;) {
    before = out;
    out = out.replace(/(?:\/v2\/rewrap|\/kas|\/)$/, '');
  }
  const small = (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return out.replace(
    /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*@)?([^/?#]*)/i,
    (_, scheme, user = '', host = '') => small(scheme) + user + small(host),
  );
}

function readBinding(json, where) {
  const bare = typeof json.policyBinding === 'string';
  const inside = bare ? { hash: json.policyBinding } : objectOf(json, 'policyBinding', where);
  const alg = bare ? '' : looseText(inside, 'alg', where);
  let hash = fromBase64(textOf(inside, 'hash', where, { max: 256 }));
  if (hash?.length === 64) hash = fromHex(asText(hash));
  if (hash?.length !== 32 || (alg !== '' && alg !== 'HS256'))
    wrong('the policy binding is none that we know', where);
  return hash;
}

const kAccessMembers = {
  type: kTextMax,
  url: kTextMax,
  protocol: kNameMax,
  kid: kNameMax,
  sid: kNameMax,
  wrappedKey: kWrappedTextMax,
  encryptedMetadata: kMetadataTextMax,
  ephemeralPublicKey: 4096,
  schemaVersion: kNameMax,
};

function readAccess(json, where) {
  if (!isObject(json)) wrong('a key access object is no object', where);
  const sent = {}; // as the key service gets it
  for (const [name, max] of Object.entries(kAccessMembers)) {
    const value = looseText(json, name, where, max);
    if (value !== '') sent[name] = value;
  }
  if (sent.type !== 'wrapped' && sent.type !== 'ec-wrapped')
    wrong("the key's wrapping is none that we know", where);
  if (!/^[!-~]+$/.test(sent.url ?? '')) wrong('the address of the key service is none', where);
  if (looseText(json, 'protocol', where, kNameMax, 'kas') !== 'kas') wrong('the protocol is none that we know', where);
  if (!fromBase64(sent.wrappedKey ?? '')?.length) wrong('the wrapped key is not base64', where);
  if ((sent.type === 'ec-wrapped') !== (sent.ephemeralPublicKey !== undefined))
    wrong('an ephemeral public key belongs to ec-wrapped keys, and only to them', where);
  const binding = readBinding(json, where);
  const { alg, hash } = json.policyBinding;
  sent.policyBinding =
    typeof json.policyBinding === 'string' ? json.policyBinding : { alg: alg ?? undefined, hash };
  return { sent, service: serviceOf(sent.url), sid: sent.sid ?? '', binding };
}

// A key that is wrapped in a way that we do not know is passed over beside one of the same share that we do.
function readAccesses(all, where) {
  const isForeign = (one) => isText(one?.type, Infinity) && one.type !== 'wrapped' && one.type !== 'ec-wrapped';
  const out = [];
  for (const [index, one] of all.entries()) if (!isForeign(one)) out.push(readAccess(one, `${where}/${index}`));
  for (const one of all.filter(isForeign)) {
    const sid = typeof one.sid === 'string' ? one.sid : '';
    if (!out.some((known) => known.sid === sid)) wrong("the key's wrapping is none that we know", where);
  }
  return out;
}

function readRootSignature(integrity, where) {
  const signature = objectOf(integrity, 'rootSignature', where);
  let bytes = fromBase64(textOf(signature, 'sig', where));
  if (bytes?.length === 64) bytes = fromHex(asText(bytes));
  if (textOf(signature, 'alg', where) !== 'HS256' || bytes?.length !== 32)
    wrong('the root signature is none that we know', where);
  return bytes;
}

const holdsMore = (value) => value !== null && typeof value === 'object' && Object.keys(value).length > 0;

// One hash is 16 bytes (4.3.0), or 32 hexadecimal digits of them (4.2.2); all of one object are alike.
function readSegments(integrity, where) {
  const plainDefault = sizeOf(integrity, 'segmentSizeDefault', where, Number.MAX_SAFE_INTEGER);
  const sealedDefault = sizeOf(integrity, 'encryptedSegmentSizeDefault', where, Number.MAX_SAFE_INTEGER);
  if (looseText(integrity, 'segmentHashAlg', where, kTextMax, 'GMAC') !== 'GMAC')
    wrong("the segments' hash is not GMAC, the one we know", where);
  const list = integrity.segments;
  if (!Array.isArray(list) || list.length > kSegmentsMax)
    wrong('the segments are no list, or too many', where);
  const out = { list: [], form: undefined, plain: 0, sealed: 0 };
  for (const [index, one] of list.entries()) {
    const place = `${where}/segments/${index}`;
    if (!isObject(one)) wrong('a segment is no object', place);
    if (utf8(writtenAs(one)).length > kSegmentTextMax || Object.values(one).some(holdsMore))
      wrong('so much is not said of a segment', place);
    const plain = sizeOf(one, 'segmentSize', place, kSegmentBytesMax, plainDefault);
    const sealed = sizeOf(one, 'encryptedSegmentSize', place, 2 * kSegmentBytesMax, sealedDefault);
    if (plain > kSegmentBytesMax) wrong('a segment is longer than we read', place);
    if (sealed !== plain + kFrameBytes) wrong("a segment's two sizes do not belong together", place);
    let tag = fromBase64(textOf(one, 'hash', place, { max: 64 }));
    const form = tag?.length === kTagBytes ? 'raw' : 'hex';
    if (form === 'hex' && tag) tag = fromHex(asText(tag));
    if (tag?.length !== kTagBytes) wrong("a segment's hash has another length", place);
    if ((out.form ?? form) !== form) wrong("the segments' hashes are of two forms", place);
    out.form = form;
    out.list.push({ tag, plain, sealed, at: out.sealed });
    out.plain += plain;
    out.sealed += sealed;
  }
  if (out.plain > kShownBytesMax)
    fail('data.too-large', `It is larger than the ${kShownBytesMax / 1024 / 1024} MiB that are shown here.`);
  return out;
}

function readManifest(text) {
  let root;
  try {
    root = parseJson(text, kValuesMax);
  } catch (error) {
    wrong(`The manifest is not JSON: ${error.message}`);
  }
  if (!isObject(root)) wrong('The manifest is no object.');
  const older = looseText(root, 'tdf_spec_version', '', kNameMax);
  const version = looseText(root, 'schemaVersion', '', kNameMax, older);
  if (version !== '' && !version.startsWith('4.'))
    wrong('its version is not one that we read', '/schemaVersion');
  const payload = objectOf(root, 'payload', '');
  if (
    payload.type !== 'reference' ||
    payload.url !== '0.payload' ||
    (payload.protocol !== 'zip' && payload.protocol !== 'zipstream') ||
    payload.isEncrypted !== true
  )
    wrong('the manifest describes another payload than 0.payload, encrypted, in a ZIP', '/payload');
  const mimeType = looseText(payload, 'mimeType', '/payload', kNameMax, 'application/octet-stream');
  const where = '/encryptionInformation';
  const encryption = objectOf(root, 'encryptionInformation', '');
  if (encryption.type !== 'split' || objectOf(encryption, 'method', where).algorithm !== 'AES-256-GCM')
    wrong('it is encrypted in a way that we do not know', where);
  const policyText = textOf(encryption, 'policy', where, { max: kPolicyTextMax });
  const accesses = encryption.keyAccess;
  if (!Array.isArray(accesses) || accesses.length === 0 || accesses.length > kAccessMax)
    wrong('there are no key access objects, or too many', where);
  const assertions = root.assertions ?? [];
  if (!Array.isArray(assertions) || assertions.length > kAccessMax || !assertions.every(isObject))
    wrong('the assertions are no list of at most 64', '/assertions');
  const integrity = objectOf(encryption, 'integrityInformation', where);
  const segments = readSegments(integrity, `${where}/integrityInformation`);
  return {
    mimeType,
    policyText,
    access: readAccesses(accesses, `${where}/keyAccess`),
    rootSignature: readRootSignature(integrity, `${where}/integrityInformation`),
    form: segments.form ?? (version === '' ? 'hex' : 'raw'),
    segments,
    assertions,
  };
}

// An object as it lies there: its shape is checked, and nothing in it is to be believed yet. Throws TdfError.
export async function readObject(file) {
  const zip = await readZip(file);
  const { dataAt, size, crc } = zip.manifest;
  if (size > kManifestBytesMax) fail('data.zip', 'The manifest is too long to be shown here.');
  const bytes = await readAt(file, dataAt, size);
  if (crc32(bytes) !== crc) fail('data.zip', "The manifest's checksum does not fit.");
  let text;
  try {
    text = fromUtf8(bytes);
  } catch {
    wrong('The manifest is not UTF-8.');
  }
  const manifest = readManifest(text);
  if (manifest.segments.sealed !== zip.payload.size)
    fail('data.segment', 'The payload is not as long as its segments.');
  return { file, payloadAt: zip.payload.dataAt, manifest };
}
