// Opaque bytes through a link, so that an app's own TLS may end at its host: they reach an app that carries them, as
// they were sent, inside a session and no longer than it lasts. No request goes that way, and no bytes to an app of
// requests, whatever a partner's node asks for.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Coalition, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { HostileNode, makeNation } from './hostile_node.mjs';
import { Visitor } from './visitor.mjs';

// XAA's apps: what their world says of them, and what their connector's own file does.
const kApps = {
  cop: { protocol: 'bytes', opaque: true },
  requests: { protocol: 'http', opaque: false },
  half: { protocol: 'bytes', opaque: false }, // only the world says that it carries bytes
};
let coalition, folder, cassia, node;
const echoes = {};

// What an app hears, and says back.
async function echo(path) {
  const heard = [];
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => {}).on('data', (data) => (heard.push(data), socket.write(data)));
  }).listen(path);
  await once(server, 'listening');
  return { server, heard };
}

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'entente-bytes-'));
  cassia = makeNation('XCC', folder);
  coalition = await Coalition.start((plan) => {
    const path = join(plan, 'genesis-xaa.json');
    const genesis = readJson(path);
    const { records } = genesis;
    const connector = join(plan, 'connector-cop-1.json');
    const reach = readJson(connector);
    const [target] = reach.targets;
    records['partner/XCC'] = cassia.record;
    records['mission/harbor-light'].partners.push('XCC');
    records['app/cop'].offered_to.push('XCC');
    reach.targets = [];
    const policy = readFileSync(join(plan, 'policies/xaa/host/cop.cedar'), 'utf8');
    for (const [name, { protocol, opaque }] of Object.entries(kApps)) {
      records[`app/${name}`] = { ...records['app/cop'], protocol };
      if (name !== 'cop') {
        const file = `policies/xaa/host/${name}.cedar`;
        writeFileSync(join(plan, file), policy.replaceAll('XAA/cop', `XAA/${name}`).replaceAll('@id("cop', `@id("${name}`));
        records[`policy/host/${name}`] = { file };
      }
      reach.targets.push({ ...target, app: name, socket: target.socket.replace('cop-1.sock', `${name}.sock`), opaque });
    }
    writeJson(path, genesis);
    writeJson(connector, reach);
    const steps = join(plan, 'plan.json');
    const given = readJson(steps);
    const { command } = given.steps.find(({ run }) => run === 'expect-{id}');
    command[command.indexOf('{app}')] = Object.keys(kApps).join(',');
    writeJson(steps, given);
  });
  for (const name of Object.keys(kApps)) echoes[name] = await echo(coalition.file(`${name}.sock`));
  node = new HostileNode(cassia, coalition.nation('XAA').port);
  node.epoch = Math.floor(performance.now());
  await node.dial();
  await node.control();
});

after(async () => {
  node?.hangUp();
  for (const { server } of Object.values(echoes)) server.close();
  await coalition?.end();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

// A session of a planner of XCC at one of the apps.
async function admitted(app) {
  const statement = node.statement({ body: { app } });
  const answer = await node.ask(statement, 8000);
  assert.ok(answer?.session, `${app}: ${JSON.stringify(answer)}`);
  node.took(statement);
  return answer.session;
}

// Bytes inside a session: { status, refusal, size, heard, stream, closed }. `first` leaves before any answer has come.
async function bytes(session, first) {
  const stream = node.session.request({
    ':method': 'CONNECT',
    ':protocol': 'entente-bytes',
    ':scheme': 'https',
    ':path': '/',
    ':authority': 'node',
    'entente-session': session,
  });
  const out = { status: 0, refusal: '', size: 0, heard: [], stream, closed: false };
  stream.on('error', () => {}).on('close', () => (out.closed = true));
  stream.on('data', (data) => (out.heard.push(data), (out.size += data.length)));
  stream.on('response', (head) => {
    Object.assign(out, { status: head[':status'], refusal: head['entente-refusal'] ?? '' });
  });
  if (first) assert.ifError(await new Promise((done) => stream.write(first, done)));
  await until('an answer', () => out.status !== 0 || out.closed);
  return out;
}

// A stream that was ended by then takes nothing more.
const late = ({ stream }, text) => stream.writable && stream.write(text, () => {});

// Bytes of a new session, there and back: what was sent before them on the link has arrived by then, if it ever does.
async function echoed(text) {
  const tunnel = await bytes(await admitted('cop'));
  assert.equal(tunnel.status, 200, tunnel.refusal);
  tunnel.stream.write(text);
  await until(`${text} is back`, () => tunnel.size === text.length);
  tunnel.stream.destroy();
}

system('bytes reach an app that carries them as they were sent, and come back so', async () => {
  const tunnel = await bytes(await admitted('cop'));
  assert.equal(tunnel.status, 200, tunnel.refusal);
  const request = Buffer.from('GET /admin HTTP/1.1\r\nEntente-Session: made-up\r\n\r\n');
  const sent = Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x00, 0xff]), Buffer.alloc(300_000, 0xfe), request]);
  tunnel.stream.write(sent);
  await until('all is back', () => tunnel.size >= sent.length);
  assert.ok(Buffer.concat(tunnel.heard).equals(sent), 'nothing added, nothing changed');
  assert.ok(Buffer.concat(echoes.cop.heard).equals(sent), 'the app hears no head, no identity, nothing but them');
  tunnel.stream.destroy();
});

system('attack: no request goes to an app of bytes, and no bytes to an app of requests', async () => {
  const size = (name) => Buffer.concat(echoes[name].heard).length;
  const before = size('cop');
  const session = await admitted('cop');
  for (const path of ['/', '/me']) {
    const answer = await node.request(path, { 'entente-session': session });
    assert.ok(answer.status >= 400, `${path}: ${answer.status}`);
    assert.match(answer.headers['entente-refusal'], /reached by a program of its own/, path);
  }
  assert.equal(size('cop'), before, 'the app heard nothing of it');

  // On their way before either is refused, and after.
  const smuggled = 'GET / HTTP/1.1\r\n\r\n';
  const refused = await bytes(await admitted('requests'), smuggled);
  assert.equal(refused.status, 403);
  assert.match(refused.refusal, /denied/);
  const unreached = await bytes(await admitted('half'), smuggled);
  assert.notEqual(unreached.status, 200, "the connector's own file has the last word");
  for (const tunnel of [refused, unreached]) late(tunnel, smuggled);
  await echoed('after those');
  assert.equal(size('requests') + size('half'), 0, 'no byte reaches an app of requests');
});

system('a browser at an app of bytes is told that it is no way in', async () => {
  const ingrid = await Visitor.in(coalition, 'ingrid');
  const konrad = await Visitor.in(coalition, 'konrad');
  for (const visitor of [ingrid, konrad]) {
    const page = await visitor.openApp();
    assert.ok(page.status >= 400, `${page.status}`);
    assert.match(page.body, /data-refusal="app-down"/, visitor.person.login);
    assert.match(page.body, /reached by a program of its own/, visitor.person.login);
  }
});

system('after a suspension has answered no byte passes, either way', async () => {
  const tunnel = await bytes(await admitted('cop'));
  assert.equal(tunnel.status, 200, tunnel.refusal);
  tunnel.stream.write('before');
  await until('it is back', () => tunnel.size === 6);
  const heard = Buffer.concat(echoes.cop.heard).length;
  await coalition.ask('XAA', 'partner', 'suspend', 'XCC', '--reason', 'exercise: bytes');
  late(tunnel, 'after');
  await until('the stream ends', () => tunnel.closed);
  assert.equal(tunnel.size, 6);
  await coalition.ask('XAA', 'partner', 'resume', 'XCC', '--reason', 'exercise: bytes again');
  await echoed('anew');
  assert.equal(Buffer.concat(echoes.cop.heard).subarray(heard).toString(), 'anew');
});
