// The picture shows itself to whom the host vouches for, and to nobody else. Each forged assertion is one
// that a careless app takes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { firstLine } from '../lifeline.mjs';
import { IdentityCheck } from '../assertion.mjs';
import { audience, HostStandIn, issuer } from './host_stand_in.mjs';
import { makeFleet, whereIs } from './fleet.mjs';

const here = dirname(fileURLToPath(import.meta.url));
let folder;
let host;
let app;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'entente-cop-'));
  host = new HostStandIn(join(folder, 'cop.sock'));
  app = spawn(process.execPath, [join(here, 'server.mjs'), host.writeSettings(folder)], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  await firstLine(app);
});

after(async () => {
  if (app.exitCode === null) {
    app.kill();
    await once(app, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('who the host vouches for sees the page, marked, with nothing loaded from elsewhere', async () => {
  const answer = await host.ask('/', { assertion: await host.sign() });
  assert.equal(answer.status, 200);
  assert.match(
    answer.headers['content-security-policy'],
    /^default-src 'none'; script-src 'self'; style-src 'self';/,
  );
  const text = answer.body.toString();
  assert.match(text, /EXERCISE RESTRICTED REL XAA XBB/);
  assert.doesNotMatch(text, /https?:|<script>|style=|onclick/);
});

test('the app says of a person what the assertion says, and no more', async () => {
  const me = JSON.parse((await host.ask('/me', { assertion: await host.sign() })).body);
  assert.deepEqual(me, {
    subject: 'p-7f3a',
    issuer,
    facts: [
      ['nation', 'XBB'],
      ['role', 'planner'],
    ],
  });
});

const now = () => Math.floor(Date.now() / 1000);
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const forgeries = {
  'no assertion': async () => undefined,
  'two assertions': async () => [await host.sign(), await host.sign()],
  'text that is no assertion': async () => 'planner',
  'an assertion for another app': () => host.sign({ aud: 'chat' }),
  'an assertion for several apps': () => host.sign({ aud: [audience, 'chat'] }),
  'an assertion of another host': () => host.sign({ iss: 'https://lobby.other.localhost/' }),
  'an assertion that has ended': () => host.sign({ iat: now() - 300, exp: now() - 120 }),
  'an assertion from the future': () => host.sign({ iat: now() + 600, exp: now() + 660 }),
  'an assertion that lives for an hour': () => host.sign({ exp: now() + 3600 }),
  'an assertion without an id': () => host.sign({ jti: undefined }),
  'an assertion about nobody': () => host.sign({ sub: undefined }),
  "a stranger's signature under the host's key id": () => host.sign({ key: stranger }),
  'an unknown key id': () => host.sign({ header: { kid: 'host-2' } }),
  'no signature (alg none)': async () => {
    const [, claims] = (await host.sign()).split('.');
    return `${part({ alg: 'none', kid: 'host-1' })}.${claims}.`;
  },
  'the public key used as a shared secret (alg HS256)': () => {
    const secret = host.publicKey.export({ type: 'spki', format: 'pem' });
    return host.sign({ header: { alg: 'HS256' }, key: Buffer.from(secret) });
  },
  'claims changed under a good signature': async () => {
    const [header, claims, signature] = (await host.sign()).split('.');
    const changed = { ...JSON.parse(Buffer.from(claims, 'base64url')), nation: 'XAA' };
    return `${header}.${part(changed)}.${signature}`;
  },
};

for (const [name, forge] of Object.entries(forgeries)) {
  test(`refused: ${name}`, async () => {
    const answer = await host.ask('/me', { assertion: await forge() });
    assert.equal(answer.status, 401);
    assert.doesNotMatch(answer.body.toString(), /assertion|key|signature/, 'a refusal teaches nothing');
  });
}

test('an assertion serves the requests of one session, and never a second person', async () => {
  const assertion = await host.sign({ jti: 'one' });
  assert.equal((await host.ask('/me', { assertion })).status, 200);
  assert.equal((await host.ask('/me', { assertion })).status, 200);
  const other = await host.sign({ jti: 'one', sub: 'p-another' });
  assert.equal((await host.ask('/me', { assertion: other })).status, 401);
});

test('refused: an assertion that has served already, by an app that wants one for each request', async () => {
  const settings = { audience, issuer, keys: { file: join(folder, 'host.jwks') } };
  const assertion = await host.sign();
  const request = { rawHeaders: ['Entente-Assertion', assertion] };
  const strict = new IdentityCheck({ ...settings, once: true });
  assert.equal((await strict.admit(request)).sub, 'p-7f3a');
  await assert.rejects(strict.admit(request), { code: 'assertion.replayed' });
});

test('refused: a live connection without an assertion', async () => {
  const socket = new WebSocket(`ws+unix://${host.socket}:/tracks`);
  const [error] = await once(socket, 'error');
  assert.match(error.message, /401/);
});

test('the live connection brings a whole picture and then moves', async () => {
  const headers = { 'entente-assertion': await host.sign() };
  const socket = new WebSocket(`ws+unix://${host.socket}:/tracks`, { headers });
  const messages = [];
  await new Promise((resolve) => {
    socket.on('message', (data) => {
      messages.push(JSON.parse(data));
      if (messages.length === 4) resolve();
    });
  });
  socket.terminate();
  const [picture, ...moves] = messages;
  assert.equal(picture.type, 'picture');
  assert.ok(picture.tracks.length >= 20);
  for (const track of picture.tracks)
    assert.ok(picture.symbols[track.symbol].svg.startsWith('<svg'), track.symbol);
  const before = new Map(picture.tracks.map((track) => [track.id, track]));
  const moved = moves
    .flatMap((message) => message.moves)
    .filter(([id, lon, lat]) => before.get(id).lon !== lon || before.get(id).lat !== lat);
  assert.ok(moved.length > 0);
});

test('bulk bodies arrive whole in both directions', async () => {
  const down = await host.ask('/bulk?mib=3', { assertion: await host.sign() });
  assert.equal(down.body.length, 3 * 1024 * 1024);
  const up = await host.ask('/bulk', { method: 'POST', body: down.body, assertion: await host.sign() });
  assert.equal(JSON.parse(up.body).bytes, down.body.length);
  assert.equal((await host.ask('/bulk?mib=-1', { assertion: await host.sign() })).status, 400);
});

test('the same seed and moment put every track in the same place', () => {
  const places = () => makeFleet(11).map((track) => whereIs(track, 321.5));
  assert.deepEqual(places(), places());
  assert.notDeepEqual(
    places(),
    makeFleet(12).map((track) => whereIs(track, 321.5)),
  );
});
