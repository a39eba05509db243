// What the tests of the lobby's reader share: objects made here, so that each part of one can be made wrong, and a key
// service that has the private key and re-wraps as docs/wire-formats/kas.md says.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, createHmac, generateKeyPairSync, randomBytes, sign, webcrypto } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { TdfError, collectKey, openObject, readObject, unwrapShare } from './tdf.js';
import { canonicalJson } from './tdf_json.js';
import { crc32 } from './tdf_zip.js';

export const kReport = 'EXERCISE EXERCISE EXERCISE: two relief convoys reach Harbor Light Bay at dusk.\n';
export const kAttributes = [
  'classification/value/restricted',
  'originator/value/xaa',
  'releasable-to/value/xbb',
].map((word) => `https://harbor-light.example/attr/${word}`);
export const kService = 'https://kas.xaa.localhost:8441';
const kCurve = { name: 'ECDH', namedCurve: 'P-256' };
const { subtle } = webcrypto;
export const program = process.env.ENTENTE_PROGRAM;
export const skip = program ? false : 'ENTENTE_PROGRAM names no built entente';
export const base64 = (bytes) => Buffer.from(bytes).toString('base64');
export const hmac = (key, bytes) => createHmac('sha256', key).update(bytes).digest();
export const sha256 = (bytes) => createHash('sha256').update(bytes).digest();

export let folder;
export const keys = {}; // by nation: { privateKey, signingKey, pem, file, privateFile }

async function makeKey(name) {
  const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const der = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
  const privateKey = await subtle.importKey('pkcs8', der, kCurve, false, ['deriveBits']);
  const file = join(folder, `${name}.pub`);
  const pem = pair.publicKey.export({ type: 'spki', format: 'pem' });
  writeFileSync(file, pem);
  const privateFile = join(folder, `${name}.key`);
  writeFileSync(privateFile, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  keys[name] = { privateKey, signingKey: pair.privateKey, pem, file, privateFile };
}

// For the time of a test file: a folder, and the keys of two nations.
export function begin() {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'entente-tdf-'));
    await makeKey('xaa');
    await makeKey('xbb');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
}

// HKDF and AES-GCM to a public key: how a share is wrapped, in a file and in an answer.
export async function wrap(share, pem) {
  const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  const theirs = await subtle.importKey('spki', der, kCurve, false, []);
  const pair = await subtle.generateKey(kCurve, true, ['deriveBits']);
  const shared = await subtle.deriveBits({ name: 'ECDH', public: theirs }, pair.privateKey, 256);
  const base = await subtle.importKey('raw', shared, 'HKDF', false, ['deriveKey']);
  const derive = { name: 'HKDF', hash: 'SHA-256', salt: sha256('TDF'), info: new Uint8Array() };
  const key = await subtle.deriveKey(derive, base, { name: 'AES-GCM', length: 256 }, false, ['encrypt']);
  const iv = randomBytes(12);
  const sealed = Buffer.concat([iv, Buffer.from(await subtle.encrypt({ name: 'AES-GCM', iv }, key, share))]);
  const spki = base64(await subtle.exportKey('spki', pair.publicKey));
  return { sealed, pem: `-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n` };
}

// Answers as a key service that holds these nations' keys, and notes what it is asked.
export function serviceWith(names, { refuse = {}, change = (result) => result } = {}) {
  const asked = [];
  let views = 0;
  const ask = async (service, text) => {
    const { clientPublicKey, requests } = JSON.parse(text);
    asked.push({ service, text });
    let session = '';
    const responses = [];
    for (const { policy, keyAccessObjects } of requests) {
      const results = [];
      for (const { keyAccessObjectId, keyAccessObject: access } of keyAccessObjects) {
        const id = { keyAccessObjectId, metadata: { sid: access.sid ?? '' } };
        if (refuse[service]) {
          const error = `rpc error: code = PermissionDenied desc = ${refuse[service]}`;
          results.push(change({ ...id, status: 'fail', error }));
          continue;
        }
        const wrapped = Buffer.from(access.wrappedKey, 'base64');
        let share;
        for (const name of names)
          share ??= await unwrapShare(keys[name].privateKey, wrapped, access.ephemeralPublicKey).catch(
            () => undefined,
          );
        if (!share) {
          results.push({ ...id, status: 'fail', error: 'this key cannot be opened here' });
          continue;
        }
        const sealed = await wrap(share, clientPublicKey);
        session = sealed.pem;
        results.push(
          change({
            ...id,
            status: 'permit',
            kasWrappedKey: base64(sealed.sealed),
            view: `v${(views += 1)}`,
            until: 60,
          }),
        );
      }
      responses.push({ policyId: policy.id, results });
    }
    // One session key wraps all of an answer: here each answer has one key.
    return { status: 200, json: { sessionPublicKey: session, responses } };
  };
  return Object.assign(ask, { asked });
}

export async function open(bytes, ask = serviceWith(['xaa', 'xbb'])) {
  const object = await readObject(new Blob([bytes]));
  const { key, permits } = await collectKey(object, ask);
  const { plain, segments } = await openObject(object, key);
  return { plain: Buffer.from(plain), segments, object, permits };
}
export const isRefused = (code) => (error) => {
  assert.ok(error instanceof TdfError, String(error.stack));
  assert.match(error.code, code);
  return true;
};

export function seal(name, plain, ...more) {
  const [input, output] = [join(folder, `${name}.in`), join(folder, `${name}.tdf`)];
  writeFileSync(input, plain);
  const attributes = kAttributes.flatMap((one) => ['--attribute', one]);
  const to = more.includes('--to') ? [] : ['--to', keys.xaa.file];
  execFileSync(program, ['seal', input, ...to, ...attributes, ...more, '-o', output]);
  return readFileSync(output);
}

// An object made here, so that each of its parts can be made wrong: a ZIP without ZIP64 of the given entries.
export function zipOf(entries, { listed = entries } = {}) {
  const parts = [];
  let at = 0;
  const put = (bytes) => {
    parts.push(bytes);
    at += bytes.length;
  };
  const numbers = (layout) =>
    Buffer.concat(
      layout.map(([size, value]) => {
        const out = Buffer.alloc(size);
        out.writeUIntLE(value, 0, size);
        return out;
      }),
    );
  const places = new Map();
  for (const entry of entries) {
    const { name, bytes, size = bytes.length } = entry;
    places.set(entry, at);
    put(
      numbers([
        [4, 0x04034b50],
        [2, 20],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, crc32(bytes)],
        [4, size],
        [4, size],
        [2, name.length],
        [2, 0],
      ]),
    );
    put(Buffer.from(name));
    put(bytes);
  }
  const directoryAt = at;
  for (const entry of listed) {
    const { name, bytes, size = bytes.length, method = 0 } = entry;
    put(
      numbers([
        [4, 0x02014b50],
        [2, 20],
        [2, 20],
        [2, 0],
        [2, method],
        [4, 0],
        [4, crc32(bytes)],
        [4, size],
        [4, size],
      ]),
    );
    put(
      numbers([
        [2, name.length],
        [2, 0],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, places.get(entry) ?? entry.at],
      ]),
    );
    put(Buffer.from(name));
  }
  const size = at - directoryAt;
  put(
    numbers([
      [4, 0x06054b50],
      [4, 0],
      [2, listed.length],
      [2, listed.length],
      [4, size],
      [4, directoryAt],
      [2, 0],
    ]),
  );
  return Buffer.concat(parts);
}

export const bindingOf = (key, assertion, tags) => {
  const hash = sha256(canonicalJson(assertion));
  const over = { assertionHash: hash.toString('hex'), assertionSig: base64(Buffer.concat([...tags, hash])) };
  const text = [{ alg: 'HS256' }, over]
    .map((one) => Buffer.from(JSON.stringify(one)).toString('base64url'))
    .join('.');
  return { method: 'jws', signature: `${text}.${hmac(key, text).toString('base64url')}` };
};
// Adds what a nation's originator says of the object as it is now: `by` signs, `as` is the name it says.
export function signAs(parts, by, as = by.toUpperCase(), change = {}) {
  const { manifest, key, tags, segments } = parts;
  const digest = (bytes) => sha256(bytes).toString('base64url');
  const claims = {
    originator: as,
    segments: digest(Buffer.concat(segments.map((one) => sha256(one)))),
    root: Buffer.from(manifest.encryptionInformation.integrityInformation.rootSignature.sig, 'base64').toString('base64url'),
    bytes: segments.reduce((sum, one) => sum + one.length - 28, 0),
    policy: digest(manifest.encryptionInformation.policy),
    mimeType: manifest.payload.mimeType,
    assertions: manifest.assertions.map(({ binding: _, ...bare }) => sha256(canonicalJson(bare)).toString('hex')),
    ...change.claims,
  };
  const header = { alg: 'ES256', typ: 'entente-originator+jws', kid: as, ...change.header };
  const text = [JSON.stringify(header), canonicalJson(claims)]
    .map((one) => Buffer.from(one).toString('base64url'))
    .join('.');
  const mac = sign('sha256', Buffer.from(text), { key: keys[by].signingKey, dsaEncoding: 'ieee-p1363' });
  const assertion = {
    id: 'entente-originator',
    type: 'other',
    scope: 'tdo',
    appliesToState: 'encrypted',
    statement: {
      format: 'jws',
      schema: 'urn:entente:originator-signature:3',
      value: `${text}.${mac.toString('base64url')}`,
    },
    ...change.assertion,
  };
  manifest.assertions.push({ ...assertion, binding: bindingOf(key, assertion, tags) });
}
export const kLabel = {
  id: 'label',
  type: 'handling',
  scope: 'tdo',
  statement: {
    format: 'json-structured',
    schema: 'urn:nato:stanag:5636:A:1:elements:json',
    value: {
      ocl: {
        pol: 'HARBOR LIGHT',
        cls: 'RESTRICTED',
        catl: [{ type: 'P', name: 'Releasable To', vals: ['XBB'] }],
      },
    },
  },
};

// { payload, manifest, key } of an object in segments of the given texts; shares by nation, all needed.
export async function partsOf(texts = [kReport], how = {}) {
  const { nations = { xaa: kService }, assertions = [kLabel], attributes = kAttributes } = how;
  const { said = { uuid: 'p-1', body: { dataAttributes: attributes.map((attribute) => ({ attribute })), dissem: [] } } } = how;
  const policy = base64(JSON.stringify(said));
  const shares = Object.keys(nations).map(() => randomBytes(32));
  const key = Buffer.alloc(32);
  for (const share of shares) share.forEach((byte, at) => (key[at] ^= byte));
  const aes = await subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt']);
  const segments = [];
  for (const text of texts) {
    const iv = randomBytes(12);
    segments.push(
      Buffer.concat([iv, Buffer.from(await subtle.encrypt({ name: 'AES-GCM', iv }, aes, Buffer.from(text)))]),
    );
  }
  const tags = segments.map((one) => one.subarray(-16));
  const keyAccess = [];
  for (const [index, [name, url]] of Object.entries(nations).entries()) {
    const { sealed, pem } = await wrap(shares[index], keys[name].pem);
    keyAccess.push({
      type: 'ec-wrapped',
      url,
      protocol: 'kas',
      sid: `s${index}`,
      wrappedKey: base64(sealed),
      ephemeralPublicKey: pem,
      policyBinding: { alg: 'HS256', hash: base64(hmac(shares[index], policy).toString('hex')) },
    });
  }
  const manifest = {
    schemaVersion: '4.3.0',
    payload: {
      type: 'reference',
      url: '0.payload',
      protocol: 'zip',
      isEncrypted: true,
      mimeType: 'text/plain',
    },
    encryptionInformation: {
      type: 'split',
      policy,
      keyAccess,
      method: { algorithm: 'AES-256-GCM', iv: '', isStreamable: true },
      integrityInformation: {
        rootSignature: { alg: 'HS256', sig: base64(hmac(key, Buffer.concat(tags))) },
        segmentHashAlg: 'GMAC',
        segmentSizeDefault: 64,
        encryptedSegmentSizeDefault: 92,
        segments: segments.map((one) => ({
          hash: base64(one.subarray(-16)),
          segmentSize: one.length - 28,
          encryptedSegmentSize: one.length,
        })),
      },
    },
    assertions: assertions.map((one) => ({ ...one, binding: bindingOf(key, one, tags) })),
  };
  return { payload: Buffer.concat(segments), segments, manifest, key, tags };
}
export const fileOf = ({ payload, manifest }) =>
  zipOf([
    { name: '0.payload', bytes: payload },
    { name: '0.manifest.json', bytes: Buffer.from(JSON.stringify(manifest)) },
  ]);
