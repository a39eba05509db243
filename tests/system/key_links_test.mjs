// What a partner's node can do to another's key service, and to whoever asks its own: many requests and answers that
// come slowly, or never end, over a true link.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { SignJWT } from 'jose';
import { ask } from '../../demo/loopback.mjs';
import { readTemplate } from '../../demo/plan.mjs';
import { Coalition, command, skip, system, until, writeJson } from './coalition.mjs';
import { HostileNode, HostileService, makeNation } from './hostile_node.mjs';
import { accessToken, keyService, makePair, proof } from './token.mjs';

const kMiB = 1 << 20;
const kAtOnce = 1024; // Links::kKeysAtOnce
const kBytesAtOnce = 16 * kMiB; // Links::kKeysBytesAtOnce
const kLong = Buffer.alloc(1.9 * kMiB, ' '); // a body that is whole at 2 MiB
const kMany = 200; // such bodies: 380 MiB
const kGrowthMax = 6 * kBytesAtOnce; // of the node meanwhile: what lies there, and all else
const kDripMs = 500;
const kEndMs = 30_000; // long after it has to be over
const foreignService = 'https://kas.xcc.localhost:8443';
const fqn = (attribute, value) => `https://harbor-light.example/attr/${attribute}/value/${value}`;

let coalition, folder, cassia, service;
const file = (name) => join(folder, name);

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'entente-key-links-'));
  cassia = makeNation('XCC', folder);
  service = await new HostileService(cassia).listen();
  coalition = await Coalition.start((plan) => {
    const path = join(plan, 'genesis-xaa.json');
    const genesis = readTemplate(path);
    genesis.records['partner/XCC'] = { ...cassia.record, link_address: `127.0.0.1:${service.port}` };
    genesis.records['key-service/XCC'] = { url: foreignService };
    writeJson(path, genesis);
  });
});
after(async () => {
  await coalition?.end();
  service?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

// Of XAA's node, in bytes: what it holds now, and the most it ever held.
function memory(which) {
  const status = readFileSync(`/proc/${coalition.processOf(coalition.config('XAA'))}/status`, 'utf8');
  return Number(new RegExp(`^${which}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024;
}

// Fails where the node came to hold much more meanwhile than it did before.
async function withinMemory(context, run) {
  const held = memory('VmRSS');
  await run();
  const grown = memory('VmHWM') - held;
  context.diagnostic(`the node held at most ${Math.round(grown / kMiB)} MiB more`);
  assert.ok(grown <= kGrowthMax, `it held ${Math.round(grown / kMiB)} MiB more`);
}

// Sends that, and then a byte now and then until the other end has had enough.
function drip(stream, begin) {
  stream.write(begin);
  const timer = setInterval(() => stream.write(' '), kDripMs);
  stream.on('error', () => {}).on('close', () => clearInterval(timer));
}

const as = (...words) =>
  command([process.execPath, new URL('../../demo/as.mjs', import.meta.url).pathname, coalition.file('demo.json'), ...words]);

system('attack: a partner sends long requests for keys without end: memory is bounded, others are answered, each ends', async (context) => {
  writeFileSync(file('shared.txt'), 'EXERCISE\n');
  const sealed = await as('konrad', 'seal', file('shared.txt'), '--for', 'XBB', '-o', file('shared.tdf'));
  assert.equal(sealed.code, 0, sealed.output);
  const hostile = await new HostileNode(cassia, coalition.nation('XAA').port).dial();
  const seen = { open: 0, refused: 0, ended: 0 };
  let more = true;
  const attack = () => {
    const stream = hostile.post('/entente/keys');
    let status;
    seen.open += 1;
    stream.on('response', (fields) => {
      status = fields[':status'];
      stream.destroy(); // it would not end by itself, with so much that nobody takes
    });
    stream.on('close', async () => {
      seen.open -= 1;
      seen[status === 429 ? 'refused' : 'ended'] += 1;
      await wait(1000);
      if (more) attack();
    });
    drip(stream, kLong);
  };
  await withinMemory(context, async () => {
    for (let i = 0; i < kMany; i += 1) attack();
    await until('some have no room', () => seen.refused > 0);
    const opened = await as('ingrid', 'open', file('shared.tdf'), '-o', file('shared.out'));
    assert.equal(opened.code, 0, opened.output);
    assert.equal(readFileSync(file('shared.out'), 'utf8'), 'EXERCISE\n');
    await until('those that found room are ended', () => seen.ended > 0, kEndMs);
    more = false;
    await until('each is ended, slow as it is', () => seen.open === 0, kEndMs);
  });
  context.diagnostic(`${seen.refused} were refused, ${seen.ended} ended`);
  hostile.hangUp();
});

system('attack: a partner begins requests for keys without end: so many are read at once, each for so long', async () => {
  const hostile = await new HostileNode(cassia, coalition.nation('XAA').port).dial();
  const kMore = 80;
  const seen = { open: kAtOnce + kMore, statuses: [] };
  for (let i = 0; i < kAtOnce + kMore; i += 1) {
    const stream = hostile.post('/entente/keys');
    stream.on('response', (fields) => seen.statuses.push(fields[':status'])).on('close', () => (seen.open -= 1));
    drip(stream, ' ');
  }
  await until('what is beyond is refused', () => seen.statuses.length === kMore);
  assert.equal(seen.open, kAtOnce, 'and nothing else');
  await until('each is ended, slow as it is', () => seen.open === 0, kEndMs);
  assert.deepEqual([...new Set(seen.statuses)], [429]);
  assert.equal(seen.statuses.length, kMore);
  hostile.hangUp();
});

// One of XAA's people asks for a key of Cassia's, at their own door: the status.
async function asker() {
  const pair = await makePair();
  const { login } = coalition.demo.people.find(({ nation }) => nation === 'XAA');
  const token = await accessToken(coalition, login, pair);
  const base64 = (value) => Buffer.from(value).toString('base64');
  const words = [['classification', 'restricted'], ['originator', 'xcc'], ['releasable-to', 'xaa']];
  const dataAttributes = words.map(([attribute, value]) => ({ attribute: fqn(attribute, value) }));
  const uuid = '00000000-0000-4000-8000-000000000013';
  const policy = base64(JSON.stringify({ uuid, body: { dataAttributes, dissem: [] } }));
  const spki = await crypto.subtle.exportKey('spki', pair.publicKey);
  const pem = base64(spki).match(/.{1,64}/g).join('\n');
  const policyBinding = { alg: 'HS256', hash: base64('0'.repeat(64)) };
  const keyAccessObject = { type: 'wrapped', url: foreignService, protocol: 'kas', wrappedKey: base64('x'.repeat(256)), policyBinding };
  const requestBody = JSON.stringify({
    clientPublicKey: `-----BEGIN PUBLIC KEY-----\n${pem}\n-----END PUBLIC KEY-----\n`,
    requests: [{ policy: { id: 'p', body: policy }, keyAccessObjects: [{ keyAccessObjectId: 'k', keyAccessObject }] }],
  });
  const url = `${keyService(coalition, 'XAA')}/kas.AccessService/Rewrap`;
  return async () => {
    const signedRequestToken = await new SignJWT({ requestBody })
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(pair.privateKey);
    const dpop = await proof(pair, 'POST', url, { token });
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}`, dpop };
    return ask(url, { method: 'POST', headers, body: JSON.stringify({ signedRequestToken }), ca: coalition.ca });
  };
}

system('attack: a partner\'s key service answers by the byte, or never: who asks is told so, and nothing of it goes on', async () => {
  const once = await asker();
  const ways = {
    'by the byte': (stream) => {
      stream.respond({ ':status': 200 });
      drip(stream, '{"status"');
    },
    never: () => {},
    'without a word beyond its head': (stream) => stream.respond({ ':status': 200 }),
  };
  for (const [name, way] of Object.entries(ways)) {
    const asked = [];
    service.keys = (stream) => {
      asked.push(stream);
      stream.on('error', () => {});
      way(stream);
    };
    const answer = await once();
    assert.equal(asked.length, 1, `${name}: ${answer.status} ${answer.body}`);
    assert.doesNotMatch(answer.body, /permit/, name);
    await until(`${name}: it is asked no longer`, () => asked[0].closed, kEndMs);
  }
});

system('attack: a partner\'s key service answers at length and does not end: memory is bounded', async (context) => {
  const once = await asker();
  const asked = [];
  service.keys = (stream) => {
    asked.push(stream);
    stream.on('error', () => {}).respond({ ':status': 200 });
    drip(stream, kLong);
  };
  await withinMemory(context, async () => {
    const answers = [];
    for (let i = 0; i < kMany; i += 1) {
      answers.push(once());
      await wait(10);
    }
    for (const answer of await Promise.all(answers)) assert.doesNotMatch(answer.body, /permit/);
    assert.ok(asked.length > kBytesAtOnce / kLong.length, `${asked.length} were asked`);
    await until('it is asked no longer', () => asked.every(({ closed }) => closed), kEndMs);
  });
});
