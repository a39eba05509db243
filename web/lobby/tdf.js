// Sealed objects (OpenTDF 4.3.0 and 4.2.2) opened in a page: docs/wire-formats/object.md, kas.md. A file is anybody's
// until it is verified: nothing of its text leaves openObject() before the policy's binding, the root signature, every
// assertion and every segment hold. Needs WebCrypto and a Blob, nothing else; the page asks the key services.
import { fromBase64, fromBase64url, fromPem, fromUtf8, joined, toBase64, toHex, utf8 } from './tdf_bytes.js';
import { canonicalJson, parseJson } from './tdf_json.js';
import { isObject, isText, kFrameBytes, kTagBytes } from './tdf_manifest.js';
import { TdfError, readAt } from './tdf_zip.js';

export { kShownBytesMax, readObject, serviceOf } from './tdf_manifest.js';
export { signerOf, signerWords } from './tdf_signer.js';
export { TdfError };

const [kNonceBytes, kShareBytes] = [12, 32];
const kAssertionTextMax = 1024;
const kStatementBytesMax = 128 * 1024;
const kHeaderBytesMax = 64 * 1024;
const kMarkingBytesMax = 1024;

const fail = (code, message) => {
  throw new TdfError(code, message);
};

const hmacKey = (raw, use) =>
  crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, [use]);
const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
const holds = async (raw, mac, bytes) =>
  crypto.subtle.verify('HMAC', await hmacKey(raw, 'verify'), mac, bytes);

const toPem = (der) =>
  `-----BEGIN PUBLIC KEY-----\n${toBase64(der)
    .match(/.{1,64}/g)
    .join('\n')}\n-----END PUBLIC KEY-----\n`;

const kCurve = { name: 'ECDH', namedCurve: 'P-256' };

// A key pair for one request: { publicKey: PEM, open(wrapped, sessionPublicKey) }; the private half never leaves
// WebCrypto.
export async function makeSession() {
  const pair = await crypto.subtle.generateKey(kCurve, false, ['deriveBits']);
  const publicKey = toPem(new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey)));
  return { publicKey, open: (wrapped, theirs) => unwrapShare(pair.privateKey, wrapped, theirs) };
}

// HKDF-SHA256(shared x, salt SHA-256("TDF")) is the key of `nonce, ciphertext, tag`. Every fault says the same.
export async function unwrapShare(privateKey, wrapped, ephemeralPem) {
  const alike = () => fail('data.unwrap', 'The key in the answer does not open.');
  const der = fromPem(ephemeralPem);
  if (!der?.length || wrapped.length <= kFrameBytes) alike();
  try {
    const theirs = await crypto.subtle.importKey('spki', der, kCurve, false, []);
    const shared = await crypto.subtle.deriveBits({ name: 'ECDH', public: theirs }, privateKey, 256);
    const base = await crypto.subtle.importKey('raw', shared, 'HKDF', false, ['deriveKey']);
    const derive = {
      name: 'HKDF',
      hash: 'SHA-256',
      salt: await sha256(utf8('TDF')),
      info: new Uint8Array(0),
    };
    const key = await crypto.subtle.deriveKey(derive, base, { name: 'AES-GCM', length: 256 }, false, [
      'decrypt',
    ]);
    new Uint8Array(shared).fill(0);
    const iv = wrapped.subarray(0, kNonceBytes);
    const share = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, wrapped.subarray(kNonceBytes));
    return share.byteLength === kShareBytes ? new Uint8Array(share) : alike();
  } catch {
    return alike();
  }
}

// The unsigned request of docs/wire-formats/kas.md: the given key access objects (by index), all of one service. With
// `release` ({ purpose, minutes }) it asks for no key, but for a release by the one that is given; with `recall`
// ({ reason }), that the object is taken back.
export function keyRequest(manifest, indexes, publicKey, { release, recall } = {}) {
  const keyAccessObjects = indexes.map((index) => ({
    keyAccessObjectId: `kao-${index}`,
    keyAccessObject: manifest.access[index].sent,
  }));
  const policy = { id: 'policy', body: manifest.policyText };
  const what = recall ? { recall } : { action: 'open', ...(release && { release }) };
  const request = { policy, ...what, keyAccessObjects };
  return JSON.stringify({ clientPublicKey: publicKey, requests: [request] });
}

// What the words of a refusal say without what protocols put before them.
const plainWords = (text) =>
  typeof text === 'string' ? text.replace(/^rpc error: code = \w+ desc = /, '').slice(0, 800) : '';

const kWishStates = ['none', 'open', 'granted', 'denied', 'revoked', 'over'];
const isWishId = (id) => typeof id === 'string' && /^[\w-]{1,64}$/.test(id);

// How a release stands that was asked for, or may be ("none"): { state, release, words, until (ms) }. Nothing where it
// is none of these.
export function wishOf(said) {
  const { state, release, words, until } = said ?? {};
  if (!kWishStates.includes(state) || (state !== 'none' && !isWishId(release))) return undefined;
  const end = typeof until === 'string' ? Date.parse(until) : NaN;
  return { state, release, words: plainWords(words), until: Number.isFinite(end) ? end : undefined };
}

// Of an answer: by index { wrapped, view, until, marking } or { refused: words, wish }, where a release was asked for
// also with `asked`; either with `recall` where whoever asks is its author and may take it back. Whatever does not fit
// is a refusal.
export function readAnswer({ status, json }, indexes) {
  const out = new Map(
    indexes.map((index) => [index, { refused: 'The key service gave no answer that can be used.' }]),
  );
  if (status !== 200) {
    const words = plainWords(json?.message);
    if (words) for (const index of indexes) out.set(index, { refused: words });
    return { keys: out, session: '' };
  }
  const results = Array.isArray(json?.responses) ? json.responses.flatMap((one) => one?.results ?? []) : [];
  const told = new Set();
  for (const result of results.slice(0, indexes.length)) {
    const index = indexes.find((one) => result?.keyAccessObjectId === `kao-${one}`);
    if (index === undefined || told.has(index)) continue;
    told.add(index);
    const wrapped = typeof result.kasWrappedKey === 'string' ? fromBase64(result.kasWrappedKey) : undefined;
    const { view, until, marking } = result;
    const recall = result.recall === true && { recall: true };
    if (result.status === 'permit' && wrapped?.length)
      out.set(index, { wrapped, view, until, marking, ...recall });
    else {
      const refused = plainWords(result.error) || 'The key service refused, without a reason.';
      const asked = result.status === 'asked' && isWishId(result.release);
      const wish = wishOf(result.wish ?? (asked ? { state: 'open', release: result.release } : undefined));
      out.set(index, { refused, wish, asked, ...recall });
    }
  }
  return { keys: out, session: typeof json?.sessionPublicKey === 'string' ? json.sessionPublicKey : '' };
}

// Asks the nation whose share that is for a release, in place of a key: { asked, wish, refused }.
export async function askRelease({ manifest }, index, ask, release) {
  const { publicKey } = await makeSession();
  const answer = await ask(manifest.access[index].service, keyRequest(manifest, [index], publicKey, { release }));
  const { asked = false, wish, refused } = readAnswer(answer, [index]).keys.get(index);
  return { asked, wish, refused: refused ?? 'The key service gave no answer that can be used.' };
}

// Takes the object back, for its author, by the share of their own nation: { recalled, durable, refused }.
export async function askRecall({ manifest }, index, ask, reason) {
  const { publicKey } = await makeSession();
  const request = keyRequest(manifest, [index], publicKey, { recall: { reason } });
  const answer = await ask(manifest.access[index].service, request);
  const result = answer.status === 200 ? answer.json?.responses?.[0]?.results?.[0] : undefined;
  if (result?.keyAccessObjectId === `kao-${index}` && result.status === 'recalled')
    return { recalled: true, durable: result.durable === true };
  const { refused } = readAnswer(answer, [index]).keys.get(index);
  return { recalled: false, refused: refused ?? 'The key service gave no answer that can be used.' };
}

// A refusal, with who answered what: [{ service, index, permitted, words, wish, recall }].
export class KeysRefused extends Error {
  constructor(answers, permits) {
    super('The key was refused.');
    Object.assign(this, { code: 'data.key-refused', answers, permits });
  }
}

// Asks the services until every share is there: all shares at once, of each the next of its alternatives where one
// was refused. `ask(service, request)` answers { status, json }. Answers { key, permits: [{ service, view, until,
// marking, asked (performance.now()), index, recall }] }; throws KeysRefused, or TdfError "data.binding" where a share is bound to
// another policy.
export async function collectKey({ manifest }, ask) {
  const left = new Map(); // sid -> indexes of its alternatives, first to be asked first
  for (const [index, { sid }] of manifest.access.entries()) left.set(sid, [...(left.get(sid) ?? []), index]);
  const shares = new Map();
  const permits = [];
  const answers = [];
  const drop = () => shares.forEach((share) => share.fill(0));
  try {
    while (shares.size < left.size) {
      const byService = new Map();
      for (const [sid, indexes] of left) {
        if (shares.has(sid)) continue;
        const index = indexes.shift();
        if (index === undefined) throw new KeysRefused(answers, permits);
        const { service } = manifest.access[index];
        byService.set(service, [...(byService.get(service) ?? []), index]);
      }
      const rounds = [...byService].map(([service, indexes]) =>
        askOne(manifest, service, indexes, ask, { shares, permits, answers }),
      );
      for (const done of await Promise.allSettled(rounds)) if (done.status === 'rejected') throw done.reason;
    }
    const key = new Uint8Array(kShareBytes);
    for (const share of shares.values()) for (const [at, byte] of share.entries()) key[at] ^= byte;
    return { key, permits };
  } catch (error) {
    error.permits = permits; // they were released, and are let go of
    throw error;
  } finally {
    drop();
  }
}

async function askOne(manifest, service, indexes, ask, { shares, permits, answers }) {
  const session = await makeSession();
  const asked = performance.now();
  const answer = await ask(service, keyRequest(manifest, indexes, session.publicKey));
  const { keys, session: theirs } = readAnswer(answer, indexes);
  // All of them before any is opened: what was released is let go of even where another share is bad.
  for (const [index, { view, until, marking, refused, wish, recall }] of keys) {
    const own = recall && { recall };
    answers.push({ service, index, permitted: refused === undefined, words: refused ?? '', wish, ...own });
    if (refused === undefined) permits.push({ service, view, until, marking, asked, index, ...own });
  }
  for (const [index, one] of keys) {
    if (one.refused !== undefined) continue;
    const { sid, binding } = manifest.access[index];
    const share = await session.open(one.wrapped, theirs);
    if (!(await holds(share, binding, utf8(manifest.policyText))))
      fail('data.binding', "The object's policy is not the one that its key was bound to.");
    shares.set(sid, share);
  }
}

// The segments' hashes as the manifest's base64 holds them, one after another.
const aggregate = ({ form, segments }) =>
  joined(segments.list.map(({ tag }) => (form === 'raw' ? tag : utf8(toHex(tag)))));

const hasWideInteger = (value) =>
  typeof value === 'bigint' || (value !== null && typeof value === 'object' && Object.values(value).some(hasWideInteger));

// As src/data/assertion.cpp reads it: what one reader takes and another refuses is two objects in one.
function isAssertion(assertion) {
  const { id, type, scope, appliesToState, statement, binding } = assertion;
  if (hasWideInteger(assertion)) return false;
  const may = (value) => (value ?? '') === '' || isText(value, kAssertionTextMax);
  if (![id, type, scope].every((one) => isText(one, kAssertionTextMax)) || !may(appliesToState)) return false;
  if (!isObject(statement) || !isObject(binding)) return false;
  const { format, schema, value } = statement;
  return (
    may(format) &&
    may(schema) &&
    (value ?? null) !== null &&
    utf8(JSON.stringify(value)).length <= kStatementBytesMax &&
    (binding.method === 'jws' || binding.method === 'JWS') &&
    typeof binding.signature === 'string'
  );
}

// Bound with the object's own key, to these segments. One bound by another key would need somebody to say whose key it
// must be: here nobody does. Some software hashes an object in "value" as the text of its canonical form.
async function checkAssertion(assertion, key, manifest) {
  const refuse = () => fail('data.assertion', 'A statement about the object is not bound to it.');
  if (!isAssertion(assertion)) refuse();
  const { statement } = assertion;
  const parts = assertion.binding.signature.split('.');
  const [header, payload, mac] = parts.map(fromBase64url);
  if (parts.length !== 3 || !header || !payload || mac?.length !== 32) refuse();
  let alg, claims;
  try {
    if (header.length > kHeaderBytesMax) refuse();
    const head = parseJson(fromUtf8(header), 64, 8);
    if ('crit' in head || 'b64' in head) refuse();
    ({ alg } = head);
    claims = parseJson(fromUtf8(payload), 64, 4);
    if (!isObject(claims)) refuse();
  } catch {
    refuse();
  }
  if (alg !== 'HS256' || !(await holds(key, mac, utf8(`${parts[0]}.${parts[1]}`)))) refuse();
  const { binding: _, ...bare } = assertion;
  const shapes = [bare];
  if (isObject(statement.value))
    shapes.push({ ...bare, statement: { ...statement, value: canonicalJson(statement.value) } });
  for (const shape of shapes) {
    const hash = await sha256(utf8(canonicalJson(shape)));
    const over = joined([aggregate(manifest), manifest.form === 'raw' ? hash : utf8(toHex(hash))]);
    if (claims.assertionHash === toHex(hash) && claims.assertionSig === toBase64(over)) return assertion;
  }
  return refuse();
}

async function checkAssertions(manifest, key) {
  const ids = new Set();
  for (const assertion of manifest.assertions) {
    await checkAssertion(assertion, key, manifest);
    if (ids.has(assertion.id)) fail('data.assertion', 'Two statements about the object have one id.');
    ids.add(assertion.id);
  }
}

// { plain, segments }: all of the plain text, once everything holds, which the caller cleanses; and what a signature of its
// originator has to be over (tdf_signer.js). Throws TdfError, and then nothing of it is left.
export async function openObject({ file, payloadAt, manifest }, key) {
  if (!(await holds(key, manifest.rootSignature, aggregate(manifest))))
    fail('data.root-signature', "The object's parts are not the ones that were sealed.");
  await checkAssertions(manifest, key);
  const aes = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
  const out = new Uint8Array(manifest.segments.plain);
  const digests = [];
  let at = 0;
  try {
    for (const segment of manifest.segments.list) {
      const sealed = await readAt(file, payloadAt + segment.at, segment.sealed);
      digests.push(await sha256(sealed));
      // The root signature covers the manifest's tag, and the cipher verifies the one in the payload.
      const tag = sealed.subarray(sealed.length - kTagBytes);
      if (tag.some((byte, index) => byte !== segment.tag[index])) throw new Error('another segment');
      const iv = sealed.subarray(0, kNonceBytes);
      const plain = new Uint8Array(
        await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, aes, sealed.subarray(kNonceBytes)),
      );
      out.set(plain, at);
      at += plain.length;
      plain.fill(0);
    }
  } catch {
    out.fill(0);
    fail('data.segment', 'A part of the object is damaged or was changed.');
  }
  return { plain: out, segments: await sha256(joined(digests)) };
}

// The banner line: what the node prints by its label policies, and nothing else. What a file says of its label anybody
// with its key could have written, so without the node's word, or with two, nothing is shown.
export function markingOf(permits) {
  const [marking, ...others] = new Set(permits.map((one) => one.marking));
  if (!isText(marking, kMarkingBytesMax) || others.length > 0)
    fail('page.marking', 'Your node did not say how it is to be marked.');
  return marking;
}

// What can be shown, by what it is and not by what it is called: { kind: 'text', text }, { kind: 'image', type } or
// { kind: 'other' }.
export function contentOf(bytes) {
  const begins = (...start) => start.every((byte, index) => bytes[index] === byte);
  if (begins(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return { kind: 'image', type: 'image/png' };
  if (begins(0xff, 0xd8, 0xff)) return { kind: 'image', type: 'image/jpeg' };
  try {
    const text = fromUtf8(bytes);
    if (!/[\u0000-\u0008\u000b\u000e-\u001f]/.test(text)) return { kind: 'text', text };
  } catch {
    // no text
  }
  return { kind: 'other' };
}
