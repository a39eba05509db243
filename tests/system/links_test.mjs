// Attacks on what partners and connectors dial: strangers, borrowed keys, enrolment, and floods by somebody who
// holds a partner's true key.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createServer as createTls } from 'node:tls';
import { ask } from '../../demo/loopback.mjs';
import { Coalition, program, readJson, setLimits, skip, system, until, writeJson } from './coalition.mjs';
import { block, endHeaders, endStream, frame, framesIn, preface, settings } from './frames.mjs';
import { makeNation } from './hostile_node.mjs';
import { Visitor } from './visitor.mjs';
import { Witness } from './witness.mjs';
import { dial, openTls } from './wire.mjs';

const kLink = 'entente-link/1';
const kReverse = 'entente-link-reverse/1';
const kConnector = 'entente-connector/1';
const kFloodBytesMax = 64 * 1024 * 1024; // where an attack gives up; the node must have ended it long before
const kEndedByBytes = 20 * 1024 * 1024; // one frame of the greatest length, and little more
const kPatienceMs = 10_000;
const greeting = Buffer.concat([preface, settings()]);
const kStreamsPerLink = 64;
const kOwnStreams = 8; // of the nodes themselves, on top
const kDialsMost = 6; // after as many the pause is the longest
const kPauseMs = 1_000; // of 1,500: a late test sees less
const kSeenMs = 250; // in which a node sees that a link is up

let coalition, folder, konrad, port, foreign, borealis, cassia, closer;

// Takes whoever dials by that protocol, and closes at once, or soon, when the stream `until` has begun. `came`:
// when each came that got so far, by the moment in which its TCP connection was taken: before it had an answer.
async function closesAtOnce({ key, cert }, alpn, { says, until: enough, answer }) {
  const [arrived, came] = [new Map(), []];
  const server = createTls({ key, cert, requestCert: true, rejectUnauthorized: false, ALPNProtocols: [alpn] });
  server.on('tlsClientError', () => {});
  server.on('connection', (raw) => arrived.set(raw.remotePort, performance.now()));
  server.on('secureConnection', (socket) => {
    const received = [];
    let [answered, done] = [false, false];
    socket.write(says);
    socket.on('error', () => {}).on('data', (chunk) => {
      received.push(chunk);
      const bytes = Buffer.concat(received);
      const frames = framesIn(bytes.subarray(bytes.indexOf(preface) === 0 ? preface.length : 0));
      const has = (id) => frames.some(({ type, stream }) => stream === id && ['headers', 'reset'].includes(type));
      if (answer && !answered && has(1)) answered = socket.write(answer) || true;
      if (!has(enough) || done) return;
      done = true;
      came.push(arrived.get(socket.remotePort));
      setTimeout(() => socket.destroy(), came.length % 2 === 0 ? 0 : kSeenMs);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { server, came, port: server.address().port };
}

async function pausesGrow({ came }, who) {
  await until(`${who} has dialed`, () => came.length >= kDialsMost + 2, 60_000);
  const pauses = came.slice(1).map((at, index) => Math.round(at - came[index]));
  for (const pause of pauses.slice(kDialsMost - 1)) assert.ok(pause >= kPauseMs, `${who}: ${pauses} ms`);
}

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'entente-links-'));
  cassia = makeNation('XCC', folder); // has no node that would dial again and replace what we dial
  const dunmore = makeNation('XDD', folder);
  closer = await closesAtOnce(dunmore, kLink, {
    says: settings([[8, 1]]), // extended CONNECT
    answer: frame('headers', endHeaders, 1, block([[':status', '200']])), // the control stream is taken
    until: 3, // and what is asked once it is
  });
  coalition = await Coalition.start((plan) => {
    const path = join(plan, 'genesis-xaa.json');
    const genesis = readJson(path);
    genesis.records['app/relief'] = { ...genesis.records['app/cop'], name: 'Relief desk', offered_to: [] };
    genesis.records['partner/XCC'] = cassia.record;
    genesis.records['partner/XDD'] = { ...dunmore.record, link_address: `127.0.0.1:${closer.port}` };
    writeJson(path, genesis);
    setLimits(plan, 'XAA', { streams_per_link_max: kStreamsPerLink });
  });
  port = coalition.nation('XAA').port;
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  execFileSync('openssl', [...made, '-subj', '/CN=XBB', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  foreign = { key: readFileSync(key), cert: readFileSync(cert) };
  borealis = linkKey('xbb');
  konrad = await Visitor.inside(coalition, 'konrad');
});

after(async () => {
  closer?.server.close();
  await coalition?.end();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function linkKey(nation) {
  const keys = (name) => readFileSync(coalition.file(`node-${nation}`, 'keys', name));
  return { cert: keys('link-certificate.pem'), key: keys('link.pem') };
}

system('whoever has no pinned certificate gets nothing on the ways of nodes and connectors', async () => {
  const strangers = {
    'no certificate': {},
    'a certificate of their own': foreign,
    'a certificate of the door': {
      cert: readFileSync(coalition.file('certificates', 'xbb.cert.pem')),
      key: readFileSync(coalition.file('certificates', 'xbb.key.pem')),
    },
    "the node's own link certificate": linkKey('xaa'),
  };
  for (const [name, credentials] of Object.entries(strangers)) {
    for (const alpn of [kLink, kReverse, kConnector]) {
      const { received, ended } = await dial(port, alpn, credentials, greeting);
      assert.ok(ended, `${name} on ${alpn} is closed`);
      assert.equal(received.length, 0, `${name} on ${alpn} gets ${received.length} bytes`);
    }
  }
});

system("a partner's own key is answered, so silence above means refusal", async () => {
  const { received } = await dial(
    port,
    kLink,
    borealis,
    Buffer.concat([greeting, frame('goaway', 0, 0, Buffer.alloc(8))]),
  );
  const [first] = framesIn(received);
  assert.equal(first?.type, 'settings');
  const said = new Map();
  for (let at = 0; at < first.payload.length; at += 6)
    said.set(first.payload.readUInt16BE(at), first.payload.readUInt32BE(at + 2));
  assert.equal(said.get(3), kStreamsPerLink + kOwnStreams, 'SETTINGS_MAX_CONCURRENT_STREAMS is the limit');
});

system('a key of one kind opens no door of another', async () => {
  const connector = {
    cert: readFileSync(coalition.file('connector-cop-1', 'connector-certificate.pem')),
    key: readFileSync(coalition.file('connector-cop-1', 'connector-key.pem')),
  };
  for (const [name, alpn, credentials] of [
    ["a connector's key on a link", kLink, connector],
    ["a connector's key on a reverse link", kReverse, connector],
    ["a partner's link key as a connector", kConnector, borealis],
  ]) {
    const { received, ended } = await dial(port, alpn, credentials, greeting);
    assert.ok(ended, name);
    assert.equal(received.length, 0, name);
  }
  for (const alpn of ['h2c', 'entente-link/2', 'entente-enrol/1', 'http/1.0']) {
    const { received } = await dial(port, alpn, foreign, greeting);
    assert.equal(received.length, 0, alpn);
  }
  assert.equal((await konrad.go(`${konrad.nation.app}/`)).status, 200);
});

const enrolAddress = () => `${coalition.nation('XAA').lobby}/.entente/enrol`;

async function enrol(body) {
  const answer = await ask(enrolAddress(), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ca: coalition.ca,
  });
  return { status: answer.status, body: answer.body, type: answer.headers['content-type'] };
}

system('enrolment: a wrong, used, or made-up token is answered like any other nonsense', async () => {
  const { token } = await coalition.ask('XAA', 'connector', 'add', 'relief-1', '--apps', 'relief');
  const certificate = foreign.cert.toString();
  const answers = [];
  for (const body of [
    { id: 'relief-1', token: 'x'.repeat(43), certificate },
    { id: 'relief-1', token: '', certificate },
    { id: 'relief-2', token, certificate },
    { id: 'cop-1', token, certificate },
    { id: '../relief-1', token, certificate },
    { id: 'relief-1', token, certificate: 'no certificate' },
    { id: 'relief-1', token, certificate, apps: ['cop'] },
    { id: 'relief-1', token: [token], certificate },
    {},
    '[]',
    'no json',
    `{"id":${'['.repeat(5000)}`,
    'x'.repeat(100_000),
  ])
    answers.push(await enrol(body));
  const good = await enrol({ id: 'relief-1', token, certificate });
  assert.equal(good.status, 200, 'wrong tries do not use the token up');
  answers.push(await enrol({ id: 'relief-1', token, certificate }));
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.equal(answers[0].status, 404);
  assert.equal(answers[0].body, '');
});

system('a token can be taken back, and cutting a connector takes its open token along', async () => {
  const certificate = makeNation('XEE', folder).cert.toString(); // pinned nowhere
  const listed = async () =>
    (await coalition.ask('XAA', 'connector', 'list')).connectors.find(({ id }) => id === 'leak-1');
  const expect = async () => (await coalition.ask('XAA', 'connector', 'add', 'leak-1', '--apps', 'relief')).token;
  const cut = () => coalition.cli('XAA', 'connector', 'cut', 'leak-1', '--reason', 'exercise: it leaked');
  const first = await expect();
  const waiting = await listed();
  assert.equal(waiting.state, 'expected');
  assert.ok(Date.parse(waiting.token_until) > Date.now());
  assert.equal((await cut()).code, 0);
  assert.equal(await listed(), undefined);
  assert.equal((await enrol({ id: 'leak-1', token: first, certificate })).status, 404, 'it was taken back');

  const second = await expect();
  assert.equal((await enrol({ id: 'leak-1', token: second, certificate })).status, 200);
  assert.equal((await listed()).token_until, undefined);
  const third = await expect();
  assert.ok((await listed()).token_until, 'it is expected anew');
  assert.equal((await cut()).code, 0);
  assert.equal((await enrol({ id: 'leak-1', token: third, certificate })).status, 404, 'a cut one stays out');
  assert.equal(await listed(), undefined);
  assert.equal((await cut()).code, 1, 'there is nothing to cut any more');
});

system('a connector is expected for apps of this node only', async () => {
  const { code, output } = await coalition.cli('XAA', 'connector', 'add', 'new-1', '--apps', 'relief,nope');
  assert.equal(code, 1, output);
  assert.match(output, /this node has no app nope/);
  assert.match(output, /entente app list/);
});

system('enrolments that are refused are counted, all of them', async () => {
  const counted = async () => {
    const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '1000');
    const told = records.filter(({ class: kind }) => kind === 'refusals');
    return told.reduce((sum, { summary }) => sum + Number(/strangers=(\d+)/.exec(summary)?.[1] ?? 0), 0);
  };
  const before = await counted();
  const kTries = 100; // more than what waits to be counted of the attacks above
  const certificate = foreign.cert.toString();
  for (let i = 0; i < kTries; i += 1)
    assert.equal((await enrol({ id: 'relief-1', token: 'x'.repeat(43), certificate })).status, 404);
  await until('they are in the ledger', async () => (await counted()) >= before + kTries, 30_000);
});

system('a connector with a key of its own is given only the apps the world lists for it', async () => {
  const { token } = await coalition.ask('XAA', 'connector', 'add', 'greedy-1', '--apps', 'relief');
  const data = join(folder, 'greedy');
  mkdirSync(data);
  const witness = await new Witness(join(folder, 'greedy.sock')).listen();
  const config = readJson(coalition.file('coalition', 'connector-cop-1.json'));
  const path = join(folder, 'greedy.json');
  const targets = ['cop', 'relief'].map((app) => ({ app, socket: witness.path }));
  writeJson(path, { ...config, id: 'greedy-1', data, targets });
  const door = ['--door', coalition.nation('XAA').lobby, '--trust', coalition.demo.authority];
  execFileSync(program, ['connector', 'enrol', '--config', path, '--token', token, ...door], {
    stdio: 'ignore',
  });
  const child = spawn(program, ['connector', 'run', '--config', path], { stdio: 'ignore' });
  try {
    const up = async (id, state) => {
      const { connectors } = await coalition.ask('XAA', 'connector', 'list');
      return connectors.find((connector) => connector.id === id).state === state;
    };
    await until('the second connector is up', () => up('greedy-1', 'up'));
    for (let i = 0; i < 5; i += 1) assert.equal((await konrad.go(`${konrad.nation.app}/me`)).status, 200);
    await coalition.stop('connector-cop-1');
    await until('the true connector is gone', () => up('cop-1', 'down'));
    const alone = await konrad.go(`${konrad.nation.app}/me`);
    assert.equal(alone.status, 503, 'nobody else may serve the picture');
    assert.deepEqual(witness.seen, []);
  } finally {
    child.kill();
    await once(child, 'exit');
    await witness.close();
    await coalition.startAgain('connector-cop-1');
  }
  await until('the picture is back', async () => (await konrad.go(`${konrad.nation.app}/me`)).status === 200);
});

system('attack: a partner that takes the control stream and closes at once is dialed at growing pauses', async () => {
  await pausesGrow(closer, 'the node');
});

system('attack: a node that takes a connector, asks it something and closes is dialed at growing pauses', async () => {
  const node = makeNation('XEE', folder);
  const taker = await closesAtOnce(node, kConnector, {
    says: Buffer.concat([preface, settings(), frame('headers', endHeaders | endStream, 1, request('/'))]),
    until: 1,
  });
  const data = join(folder, 'dials');
  const path = join(folder, 'dials.json');
  const config = readJson(coalition.file('coalition', 'connector-cop-1.json'));
  const target = { address: `127.0.0.1:${taker.port}`, thumbprint: node.thumbprint };
  writeJson(path, { ...config, id: 'dials-1', data, node: target });
  const child = spawn(program, ['connector', 'run', '--config', path], { stdio: 'ignore' });
  try {
    await pausesGrow(taker, 'the connector');
  } finally {
    child.kill();
    await once(child, 'exit');
    taker.server.close();
  }
});

// Writes what `next` gives until the node ends the connection; fails if it never does.
async function flood(next) {
  const { key, cert } = cassia;
  const socket = await openTls(port, { alpn: [kLink], insecure: true, key, cert });
  let ended = false;
  socket.on('data', () => {}).on('error', () => {});
  const closed = once(socket, 'close')
    .catch(() => {})
    .then(() => {
      ended = true;
    });
  socket.write(Buffer.concat([preface, settings()]));
  let sent = 0;
  const until = performance.now() + kPatienceMs;
  for (let turn = 0; !ended && sent < kFloodBytesMax && performance.now() < until; turn += 1) {
    const bytes = next(turn);
    if (bytes.length === 0) await wait(20);
    sent += bytes.length;
    if (!socket.write(bytes)) await Promise.race([once(socket, 'drain').catch(() => {}), closed, wait(200)]);
    else if (turn % 16 === 0) await wait(0);
  }
  if (!ended) await Promise.race([closed, wait(2000)]);
  socket.destroy();
  return { ended, sent };
}

const request = (path, more = []) =>
  block([[':method', 'GET'], [':scheme', 'https'], [':authority', 'node'], [':path', path], ...more]);

system("floods by somebody with a partner's true key end that connection and nothing else", async () => {
  const stream = await konrad.watch();
  const many = (count, make) => Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
  const header = request('/x');
  const odd = (turn, count, index) => (turn * count + index) * 2 + 1;
  const floods = {
    'rapid reset': (turn) =>
      many(200, (index) => {
        const id = odd(turn, 200, index);
        return Buffer.concat([
          frame('headers', endHeaders | endStream, id, header),
          frame('reset', 0, id, Buffer.from([0, 0, 0, 8])),
        ]);
      }),
    'endless CONTINUATION': (turn) =>
      turn === 0
        ? frame('headers', 0, 1, header)
        : frame('continuation', 0, 1, block([['x-more', 'a'.repeat(8000)]])),
    'empty CONTINUATION': (turn) =>
      turn === 0 ? frame('headers', 0, 1, header) : many(200, () => frame('continuation', 0, 1)),
    'settings without end': () => many(500, () => settings([[4, 65535]])),
    'pings without end': () => many(500, () => frame('ping', 0, 0, Buffer.alloc(8))),
    // In pieces, so that what is counted as sent is what the node's side took and not what waits here.
    'a frame of 16 MiB': (turn) =>
      turn === 0 ? frame('data', 0, 1, Buffer.alloc(0xffffff)).subarray(0, 16_384) : Buffer.alloc(16_384),
    'no HTTP/2 at all': () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100)),
    'a window beyond its bounds': () => frame('window', 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
  };
  for (const [name, next] of Object.entries(floods)) {
    const { ended, sent } = await flood(next);
    assert.ok(ended && sent < kEndedByBytes, `${name}: ended ${ended} after ${sent} bytes`);
    assert.equal((await konrad.go(`${konrad.nation.app}/me`)).status, 200, `${name}: our own people go on`);
  }
  const before = stream.messages;
  await until('tracks go on', () => stream.messages > before + 2);
  assert.equal(stream.socket.readyState, stream.socket.OPEN);
  stream.socket.terminate();
  const ingrid = await until(
    "the partner's own link is back",
    async () => {
      const visitor = await Visitor.in(coalition, 'ingrid');
      return (await visitor.openApp()).status === 200 && visitor;
    },
    30_000,
  );
  assert.equal((await ingrid.go(`${ingrid.nation.app}/me`)).status, 200);
});

// One request on a link, with the partner's true key. Answers the frames of its stream.
async function askLink(fields) {
  const bytes = [preface, settings(), frame('headers', endHeaders | endStream, 1, fields)];
  const socket = await openTls(port, { alpn: [kLink], insecure: true, ...borealis });
  const received = [];
  socket.on('data', (chunk) => received.push(chunk)).on('error', () => {});
  socket.write(Buffer.concat(bytes));
  const find = () => framesIn(Buffer.concat(received)).filter(({ stream }) => stream === 1);
  for (let i = 0; i < 60 && !find().some(({ type }) => type === 'headers' || type === 'reset'); i += 1)
    await wait(50);
  await wait(100);
  socket.destroy();
  return find();
}

system("a partner's node cannot reach an app outside a session of its own", async () => {
  const session = (await coalition.ask('XAA', 'session', 'ls')).sessions.find(
    ({ partner }) => partner === 'XAA',
  );
  const sessions = [
    [],
    [['entente-session', 'x'.repeat(22)]],
    [['entente-session', session.id]],
    [
      ['entente-session', session.id],
      ['entente-session', 'y'],
    ],
    [['entente-app', 'cop']],
  ];
  for (const more of sessions) {
    const frames = await askLink(request('/me', more));
    const data = Buffer.concat(frames.filter(({ type }) => type === 'data').map(({ payload }) => payload));
    assert.ok(frames.length > 0, 'there is an answer');
    assert.doesNotMatch(data.toString('latin1'), /subject|issuer|picture/, JSON.stringify(more));
    const [head] = frames.filter(({ type }) => type === 'headers');
    if (head) assert.notEqual(head.payload[0], 0x88, 'no 200 for what is no session of theirs');
  }
});

system('a connector that is cut says once what may be wrong, and does not fill its log', async () => {
  const log = () => coalition.log('connector-cop-1');
  const { code, output } = await coalition.cli('XAA', 'connector', 'cut', 'cop-1', '--reason', 'EXERCISE: it leaked');
  assert.equal(code, 0, output);
  await until('it says so', () => /is this connector still enrolled/.test(log()));
  const said = log().split('\n').length;
  await wait(5000);
  assert.ok(log().split('\n').length <= said + 1, log().slice(-2000));
});
