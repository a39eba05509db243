// Sealed objects as the lobby's page opens them: what `entente seal` wrote, and what somebody made to deceive it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { KeysRefused, TdfError, contentOf, kShownBytesMax, markingOf, serviceOf } from './tdf.js';
import { toBase64 } from './tdf_bytes.js';
import {
  base64,
  begin,
  bindingOf,
  fileOf,
  isRefused,
  kLabel,
  kReport,
  kService,
  keys,
  open,
  partsOf,
  seal,
  serviceWith,
  skip,
  wrap,
  zipOf,
} from './tdf_for_test.mjs';
import { canonicalJson, parseJson } from './tdf_json.js';

begin();

test('what `entente seal` wrote opens: both versions, sizes around a segment, shares', { skip }, async () => {
  const large = 'EXERCISE '.repeat(520_000); // three segments
  for (const version of ['4.3.0', '4.2.2'])
    for (const [index, plain] of ['', 'x', kReport, large].entries()) {
      const { plain: opened } = await open(seal(`v${index}`, plain, '--tdf-version', version));
      assert.equal(opened.toString(), plain);
    }
  const split = seal(
    'split',
    kReport,
    '--to',
    `${kService}=${keys.xaa.file}`,
    '--to',
    `https://kas.xbb.localhost:8442=${keys.xbb.file}`,
    '--split-per-recipient',
  );
  const ask = serviceWith(['xaa', 'xbb']);
  assert.equal((await open(split, ask)).plain.toString(), kReport);
  assert.deepEqual(ask.asked.map(({ service }) => service).sort(), [
    kService,
    'https://kas.xbb.localhost:8442',
  ]);
});

test("the banner is the node's marking alone: without it, or with two, nothing is shown", async () => {
  const marked = (marking) => serviceWith(['xaa', 'xbb'], { change: (result) => ({ ...result, marking }) });
  const bytes = fileOf(await partsOf()); // it bears a label, and attributes of a classification
  const { permits } = await open(bytes, marked('EXERCISE SECRET'));
  assert.equal(markingOf(permits), 'EXERCISE SECRET');
  const shut = (answers) => assert.throws(() => markingOf(answers), isRefused(/^page\.marking$/));
  for (const none of [undefined, null, '', 7, 'x'.repeat(1025)]) {
    shut((await open(bytes, marked(none))).permits);
    shut([...permits, { marking: none }]);
  }
  shut([...permits, { marking: 'EXERCISE RESTRICTED' }]);
  shut([]);
});

test('attack: every byte flipped is refused, or changes nothing that is looked at', async () => {
  const bytes = fileOf(await partsOf());
  assert.equal((await open(bytes)).plain.toString(), kReport);
  let same = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const bad = Buffer.from(bytes);
    bad[at] ^= [0x01, 0x20, 0x80][at % 3];
    try {
      const { plain } = await open(bad);
      assert.equal(plain.toString(), kReport, `byte ${at}`);
      same += 1;
    } catch (error) {
      assert.ok(error instanceof TdfError || error instanceof KeysRefused, `byte ${at}: ${error.stack}`);
    }
  }
  assert.ok(same < 48, `${same}: versions, times, attributes and unused flags of the ZIP's headers alone`);
});

test('attack: every byte of the manifest flipped behind a right checksum', async () => {
  const parts = await partsOf();
  const text = JSON.stringify(parts.manifest);
  for (let at = 0; at < text.length; at += 1) {
    const bad = Buffer.from(text);
    bad[at] ^= [0x01, 0x02, 0x10][at % 3];
    const file = zipOf([
      { name: '0.payload', bytes: parts.payload },
      { name: '0.manifest.json', bytes: bad },
    ]);
    try {
      const { plain } = await open(file);
      assert.equal(plain.toString(), kReport, `byte ${at}`);
    } catch (error) {
      assert.ok(error instanceof TdfError || error instanceof KeysRefused, `byte ${at}: ${error.stack}`);
    }
  }
});

test('attack: truncated anywhere, or with something behind it', async () => {
  const bytes = fileOf(await partsOf());
  for (let length = 0; length < bytes.length; length += 11)
    await assert.rejects(open(bytes.subarray(0, length)), isRefused(/^data\.zip$/));
  await assert.rejects(open(Buffer.concat([bytes, Buffer.from([0])])), isRefused(/^data\.zip$/));
});

test('attack: segments in another order, doubled, left out', async () => {
  const parts = await partsOf(['first part ', 'second part', 'third part ']);
  assert.equal((await open(fileOf(parts))).plain.toString(), 'first part second partthird part ');
  const [a, b, c] = parts.segments;
  const listed = (order) => {
    const manifest = structuredClone(parts.manifest);
    const { integrityInformation } = manifest.encryptionInformation;
    integrityInformation.segments = order.map((index) => integrityInformation.segments[index]);
    return manifest;
  };
  await assert.rejects(
    open(fileOf({ ...parts, payload: Buffer.concat([b, a, c]) })),
    isRefused(/^data\.segment$/),
  );
  for (const [payload, order] of [
    [
      [b, a, c],
      [1, 0, 2],
    ],
    [
      [a, a, c],
      [0, 0, 2],
    ],
    [
      [a, b],
      [0, 1],
    ],
    [
      [a, b, c, c],
      [0, 1, 2, 2],
    ],
  ])
    await assert.rejects(
      open(fileOf({ payload: Buffer.concat(payload), manifest: listed(order) })),
      isRefused(/^data\.root-signature$/),
    );
  for (const payload of [
    [a, b],
    [a, b, c, c],
  ])
    await assert.rejects(
      open(fileOf({ ...parts, payload: Buffer.concat(payload) })),
      isRefused(/^data\.segment$/),
    );
});

test('attack: entries doubled, overlapping, renamed, compressed, beside others', async () => {
  const { payload, manifest } = await partsOf();
  const one = { name: '0.payload', bytes: payload };
  const two = { name: '0.manifest.json', bytes: Buffer.from(JSON.stringify(manifest)) };
  assert.equal((await open(zipOf([two, one]))).plain.toString(), kReport, 'either order');
  const kLocalBytes = 30;
  const outer = { ...one, bytes: zipOf([two]).subarray(0, kLocalBytes + two.name.length + two.bytes.length) };
  const bad = {
    'the manifest twice': zipOf([one, two, { ...two }]),
    'two payloads': zipOf([one, { ...one }]),
    'one entry': zipOf([one, two], { listed: [two] }),
    'one entry listed twice': zipOf([one, two], { listed: [two, two] }),
    'one inside the other': zipOf([outer], {
      listed: [outer, { ...two, at: kLocalBytes + outer.name.length }],
    }),
    'of another size than its header says': zipOf([one, two], {
      listed: [{ ...one, at: 0, size: payload.length + 60 }, two],
    }),
    'another name': zipOf([{ ...one, name: '../payload' }, two]),
    compressed: zipOf([one, two], { listed: [{ ...one, at: 0, method: 8 }, two] }),
    'a file beside it': zipOf([one, two, { name: 'run.js', bytes: Buffer.from('1') }]),
  };
  for (const [what, bytes] of Object.entries(bad))
    await assert.rejects(open(bytes), isRefused(/^data\.zip$/), what);
});

test('attack: huge declared sizes cost nothing', async () => {
  const parts = await partsOf();
  const two = { name: '0.manifest.json', bytes: Buffer.from(JSON.stringify(parts.manifest)) };
  const asked = serviceWith(['xaa']);
  const claims = (change) => {
    const manifest = structuredClone(parts.manifest);
    change(manifest.encryptionInformation.integrityInformation, manifest);
    return fileOf({ ...parts, manifest });
  };
  const one = parts.manifest.encryptionInformation.integrityInformation.segments[0];
  const bad = [
    zipOf([{ name: '0.payload', bytes: parts.payload, size: 0xfffffffe }, two]),
    zipOf([
      { name: '0.payload', bytes: parts.payload },
      { ...two, size: 0x7fffffff },
    ]),
    claims((integrity) => (integrity.segments = Array.from({ length: 20_000 }, () => one))),
    claims(
      (integrity) =>
        (integrity.segments = [{ ...one, segmentSize: 2 ** 53, encryptedSegmentSize: 2 ** 53 + 28 }]),
    ),
    claims(
      (integrity) =>
        (integrity.segments = Array.from({ length: 3 }, () => ({
          ...one,
          segmentSize: 2 ** 24,
          encryptedSegmentSize: 2 ** 24 + 28,
        }))),
    ),
    claims((integrity) => (integrity.segmentSizeDefault = -1)),
    claims((integrity, manifest) => (manifest.more = Array.from({ length: 200_000 }, () => 0))),
    claims((integrity, manifest) => (manifest.more = JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`))),
    claims((integrity, manifest) => (manifest.more = 'x'.repeat(4 * 1024 * 1024))),
  ];
  for (const [index, bytes] of bad.entries())
    await assert.rejects(open(bytes, asked), isRefused(/^data\.(zip|manifest|too-large)$/), `case ${index}`);
  assert.equal(asked.asked.length, 0, 'no key is asked for');
  assert.ok(kShownBytesMax < 3 * 2 ** 24);
});

test('attack: a manifest that says a thing twice, or another policy, key or address', async () => {
  const parts = await partsOf();
  const text = JSON.stringify(parts.manifest);
  const raw = (manifest) =>
    zipOf([
      { name: '0.payload', bytes: parts.payload },
      { name: '0.manifest.json', bytes: Buffer.from(manifest) },
    ]);
  await assert.rejects(
    open(raw(text.replace('"type":"split"', '"type":"split","type":"split"'))),
    isRefused(/manifest/),
  );
  const polluting = raw(text.replace('{', '{"__proto__":{"type":"x"},'));
  assert.equal((await open(polluting)).plain.toString(), kReport, 'a name like any other');
  assert.equal({}.type, undefined);
  const changed = (change) => {
    const manifest = structuredClone(parts.manifest);
    change(manifest.encryptionInformation, manifest);
    return fileOf({ ...parts, manifest });
  };
  const policy = base64(JSON.stringify({ uuid: 'p-1', body: { dataAttributes: [], dissem: [] } }));
  await assert.rejects(open(changed((info) => (info.policy = policy))), isRefused(/^data\.binding$/));
  await assert.rejects(
    open(changed((info) => (info.method.algorithm = 'AES-256-CTR'))),
    isRefused(/manifest/),
  );
  await assert.rejects(
    open(changed((info) => (info.integrityInformation.segmentHashAlg = 'HS256'))),
    isRefused(/manifest/),
  );
  await assert.rejects(
    open(changed((info) => (info.keyAccess[0].url = 'javascript:alert(1) '))),
    isRefused(/manifest/),
  );
  await assert.rejects(
    open(changed((info, manifest) => (manifest.payload.isEncrypted = false))),
    isRefused(/manifest/),
  );
  await assert.rejects(open(changed((info) => (info.keyAccess = []))), isRefused(/manifest/));
  await assert.rejects(
    open(changed((info) => (info.integrityInformation.rootSignature.sig = base64(randomBytes(32))))),
    isRefused(/root-signature/),
  );
});

test('attack: a wrong key, and answers that lie', async () => {
  const bytes = fileOf(await partsOf());
  await assert.rejects(open(bytes, serviceWith(['xbb'])), KeysRefused);
  const other = await wrap(randomBytes(32), keys.xbb.pem);
  const lies = {
    'wrapped to somebody else': (one) => ({ ...one, kasWrappedKey: base64(other.sealed) }),
    'no key': (one) => ({ ...one, kasWrappedKey: '' }),
    'of another object': (one) => ({ ...one, keyAccessObjectId: 'kao-7' }),
    nothing: () => null,
  };
  for (const [what, change] of Object.entries(lies))
    await assert.rejects(
      open(bytes, serviceWith(['xaa'], { change })),
      (error) => error instanceof KeysRefused || /^data\.unwrap$/.test(error.code),
      what,
    );
  // A share of the service's choosing: the policy's binding does not hold under it.
  const parts = await partsOf();
  const { sealed, pem } = await wrap(randomBytes(32), keys.xaa.pem);
  Object.assign(parts.manifest.encryptionInformation.keyAccess[0], {
    wrappedKey: base64(sealed),
    ephemeralPublicKey: pem,
  });
  await assert.rejects(open(fileOf(parts)), isRefused(/^data\.binding$/));
});

test('attack: statements about the object that are forged, changed, unbound or doubled', async () => {
  const parts = await partsOf();
  const nothing = Buffer.from('{"alg":"none"}').toString('base64url');
  const cases = {
    changed: (list) => (list[0].statement.value.ocl.cls = 'UNCLASSIFIED'),
    unbound: (list) => delete list[0].binding,
    doubled: (list) => list.push(list[0]),
    'bound by another key': (list) => (list[0].binding = bindingOf(randomBytes(32), kLabel, parts.tags)),
    'bound to other segments': (list) => (list[0].binding = bindingOf(parts.key, kLabel, [randomBytes(16)])),
    'bound by nothing': (list) =>
      (list[0].binding.signature = `${nothing}.${list[0].binding.signature.split('.')[1]}.`),
    'bound by whatever it says': (list) =>
      (list[0].binding.signature = [nothing, ...list[0].binding.signature.split('.').slice(1)].join('.')),
  };
  for (const [what, change] of Object.entries(cases)) {
    const manifest = structuredClone(parts.manifest);
    change(manifest.assertions);
    await assert.rejects(open(fileOf({ ...parts, manifest })), isRefused(/^data\.assertion$/), what);
  }
});

test('of joint origin: both are asked, and who said no is told; what was permitted is given back', async () => {
  const other = 'https://kas.xbb.localhost:8442';
  const bytes = fileOf(await partsOf([kReport], { nations: { xaa: kService, xbb: other } }));
  assert.equal((await open(bytes)).plain.toString(), kReport);
  const ask = serviceWith(['xaa', 'xbb'], { refuse: { [kService]: 'It was recalled. (verdict 1)' } });
  const error = await open(bytes, ask).catch((thrown) => thrown);
  assert.ok(error instanceof KeysRefused);
  assert.deepEqual(
    error.answers.sort((a, b) => a.service.localeCompare(b.service)),
    [
      { service: kService, index: 0, permitted: false, words: 'It was recalled. (verdict 1)', wish: undefined },
      { service: other, index: 1, permitted: true, words: '', wish: undefined },
    ],
  );
  assert.equal(error.permits.length, 1);
  for (const { service, text } of ask.asked)
    assert.ok(
      JSON.parse(text).requests.every(({ keyAccessObjects }) =>
        keyAccessObjects.every(({ keyAccessObject }) => keyAccessObject.url === service),
      ),
    );
});

test('of several keys that one service gave, all are given back when one of them does not open', async () => {
  // The answer names one session key, the last one's: the first share does not open.
  const bytes = fileOf(await partsOf([kReport], { nations: { xaa: kService, xbb: kService } }));
  const error = await open(bytes).catch((thrown) => thrown);
  assert.equal(error.code, 'data.unwrap');
  assert.deepEqual(
    error.permits.map(({ view }) => view),
    ['v1', 'v2'],
  );
});

test('how long a key lasts is counted from when it was asked for, whatever the answer took', async () => {
  const service = serviceWith(['xaa']);
  let asked;
  const { permits } = await open(fileOf(await partsOf()), async (...request) => {
    asked = performance.now();
    return service(...request);
  });
  assert.ok(permits[0].asked <= asked);
});

test('alternatives are asked one after another, and no more than are needed', async () => {
  const other = 'https://kas.xbb.localhost:8442';
  const parts = await partsOf();
  const [first] = parts.manifest.encryptionInformation.keyAccess;
  parts.manifest.encryptionInformation.keyAccess = [{ ...first, url: `${other}/kas` }, first];
  const refusing = serviceWith(['xaa'], { refuse: { [other]: 'Not here.' } });
  assert.equal((await open(fileOf(parts), refusing)).plain.toString(), kReport);
  assert.deepEqual(
    refusing.asked.map(({ service }) => service),
    [other, kService],
  );
  const willing = serviceWith(['xaa']);
  await open(fileOf(parts), willing);
  assert.equal(willing.asked.length, 1);
});

test('what is shown is judged by what it is', () => {
  const bytes = (text) => new TextEncoder().encode(text);
  assert.deepEqual(contentOf(bytes('<script>alert(1)</script>')), {
    kind: 'text',
    text: '<script>alert(1)</script>',
  });
  assert.equal(contentOf(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0)).type, 'image/png');
  assert.equal(contentOf(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)).type, 'image/jpeg');
  assert.equal(contentOf(Uint8Array.of(0x50, 0x4b, 0, 0)).kind, 'other');
  assert.equal(contentOf(Uint8Array.of(0xc3, 0x28)).kind, 'other');
});

test('addresses of key services, canonical JSON, strict JSON', () => {
  for (const tail of ['', '/', '/kas', '/kas/', '/v2/rewrap', '/kas/v2/rewrap'])
    assert.equal(serviceOf(kService + tail), kService);
  assert.equal(serviceOf('HTTPS://Ana@KAS.xaa.localhost:8441/Keys@A/'), 'https://Ana@kas.xaa.localhost:8441/Keys@A');
  assert.equal(serviceOf('https://\u212aas.xaa.localhost'), 'https://\u212aas.xaa.localhost');
  assert.equal(
    canonicalJson({ b: [1, 'ü'], a: { d: null, c: 1e21 } }),
    '{"a":{"c":1e+21,"d":null},"b":[1,"ü"]}',
  );
  for (const text of [
    '',
    '{',
    '[1,]',
    '{"a":1,}',
    '01',
    '1 2',
    '"\n"',
    "{'a':1}",
    '{"a":1,"\\u0061":2}',
    'tru',
    '1e999',
    '"\\x"',
  ])
    assert.throws(() => parseJson(text, 10), SyntaxError, text);
  assert.deepEqual(
    parseJson(' [ {"a" : [true, null, -1.5e1, "\\u00fc"]} ] ', 20).map((one) => one.a),
    [[true, null, -15, 'ü']],
  );
  assert.equal(toBase64(Uint8Array.of(1, 2, 3, 4)), 'AQIDBA==');
});
