// Who signed a sealed object as its originator: docs/wire-formats/object.md, src/data/originator.cpp. Its other statements
// are bound with the object's own key, so that whoever can open it could have written them; this one they can not.
import { fromBase64url, fromPem, fromUtf8, toBase64url, toHex, utf8 } from './tdf_bytes.js';
import { canonicalJson, parseJson } from './tdf_json.js';
import { isObject, isText } from './tdf_manifest.js';
import { attributesOf } from './tdf_policy.js';
import { TdfError } from './tdf_zip.js';

const kAssertionId = 'entente-originator';
const kSchema = 'urn:entente:originator-signature:3';
const kType = 'entente-originator+jws';
const kNameMax = 64;
const [kTokenBytesMax, kHeaderTextMax, kHeaderDepthMax] = [64 * 1024, 4096, 4];
const kRefusedHeaders = ['crit', 'b64', 'zip', 'enc', 'jku', 'jwk', 'x5u', 'x5c'];
const kCurve = { name: 'ECDSA', namedCurve: 'P-256' };

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
const digest = async (bytes) => toBase64url(await sha256(bytes));
const refuse = (message) => {
  throw new TdfError('data.originator', message);
};

// What stands around the token is not signed, so that it is the same in all.
function isSignature({ binding: _, ...bare }) {
  const value = bare.statement?.value;
  const written = {
    id: kAssertionId,
    type: 'other',
    scope: 'tdo',
    appliesToState: 'encrypted',
    statement: { format: 'jws', schema: kSchema, value },
  };
  return typeof value === 'string' && canonicalJson(bare) === canonicalJson(written);
}

// { name, head, parts } of the token that says who signed; nothing where there is none that names anybody.
function tokenOf({ assertions }) {
  const token = assertions.find(isSignature)?.statement.value ?? '';
  const parts = token.split('.');
  if (parts.length !== 3 || utf8(token).length > kTokenBytesMax || parts[0].length > kHeaderTextMax) return undefined;
  try {
    const head = parseJson(fromUtf8(fromBase64url(parts[0])), kHeaderTextMax, kHeaderDepthMax);
    return isObject(head) && isText(head.kid, kNameMax) ? { name: head.kid, head, parts } : undefined;
  } catch {
    return undefined;
  }
}

const mediaType = (text) => text.replace(/[A-Z]/g, (one) => one.toLowerCase()).replace(/^application\//, '');

// What the token says, where one of these keys signed it.
async function signedWith(pems, { head, parts }) {
  const [payload, signature] = [fromBase64url(parts[1]), fromBase64url(parts[2])];
  if (kRefusedHeaders.some((name) => name in head) || !payload || !signature) return undefined;
  if (['alg', 'typ', 'cty'].some((name) => name in head && typeof head[name] !== 'string')) return undefined;
  if (head.alg !== 'ES256' || mediaType(head.typ ?? '') !== kType) return undefined;
  const over = utf8(`${parts[0]}.${parts[1]}`);
  for (const pem of pems) {
    try {
      const key = await crypto.subtle.importKey('spki', fromPem(pem), kCurve, false, ['verify']);
      if (await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, signature, over)) return fromUtf8(payload);
    } catch {
      // no key of that kind
    }
  }
  return undefined;
}

// By its own attributes; one without any of origin says nothing against anybody.
function isOf({ policyText }, code) {
  const attributes = attributesOf(policyText);
  if (attributes === undefined) return false;
  const origins = attributes.filter(({ name }) => name === 'originator').map(({ value }) => value);
  return origins.length === 0 || origins.includes(code.replace(/[A-Z]/g, (one) => one.toLowerCase()));
}

async function claimsOf(manifest, segments, originator) {
  const assertions = [];
  for (const { binding: _, ...bare } of manifest.assertions)
    if (bare.id !== kAssertionId) {
      assertions.push(toHex(await sha256(utf8(canonicalJson(bare)))));
    }
  return canonicalJson({
    originator,
    segments: toBase64url(segments),
    root: toBase64url(manifest.rootSignature),
    bytes: manifest.segments.plain,
    policy: await digest(utf8(manifest.policyText)),
    mimeType: manifest.mimeType,
    assertions,
  });
}

// Of an object that is verified, and the digest of its `segments` (openObject): { name, state }, of whom `keysOf(name)` answers the public keys
// (PEM) that are known. `state` is "signed"; "stranger": signed with such a key, but by the object's own attributes it is
// of others; "unknown": it says so, and no key of theirs is known; or "unsigned". Whoever can open an object can make the
// last three of it. Throws TdfError "data.originator" where it says a known name and their signature over what is there
// does not stand.
export async function signerOf(manifest, segments, keysOf) {
  const token = tokenOf(manifest);
  if (token === undefined) return { name: '', state: 'unsigned' };
  const { name } = token;
  const pems = keysOf(name);
  if (pems.length === 0) return { name, state: 'unknown' };
  const said = await signedWith(pems, token);
  if (said === undefined) refuse("It is not signed by the one who is said to have signed it: the originator's signature does not hold.");
  if (said !== (await claimsOf(manifest, segments, name))) refuse('Its originator signed something else than what is here.');
  return { name, state: isOf(manifest, name) ? 'signed' : 'stranger' };
}

// For people, by what the nation is called.
export function signerWords({ name, state }, called = name) {
  if (state === 'signed') return `Signed by ${called}: content, policy and statements are as they sealed them.`;
  if (state === 'stranger') return `Not signed by its originator. ${called} signed it, and it does not say that it is of theirs.`;
  if (state === 'unknown') return `It says that ${called} signed it. Your node knows no key of theirs: that is not verified.`;
  return 'Not signed by its originator: who can open it could have changed what it says of itself.';
}
