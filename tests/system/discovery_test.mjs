// What somebody can learn of an app they may not know of. A name that is hidden from them and one that never
// was must be the same in every byte of every answer, in its order of headers, and in the work that the node
// does for it: what it records and what it counts. And a session's cookie from another address, connection or
// version of HTTP opens exactly what it opened before.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Coalition, skip, system, until } from './coalition.mjs';
import { askH2, openH2 } from './h2_client.mjs';
import { Visitor } from './visitor.mjs';

const kRounds = 12; // of each name: what depends on chance shows
const kHidden = 'cop-xaa';
const kNever = ['nop-xaa', 'cot-xaa', 'zzz-xaa']; // as long as the hidden one, before it and behind it in order
let coalition, xbb, jonas, ingrid;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start();
  xbb = coalition.nation('XBB');
  jonas = await Visitor.in(coalition, 'jonas'); // may not know of the map
  ingrid = await Visitor.inside(coalition, 'ingrid');
});

after(() => coalition?.end());

// Everything of an answer that could differ, but for what is drawn anew each time.
function shape(answer, name) {
  const text = [answer.status, ...answer.rawHeaders, answer.body].join('\n');
  return text
    .replaceAll(name, 'NAME')
    .replaceAll(/\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/g, 'DATE')
    .replaceAll(/(bind=|value="|code=)[\w-]{20,}/g, '$1DRAWN');
}

const kinds = {
  "the app's own address": (name) => [`https://${name}.xbb.localhost:${xbb.port}/`],
  'a deep path of it': (name) => [`https://${name}.xbb.localhost:${xbb.port}/a/b?c=d`],
  'a script asks it': (name) => [
    `https://${name}.xbb.localhost:${xbb.port}/`,
    { headers: { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' } },
  ],
  'something is posted to it': (name) => [
    `https://${name}.xbb.localhost:${xbb.port}/`,
    { method: 'POST', body: 'x', headers: { origin: `https://${name}.xbb.localhost:${xbb.port}` } },
  ],
  'a made up cookie': (name) => [
    `https://${name}.xbb.localhost:${xbb.port}/`,
    { headers: { cookie: `__Host-entente-app=${'A'.repeat(43)}` }, cookies: false },
  ],
  'a made up way in': (name) => [`https://${name}.xbb.localhost:${xbb.port}/.entente/enter?code=x&path=%2F`],
  'the way in from the lobby': (name) => [`${xbb.lobby}/enter?app=${name}&path=%2F&bind=${'B'.repeat(43)}`],
  'its key service': (name) => [`https://kas-${name.slice(-3)}.xbb.localhost:${xbb.port}/${name}`],
};

system('a hidden name and one that never was: the same bytes in the same order', async () => {
  for (const [what, asks] of Object.entries(kinds)) {
    const shapes = new Map();
    for (let round = 0; round < kRounds; round += 1) {
      for (const name of [kHidden, ...kNever]) {
        const [address, options] = asks(name);
        const one = shape(await jonas.go(address, { cookies: true, ...options }), name);
        shapes.set(one, [...(shapes.get(one) ?? []), name]);
      }
    }
    assert.equal(shapes.size, 1, `${what}: ${[...shapes.keys()].join('\n---\n')}`);
  }
});

system('asking for a hidden app and for one that never was: the same answer', async () => {
  const token = await jonas.token();
  const shapes = new Set();
  for (const name of [kHidden, ...kNever]) {
    const fields = { token, app: name, purpose: 'to see it', minutes: '60' };
    const answer = await jonas.submit(`${xbb.lobby}/requests`, fields);
    shapes.add(shape(answer, name));
  }
  assert.equal(shapes.size, 1, [...shapes].join('\n---\n'));
});

// The classes of what both nodes recorded since, but for what they record by themselves.
async function recordedBy(work) {
  const count = async (code) => {
    const { records } = await coalition.ask(code, 'ledger', 'show', '--last', '400');
    const classes = {};
    for (const record of records)
      if (!['requests', 'refusals', 'verdict'].includes(record.class))
        classes[record.class] = (classes[record.class] ?? 0) + 1;
    return classes;
  };
  const before = [await count('XAA'), await count('XBB')];
  await work();
  const behind = [await count('XAA'), await count('XBB')];
  return JSON.stringify(
    behind.map((classes, node) =>
      Object.entries(classes)
        .map(([name, total]) => [name, total - (before[node][name] ?? 0)])
        .filter(([, more]) => more !== 0),
    ),
  );
}

system('a hidden name costs the nodes the same records as one that never was: none', async () => {
  for (const name of [kHidden, kNever[0]]) {
    const recorded = await recordedBy(async () => {
      for (const asks of Object.values(kinds)) {
        const [address, options] = asks(name);
        await jonas.go(address, { cookies: true, ...options });
      }
    });
    assert.equal(recorded, '[[],[]]', name);
  }
});

// A connection from another address of this machine (all of 127/8 is).
const fromAddress = (localAddress, lines) =>
  new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: connectTcp({ host: '127.0.0.1', port: xbb.port, localAddress }),
      servername: new URL(xbb.app).hostname,
      ca: coalition.ca,
      ALPNProtocols: ['http/1.1'],
    });
    let text = '';
    socket.on('data', (data) => (text += data));
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
    socket.on('secureConnect', () => socket.write(lines));
  });

const request = (path, cookie) =>
  `GET ${path} HTTP/1.1\r\nHost: ${new URL(xbb.app).host}\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`;

system('a session moves between addresses, connections and versions of HTTP, and gains nothing', async () => {
  const cookie = ingrid.cookies(`${xbb.app}/`);
  const before = (await coalition.ask('XAA', 'session', 'ls')).sessions.map(({ id }) => id);
  const bodies = new Set();
  for (const address of ['127.0.0.1', '127.0.0.2', '127.9.9.9', '127.0.0.1'])
    bodies.add((await fromAddress(address, request('/me', cookie))).split('\r\n\r\n')[1]);
  assert.equal(bodies.size, 1, 'the app sees the same person whatever address they come from');
  const client = await openH2(xbb.port, coalition.ca, new URL(xbb.app).hostname);
  const over2 = await askH2(client, {
    ':method': 'GET',
    ':path': '/me',
    ':scheme': 'https',
    ':authority': new URL(xbb.app).host,
    cookie,
  });
  client.close();
  assert.equal(over2.status, 200);
  const after = (await coalition.ask('XAA', 'session', 'ls')).sessions.map(({ id }) => id);
  assert.deepEqual(after, before, 'no session was made for it');
  // What it could not reach before it does not reach from elsewhere.
  for (const address of ['127.0.0.1', '127.0.0.2']) {
    const other = await fromAddress(
      address,
      request('/', cookie).replace(/Host: [^:]+/, 'Host: lobby.xbb.localhost'),
    );
    assert.doesNotMatch(other, /Sign out/i, 'an app cookie is no sign-in');
  }
  // And a cut is a cut at every address.
  const { id } = (await coalition.ask('XAA', 'session', 'ls')).sessions.find(({ partner }) => partner === 'XBB');
  await coalition.ask('XAA', 'session', 'cut', id, '--reason', 'exercise: moved');
  await until('the home has heard', async () => {
    const { sessions } = await coalition.ask('XBB', 'session', 'ls');
    return !sessions.some(({ state }) => state === 'live');
  });
  for (const address of ['127.0.0.1', '127.0.0.2', '127.9.9.9'])
    assert.doesNotMatch(await fromAddress(address, request('/me', cookie)), /^HTTP\/1.1 200/);
});

system('also while its mission is over, a hidden name is like one that never was', async () => {
  await coalition.ask('XBB', 'mission', 'end', 'Harbor Light', '--reason', 'exercise: over');
  const known = await (await Visitor.in(coalition, 'ingrid')).openApp();
  assert.match(known.body, /has ended/, 'who may know of it reads why');
  for (const what of ["the app's own address", 'the way in from the lobby']) {
    const shapes = new Set();
    for (const name of [kHidden, ...kNever]) {
      const [address, options] = kinds[what](name);
      shapes.add(shape(await jonas.go(address, { cookies: true, ...options }), name));
    }
    assert.equal(shapes.size, 1, `${what}: ${[...shapes].join('\n---\n')}`);
  }
});
