// Two readers of one format, the page's and the command line's (src/data/open.h). What one of them takes and the other
// refuses is a file that is two things. Each of these is well sealed but for the one thing it is called by: both refuse it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { KeysRefused, TdfError, signerOf } from './tdf.js';
import {
  base64,
  begin,
  bindingOf,
  fileOf,
  folder,
  hmac,
  kLabel,
  kReport,
  keys,
  open,
  partsOf,
  program,
  sha256,
  signAs,
  skip,
  zipOf,
} from './tdf_for_test.mjs';
import { canonicalJson } from './tdf_json.js';

begin();

const kExitsRefused = [1, 4]; // refused, or untrue

// The same bytes in a base64 that says them otherwise: a bit is set that means nothing.
function looser(text) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const at = text.replace(/=+$/, '').length - 1;
  const next = alphabet[alphabet.indexOf(text[at].replace('-', '+').replace('_', '/')) + 1];
  assert.ok(next && text.length > at, `${text} has no unused bits`);
  const out = text.slice(0, at) + next + text.slice(at + 1);
  assert.deepEqual(Buffer.from(out, 'base64'), Buffer.from(text, 'base64'));
  return out;
}
const upper = (text) => base64(Buffer.from(text, 'base64').toString().toUpperCase());

// Changes the manifest of a good object.
const changed = (change) => async () => {
  const parts = await partsOf();
  change(parts.manifest, parts.manifest.encryptionInformation);
  return fileOf(parts);
};
// Changes the manifest's text.
const spelled = (change) => async () => {
  const { payload, manifest } = await partsOf();
  const bytes = Buffer.from(change(JSON.stringify(manifest)));
  return zipOf([
    { name: '0.payload', bytes: payload },
    { name: '0.manifest.json', bytes },
  ]);
};
// Of version 4.2.2: hashes are texts of hexadecimal digits.
const older = (change) => async () => {
  const parts = await partsOf(undefined, { assertions: [] });
  const { integrityInformation: integrity } = parts.manifest.encryptionInformation;
  const digits = parts.tags.map((tag) => tag.toString('hex'));
  delete parts.manifest.schemaVersion;
  integrity.segments.forEach((one, index) => (one.hash = base64(digits[index])));
  integrity.rootSignature.sig = base64(hmac(parts.key, digits.join('')).toString('hex'));
  change(integrity, parts.manifest);
  return fileOf(parts);
};
// Says more of the first segment, or says it otherwise.
const segment = (change) => changed((_, { integrityInformation: { segments } }) => change(segments[0]));
const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);
const deepClaims = (depth) => (binding, parts) =>
  tokenOf('{"alg":"HS256"}', claimsOf(parts).replace('{', `{"more":${nested(depth)},`))(binding, parts);
const header = (more) => (binding, parts) =>
  tokenOf(`{"alg":"HS256","more":${more}}`, claimsOf(parts))(binding, parts);
// With this statement, bound as it should be but for what `change` does.
const stated = (assertion, change = () => {}) => async () => {
  const parts = await partsOf(undefined, { assertions: [assertion] });
  change(parts.manifest.assertions[0].binding, parts);
  return fileOf(parts);
};
const label = (more) => ({ ...kLabel, ...more });
const without = (member) => {
  const { [member]: _, ...rest } = kLabel;
  return rest;
};
const statement = (more) => label({ statement: { ...kLabel.statement, ...more } });
// A binding whose token says these two texts.
const tokenOf = (header, claims) => (binding, { key }) => {
  const text = [header, claims].map((one) => Buffer.from(one).toString('base64url')).join('.');
  binding.signature = `${text}.${hmac(key, text).toString('base64url')}`;
};
const claimsOf = ({ tags }) => {
  const hash = sha256(canonicalJson(kLabel));
  return JSON.stringify({
    assertionHash: hash.toString('hex'),
    assertionSig: base64(Buffer.concat([...tags, hash])),
  });
};

const numbered = (n) => label({ id: 'numbered', statement: { format: 'json', value: { list: [n] } } });
const kGood = {
  'a statement with the largest number that all read as the same': stated(numbered(2 ** 53 - 1)),
  'as it is': changed(() => {}),
  'of version 4.2.2': older(() => {}),
  'a method in capitals': stated(kLabel, (binding) => (binding.method = 'JWS')),
  'the same token once more': stated(kLabel, (binding, parts) =>
    tokenOf('{"alg":"HS256"}', claimsOf(parts))(binding, parts),
  ),
  'a statement of nearly 128 KiB': stated(statement({ value: 'x'.repeat(128 * 1024 - 2) })),
  'claims three deep below theirs': stated(kLabel, deepClaims(3)),
  'a header as deep as may be': stated(kLabel, header(nested(7))),
  'a manifest as deep as may be': spelled((text) => text.replace('{', `{"more":${nested(31)},`)),
  'a segment with more in it': segment((one) => Object.assign(one, { more: [], words: 'x'.repeat(300) })),
  'a statement for no state': stated(label({ appliesToState: null })),
  'a statement that is a number': stated(statement({ value: 7 })),
  'a statement that is a list': stated(statement({ value: [] })),
  'a statement in no format': stated(statement({ format: '' })),
  'an empty version': changed((manifest) => (manifest.schemaVersion = '')),
  'no version': changed((manifest) => (manifest.schemaVersion = null)),
  'no size of a segment': changed((_, { integrityInformation: integrity }) => {
    integrity.segmentSizeDefault = integrity.segments[0].segmentSize;
    integrity.segments[0].segmentSize = null;
  }),
  'a default size that no segment has': changed(
    (_, { integrityInformation: integrity }) => (integrity.segmentSizeDefault = 2 ** 40),
  ),
  'an empty protocol': changed((_, { keyAccess }) => (keyAccess[0].protocol = '')),
  'no protocol': changed((_, { keyAccess }) => (keyAccess[0].protocol = null)),
  'a payload that was streamed': changed((manifest) => (manifest.payload.protocol = 'zipstream')),
  'no hash of segments named': changed(
    (_, { integrityInformation: integrity }) => (integrity.segmentHashAlg = null),
  ),
  'a key wrapped in another way as well': changed((_, { keyAccess }) =>
    keyAccess.push({ type: 'hybrid-wrapped', sid: keyAccess[0].sid, wrappedKey: 'AAAA' }),
  ),
  'what nobody asked for': changed((manifest) => (manifest.more = { size: 2 ** 53 - 1, text: 'ü' })),
};

const kBad = {
  'a statement that is no object': changed((manifest) => manifest.assertions.unshift(5)),
  'a statement that is no object under a signature': async () => {
    const parts = await partsOf();
    signAs(parts, 'xaa');
    parts.manifest.assertions.unshift([]);
    return fileOf(parts);
  },
  'a number of very many digits': spelled((text) => text.replace('{', `{"more":${'9'.repeat(2 ** 20)},`)),
  'unused bits in the root signature': changed(
    (_, { integrityInformation: { rootSignature } }) => (rootSignature.sig = looser(rootSignature.sig)),
  ),
  "unused bits in a segment's hash": changed((_, { integrityInformation: { segments } }) =>
    segments.forEach((one) => (one.hash = looser(one.hash))),
  ),
  "unused bits in the policy's binding": changed(
    (_, { keyAccess }) => (keyAccess[0].policyBinding.hash = looser(keyAccess[0].policyBinding.hash)),
  ),
  'unused bits in the signature of a statement': stated(
    kLabel,
    (binding) => (binding.signature = looser(binding.signature)),
  ),
  'capitals in the root signature': older(
    ({ rootSignature }) => (rootSignature.sig = upper(rootSignature.sig)),
  ),
  "capitals in a segment's hash": older(({ segments }) =>
    segments.forEach((one) => (one.hash = upper(one.hash))),
  ),
  "capitals in the policy's binding": changed(
    (_, { keyAccess }) => (keyAccess[0].policyBinding.hash = upper(keyAccess[0].policyBinding.hash)),
  ),
  'a byte order mark before the manifest': spelled((text) => `\ufeff${text}`),
  'a byte order mark within a token': stated(kLabel, (binding, parts) =>
    tokenOf('{"alg":"HS256"}', `\ufeff${claimsOf(parts)}`)(binding, parts),
  ),
  'half a character': spelled((text) => text.replace('{', '{"more":"\\ud800",')),
  'a number that fits nowhere': spelled((text) => text.replace('{', '{"more":9223372036854775808,')),
  'a member twice': spelled((text) => text.replace('{', '{"more":1,"more":1,')),
  'a size with a point': spelled((text) => text.replace(/("segmentSize":\d+)/, '$1.0')),
  'a size with an exponent': spelled((text) => text.replace(/("encryptedSegmentSize":\d+)/, '$1e0')),
  'a default size with a point': spelled((text) =>
    text.replace('"segmentSizeDefault":64', '"segmentSizeDefault":64.0'),
  ),
  'a long segment': segment((one) => (one.more = 'x'.repeat(512))),
  'a segment that is long in bytes': segment((one) => (one.more = 'ü'.repeat(250))),
  'a segment with a value below its members': segment((one) => (one.more = [1])),
  'a manifest nested too deeply': spelled((text) => text.replace('{', `{"more":${nested(32)},`)),
  'claims nested too deeply': stated(kLabel, deepClaims(4)),
  'a header nested too deeply': stated(kLabel, header(nested(8))),
  'a header of more than 64 KiB': stated(kLabel, header(`"${'x'.repeat(64 * 1024)}"`)),
  'a statement without a type': stated(without('type')),
  'a statement without a scope': stated(without('scope')),
  'a statement whose id is empty': stated(label({ id: '' })),
  'a statement whose type is a number': stated(label({ type: 7 })),
  'a statement with a long scope': stated(label({ scope: 'x'.repeat(1025) })),
  'a statement without a value': stated(label({ statement: { format: 'text' } })),
  'a statement that is null': stated(statement({ value: null })),
  'a statement of more than 128 KiB': stated(statement({ value: 'x'.repeat(128 * 1024) })),
  'a statement with a number that another one may be read as': stated(numbered(2 ** 53)),
  'a statement with a number far below': stated(numbered(-(10 ** 18))),
  'a statement bound by Jws': stated(kLabel, (binding) => (binding.method = 'Jws')),
  'a statement bound by a critical extension': stated(kLabel, (binding, parts) =>
    tokenOf('{"alg":"HS256","crit":[]}', claimsOf(parts))(binding, parts),
  ),
  'a statement whose claims are nothing': stated(kLabel, tokenOf('{"alg":"HS256"}', 'null')),
  'statements of one id': async () => {
    const parts = await partsOf();
    const twin = label({ type: 'other' });
    parts.manifest.assertions.push({ ...twin, binding: bindingOf(parts.key, twin, parts.tags) });
    return fileOf(parts);
  },
  'a long version': changed((manifest) => (manifest.schemaVersion = `4.${'0'.repeat(300)}`)),
  'another version': changed((manifest) => (manifest.schemaVersion = '3.0.0')),
  'a type of content that is a number': changed((manifest) => (manifest.payload.mimeType = 7)),
  'a segment of a default size that is none': changed((_, { integrityInformation: integrity }) => {
    integrity.segmentSizeDefault = 2 ** 40;
    delete integrity.segments[0].segmentSize;
  }),
  'another protocol of the payload': changed((manifest) => (manifest.payload.protocol = 'tar')),
  'a key wrapped in another way alone': changed((_, { keyAccess }) => (keyAccess[0].type = 'hybrid-wrapped')),
  'a key wrapped in another way beside another share': changed((_, { keyAccess }) =>
    keyAccess.push({ type: 'hybrid-wrapped', sid: 'another' }),
  ),
  'a long name of a key': changed((_, { keyAccess }) => (keyAccess[0].kid = 'ü'.repeat(200))),
  'another hash of segments': changed(
    (_, { integrityInformation: integrity }) => (integrity.segmentHashAlg = 'SHA256'),
  ),
};

// What only its originator can say of an object: here XAA, as its attributes have it. Of XAA and XBB the keys are known.
const lowered = label({
  statement: { ...kLabel.statement, value: { ocl: { ...kLabel.statement.value.ocl, cls: 'UNCLASSIFIED' } } },
});
const bound = ({ key, tags }, assertion) => ({ ...assertion, binding: bindingOf(key, assertion, tags) });
const kOf = 'https://xaa.example/attr/originator/value/';
const ofOrigin = (attributes, ...how) => async () => {
  const parts = await partsOf(undefined, { attributes });
  signAs(parts, ...how);
  return fileOf(parts);
};
// With a policy that says that it is of whoever signs it; where key services refuse it for another thing, it is of nobody.
const withPolicy = (change, by = 'xbb') => async () => {
  const said = { uuid: 'one', body: { dataAttributes: [{ attribute: `${kOf}${by}` }], dissem: [] } };
  change(said, said.body);
  const parts = await partsOf(undefined, { said });
  signAs(parts, by);
  return fileOf(parts);
};
const signedThen = (change, ...how) => async () => {
  const parts = await partsOf();
  signAs(parts, ...(how.length > 0 ? how : ['xaa']));
  change(parts.manifest.assertions, parts);
  return fileOf(parts);
};
const asIs = () => {};

// In GCM's field (NIST SP 800-38D section 6.3), as numbers whose first bit is the lowest power.
function product(x, y) {
  const top = 1n << 127n;
  let [out, v] = [0n, y];
  for (let bit = top; bit > 0n; bit >>= 1n) {
    if (x & bit) out ^= v;
    v = v & 1n ? (v >> 1n) ^ (0xe1n << 120n) : v >> 1n;
  }
  return out;
}
// What a reader, who has the key, can make of it: another text under the same tags, of which one block comes out as it must.
function fitting({ key, segments, payload }) {
  const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  const h = BigInt(`0x${cipher.update(Buffer.alloc(16)).toString('hex')}`);
  const change = 0x01n << 120n;
  const [first, second] = [change, product(change, h)];
  const sealed = payload.subarray(0, segments[0].length);
  for (const [at, by] of [first, second].entries())
    Buffer.from(by.toString(16).padStart(32, '0'), 'hex').forEach((one, index) => {
      sealed[12 + 16 * at + index] ^= one;
    });
}
const kSigners = {
  'signed by its originator': ['signed', signedThen(asIs)],
  'signed by nobody': ['unsigned', changed(asIs)],
  'the signature taken off': ['unsigned', signedThen((list) => list.pop())],
  'the signature taken off and the label lowered': [
    'unsigned',
    signedThen((list, parts) => list.splice(0, 2, bound(parts, lowered))),
  ],
  'the label lowered under the signature': [
    'refused',
    signedThen((list, parts) => list.splice(0, 1, bound(parts, lowered))),
  ],
  'a statement added under the signature': [
    'refused',
    signedThen((list, parts) => list.push(bound(parts, label({ id: 'more' })))),
  ],
  'a statement taken from under the signature': ['refused', signedThen((list) => list.shift())],
  'another payload under the same tags': ['refused', signedThen((_, parts) => fitting(parts))],
  'another payload under the same tags that nobody signed': [
    'unsigned',
    async () => {
      const parts = await partsOf();
      fitting(parts);
      return fileOf(parts);
    },
  ],
  'another type of content': ['refused', signedThen((_, { manifest }) => (manifest.payload.mimeType = 'text/html'))],
  "the originator's name under a reader's own key": ['refused', signedThen(asIs, 'xbb', 'XAA')],
  "a reader's own name and key": ['stranger', signedThen(asIs, 'xbb')],
  'a name of which no key is known': ['unknown', signedThen(asIs, 'xbb', 'XDD')],
  'a longer name than there are': ['unsigned', signedThen(asIs, 'xbb', 'X'.repeat(65))],
  'attributes of origin of several': ['signed', ofOrigin([`${kOf}xbb`, `${kOf}xaa`], 'xaa')],
  'attributes without any of origin': ['signed', ofOrigin(['https://xaa.example/attr/releasable/value/xbb'], 'xaa')],
  'an attribute of origin within the value of another one': [
    'stranger',
    ofOrigin([`${kOf}xaa`, 'https://h/attr/note/value/attr/originator/value/xbb'], 'xbb'),
  ],
  'an attribute of origin behind another one': ['stranger', ofOrigin([`${kOf}xaa/attr/originator/value/xbb`], 'xbb')],
  'an attribute that is no name': ['stranger', ofOrigin(['no fqn'], 'xbb')],
  'a policy as key services read it': ['signed', withPolicy((policy) => (policy.more = [[[[[[[]]]]]]]), 'xaa')],
  'a policy nested too deeply': ['stranger', withPolicy((policy) => (policy.more = [[[[[[[[]]]]]]]]))],
  'a policy with too many attributes': [
    'stranger',
    withPolicy((_, body) => (body.dataAttributes = Array(257).fill(body.dataAttributes[0]))),
  ],
  'a policy that names too many': ['stranger', withPolicy((_, body) => (body.dissem = Array(1025).fill('ana')))],
  'a policy that names nobody as somebody': ['stranger', withPolicy((_, body) => body.dissem.push(''))],
  'a policy whose id has a quote': ['stranger', withPolicy((policy) => (policy.uuid = '"'))],
  'an attribute whose letters are others when lowered': [
    'stranger',
    withPolicy((_, body) => body.dataAttributes.push({ attribute: 'https://h/attr/\u212a/value/x' })),
  ],
  'an attribute with junk behind it': ['stranger', ofOrigin([`${kOf}xbb`, `${kOf}xbb junk`], 'xbb')],
  'another key of the object over the same sealed bytes': [
    'refused',
    signedThen(asIs, 'xaa', 'XAA', { claims: { root: Buffer.alloc(32).toString('base64url') } }),
  ],
  "another type of the signature's own statement": [
    'unsigned',
    signedThen(asIs, 'xaa', 'XAA', { assertion: { type: 'handling' } }),
  ],
  "more in the signature's own statement": ['unsigned', signedThen(asIs, 'xaa', 'XAA', { assertion: { more: 1 } })],
  'no name': ['unsigned', signedThen(asIs, 'xaa', '')],
  'a name that is a number': ['unsigned', signedThen(asIs, 'xaa', 'XAA', { header: { kid: 7 } })],
  'another originator in what is signed': ['refused', signedThen(asIs, 'xaa', 'XAA', { claims: { originator: 'XBB' } })],
  'more in what is signed': ['refused', signedThen(asIs, 'xaa', 'XAA', { claims: { more: 1 } })],
  'another payload in what is signed': ['refused', signedThen(asIs, 'xaa', 'XAA', { claims: { segments: 'A' } })],
  'another algorithm': ['refused', signedThen(asIs, 'xaa', 'XAA', { header: { alg: 'HS256' } })],
  'another type of token': ['refused', signedThen(asIs, 'xaa', 'XAA', { header: { typ: 'JWT' } })],
  'a type of token that is spelled otherwise': [
    'signed',
    signedThen(asIs, 'xaa', 'XAA', { header: { typ: 'application/Entente-Originator+JWS' } }),
  ],
  'a key in the token': ['refused', signedThen(asIs, 'xaa', 'XAA', { header: { jwk: {} } })],
  'a header that says more': ['signed', signedThen(asIs, 'xaa', 'XAA', { header: { more: [[1]] } })],
  'a header nested too deeply': ['unsigned', signedThen(asIs, 'xaa', 'XAA', { header: { more: [[[[1]]]] } })],
  'under another schema': [
    'unsigned',
    signedThen(asIs, 'xaa', 'XAA', {
      assertion: { statement: { format: 'jws', schema: 'urn:other', value: 'a.b.c' } },
    }),
  ],
};
const keysOf = (name) => (['XAA', 'XBB'].includes(name) ? [keys[name.toLowerCase()].pem] : []);
const kSays = [
  ['signed', /^signed by XAA's originator key/m],
  ['stranger', /^not signed by its originator: signed by XBB's key/m],
  ['unknown', /^says that XDD signed it: not verified/m],
  ['unsigned', /^not signed by its originator: whoever/m],
];

async function signerByPage(bytes) {
  try {
    const { object, segments } = await open(bytes);
    return (await signerOf(object.manifest, segments, keysOf)).state;
  } catch (error) {
    assert.ok(error instanceof TdfError, String(error.stack));
    assert.equal(error.code, 'data.originator');
    return 'refused';
  }
}
function signerByCommand(bytes) {
  const known = ['xaa', 'xbb'].flatMap((name) => ['--known-originator', `${name.toUpperCase()}=${keys[name].file}`]);
  const { status, stdout, stderr } = runCommand(bytes, known);
  if (status !== 0) {
    assert.match(stderr, /data\.originator/);
    return 'refused';
  }
  const says = kSays.filter(([, words]) => words.test(stdout)).map(([state]) => state);
  assert.equal(says.length, 1, stdout);
  return says[0];
}

async function byPage(bytes) {
  try {
    const { plain } = await open(bytes);
    assert.equal(plain.toString(), kReport);
    return 'opens';
  } catch (error) {
    assert.ok(error instanceof TdfError || error instanceof KeysRefused, String(error.stack));
    return 'refused';
  }
}
function runCommand(bytes, words = []) {
  const [file, out] = [join(folder, 'one.tdf'), join(folder, 'one.txt')];
  writeFileSync(file, bytes);
  rmSync(out, { force: true });
  const done = spawnSync(program, ['open', file, '--key', keys.xaa.privateFile, ...words, '-o', out], {
    encoding: 'utf8',
  });
  if (done.status !== 0) {
    assert.equal(existsSync(out), false, 'nothing of it is left');
    assert.ok(kExitsRefused.includes(done.status), done.stderr);
  }
  return done;
}
// What nobody opened is looked at first.
function inspected(bytes) {
  const file = join(folder, 'one.tdf');
  writeFileSync(file, bytes);
  return spawnSync(program, ['inspect', file, '--known-originator', `XAA=${keys.xaa.file}`], { encoding: 'utf8' });
}
const byCommand = (bytes) => (runCommand(bytes).status === 0 ? 'opens' : 'refused');

for (const [expected, cases] of [
  ['opens', kGood],
  ['refused', kBad],
])
  for (const [what, make] of Object.entries(cases))
    test(`${what}: ${expected} by both`, async () => {
      const bytes = await make();
      assert.equal(await byPage(bytes), expected, 'the page');
      if (skip) return;
      assert.equal(byCommand(bytes), expected, 'the command line');
      assert.ok([0, ...kExitsRefused].includes(inspected(bytes).status), 'looked at');
    });

for (const [what, [expected, make]] of Object.entries(kSigners))
  test(`${what}: ${expected} for both`, async () => {
    const bytes = await make();
    assert.equal(await signerByPage(bytes), expected, 'the page');
    if (!skip) assert.equal(signerByCommand(bytes), expected, 'the command line');
  });

test('of several keys of an originator any one will do, and what is no key does not', async () => {
  const { object, segments } = await open(await kSigners['signed by its originator'][1]());
  const state = async (...pems) => (await signerOf(object.manifest, segments, () => pems)).state;
  assert.equal(await state(keys.xbb.pem, keys.xaa.pem), 'signed');
  assert.equal(await state('no key', keys.xaa.pem), 'signed');
  await assert.rejects(state(keys.xbb.pem), { code: 'data.originator' });
  await assert.rejects(state('no key'), { code: 'data.originator' });
});
