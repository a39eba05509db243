// Attacks on the door from a browser's side: what an app never gets to see, and what a stranger never learns.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';
import { openTls, readAll, sendRaw, statusOf } from './wire.mjs';
import { assertionOf, Witness } from './witness.mjs';

const kHalfOpenMax = 64;
const kHeadSeconds = 2;
const kAppSeconds = 2;
const kBodySeconds = 2;

const refusedStatuses = new Set([400, 403, 408, 413, 414, 417, 431, 501, 505]);

let coalition, witness, ingrid, konrad, xbb, host;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start((plan) => {
    const path = join(plan, 'node-xbb.json');
    const limits = { head_timeout_s: kHeadSeconds, body_timeout_s: kBodySeconds, half_open_max: kHalfOpenMax };
    writeJson(path, { ...readJson(path), limits });
    const connector = join(plan, 'connector-cop-1.json');
    writeJson(connector, { ...readJson(connector), app_timeout_s: kAppSeconds });
  });
  xbb = coalition.nation('XBB');
  host = new URL(xbb.app).host;
  await coalition.stop('cop-1');
  witness = await new Witness(coalition.file('cop-1.sock')).listen();
  ingrid = await Visitor.inside(coalition, 'ingrid');
  konrad = await Visitor.inside(coalition, 'konrad');
});

after(async () => {
  await witness?.close();
  await coalition?.end();
});

const tls = () => ({ ca: coalition.ca, name: new URL(xbb.app).hostname, quietMs: 4000 });
const session = () => `Cookie: ${ingrid.cookies(`${xbb.app}/`)}\r\n`;

// Sends the bytes inside Ingrid's session and answers what came back, and which requests the app saw whole.
async function attack(bytes) {
  witness.seen.length = 0;
  const answer = await sendRaw(xbb.port, bytes, tls());
  return { ...answer, seen: witness.seen.filter(({ whole }) => whole) };
}

const post = (lines, body = '') =>
  `POST /in HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${xbb.app}\r\n${session()}${lines}\r\n${body}`;
const get = (lines, path = '/in') => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${session()}${lines}\r\n`;

system('a plain request inside a session reaches the app', async () => {
  const { status, seen } = await attack(post('Content-Length: 5\r\nConnection: close\r\n', 'hello'));
  assert.equal(status, 200);
  assert.deepEqual(
    seen.map(({ url, body }) => [url, body]),
    [['/in', 'hello']],
  );
});

system('requests with two readings are refused, and the app never sees any of them', async () => {
  const smuggled = `GET /smuggled HTTP/1.1\r\nHost: ${host}\r\n${session()}\r\n`;
  const chunked = (text) => post('Transfer-Encoding: chunked\r\n', text);
  const cases = {
    'both length headers': post(
      'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
      `0\r\n\r\n${smuggled}`,
    ),
    'both, the other way round': post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', `0\r\n\r\n`),
    'two lengths that differ': post('Content-Length: 5\r\nContent-Length: 6\r\n', `hello${smuggled}`),
    'two lengths that agree': post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'),
    'a list of lengths': post('Content-Length: 5, 5\r\n', 'hello'),
    'a signed length': post('Content-Length: +5\r\n', 'hello'),
    'a negative length': post('Content-Length: -1\r\n', 'hello'),
    'a hexadecimal length': post('Content-Length: 0x5\r\n', 'hello'),
    'an endless length': post('Content-Length: 99999999999999999999\r\n', 'hello'),
    'an unknown coding': post('Transfer-Encoding: gzip\r\n', 'hello'),
    'chunked that is not last': post('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n'),
    'chunked twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    'chunked in a disguise': post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${smuggled}`),
    'chunked behind a vertical tab': post('Transfer-Encoding: \x0bchunked\r\n', `0\r\n\r\n${smuggled}`),
    'a space before the colon': post('Transfer-Encoding : chunked\r\n', '0\r\n\r\n'),
    'a folded header': get('X-One: a\r\n b\r\n'),
    'a folded first header': `GET /in HTTP/1.1\r\n X: 1\r\nHost: ${host}\r\n${session()}\r\n`,
    'NUL in a value': get('X-One: a\0b\r\n'),
    'NUL in a name': get('X-\0ne: a\r\n'),
    'a bare CR in a value': get('X-One: a\rX-Two: b\r\n'),
    'a bare LF as line end': get('X-One: a\nX-Two: b\r\n'),
    'a line without a colon': get('what is this\r\n'),
    'an empty name': get(': a\r\n'),
    'two hosts': get(`Host: ${host}\r\n`),
    'two hosts that differ': get('Host: lobby.xbb.localhost\r\n'),
    'no host': `GET /in HTTP/1.1\r\n${session()}\r\n`,
    'a target of another host': `GET https://lobby.xbb.localhost:${xbb.port}/in HTTP/1.1\r\nHost: ${host}\r\n${session()}\r\n`,
    'version 1.0 with chunks': post('Transfer-Encoding: chunked\r\n', '0\r\n\r\n').replace('/1.1', '/1.0'),
    'a version nobody speaks': get('').replace('HTTP/1.1', 'HTTP/3.7'),
    'a method with a bad sign': get('').replace('GET', 'G(T'),
    'a huge head': get(`X-Huge: ${'a'.repeat(300_000)}\r\n`),
    'ten thousand headers': get('X: a\r\n'.repeat(10_000)),
    'a huge target': get('', `/${'a'.repeat(200_000)}`),
    'a chunk size that is none': chunked(`zz\r\nhello\r\n0\r\n\r\n${smuggled}`),
    'a chunk size beyond all bounds': chunked(`fffffffffffffffff\r\nhello\r\n0\r\n\r\n${smuggled}`),
    'a chunk longer than said': chunked(`3\r\nhello\r\n0\r\n\r\n${smuggled}`),
    'a chunk size with a sign': chunked(`+5\r\nhello\r\n0\r\n\r\n${smuggled}`),
    'a chunk line ended by LF': chunked(`5\nhello\n0\n\n${smuggled}`),
    'a forbidden trailer': chunked(`5\r\nhello\r\n0\r\nContent-Length: 3\r\nHost: x\r\n\r\n${smuggled}`),
  };
  const failures = [];
  for (const [name, bytes] of Object.entries(cases)) {
    const { status, ended, seen, text } = await attack(bytes);
    // A body may break after its head was passed on: then there is no answer but a refusal or an end.
    const refused = refusedStatuses.has(status) || status === 502 || text === '';
    if (!refused || !ended || seen.length > 0)
      failures.push(
        `${name}: ${status}, ended ${ended}, the app saw ${JSON.stringify(seen.map((s) => s.url))}`,
      );
  }
  assert.deepEqual(failures, []);
});

system('path tricks do not get past a policy that names a path', async () => {
  const tricks = [
    '/admin',
    '/%61dmin',
    '/admin/x',
    '/x/../admin',
    '/x/%2e%2e/admin',
    '/x/%2E./admin',
    '/./admin',
    '//admin',
    '/x//../admin',
    '/admin%2fx',
    '/x%2f..%2fadmin',
    '/x\\..\\admin',
    '/x%5c..%5cadmin',
    '/%2561dmin',
    '/admin%00',
    '/x/..;/admin',
    '/%c0%afadmin',
    '/admin#x',
  ];
  for (const path of tricks) {
    const request = post('Content-Length: 0\r\nConnection: close\r\n').replace('POST /in', `POST ${path}`);
    const { status, seen } = await attack(request);
    const passed = seen.filter(({ url }) => /admin|%|\\/i.test(url) && !url.startsWith('/x/..;'));
    assert.deepEqual(passed, [], `${path}: answered ${status}`);
    if (path !== '/x/..;/admin') assert.ok(refusedStatuses.has(status), `${path}: ${status}`);
  }
  for (const path of [
    '/%2e%2e/',
    '/a//b',
    '/a%2fb',
    '/a\\b',
    '/a%5cb',
    '/a/%2e/b',
    '/..',
    '/%00',
    '/a\x7fb',
  ]) {
    const { status, seen } = await attack(get('Connection: close\r\n', path));
    assert.equal(status, 400, path);
    assert.deepEqual(seen, [], path);
  }
});

system('a sender that never finishes is cut', async () => {
  const socket = await openTls(xbb.port, tls());
  const answer = readAll(socket, 12_000);
  const drip = setInterval(() => socket.writable && socket.write('X'), 100);
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n`);
  const { ended, text } = await answer;
  clearInterval(drip);
  assert.ok(ended, 'the door closes the connection');
  assert.ok(text === '' || statusOf(text) === 408, text.slice(0, 80));
});

system('a body that begins and does not go on is given up after its configured time', async () => {
  witness.seen.length = 0;
  const socket = await openTls(xbb.port, tls());
  // Far longer than the configured time, and than the default's half.
  const answer = readAll(socket, 14_000);
  socket.write(post('Content-Length: 10\r\n', 'hello'));
  const { text, ended } = await answer;
  assert.ok(ended, 'the connection is ended by the node');
  assert.notEqual(statusOf(text), 200);
  assert.deepEqual(witness.seen.filter(({ whole }) => whole), [], 'the app never has it whole');
});

system('a flood of half-open connections from one address leaves the door serving others', async () => {
  const flood = Array.from({ length: kHalfOpenMax * 4 }, () => {
    const socket = connect({ host: '127.0.0.1', port: xbb.port, localAddress: '127.0.0.77' });
    return socket.on('error', () => {});
  });
  try {
    await wait(500);
    assert.equal((await ingrid.openApp('/in')).status, 200);
  } finally {
    for (const socket of flood) socket.destroy();
  }
});

system('unknown, hidden and known names are answered alike to whoever has no session', async () => {
  const names = ['cop-xaa', 'cop-xbb', 'nothing-xaa', 'nothing-xzz', 'whatever', 'cop-xaa-x'];
  const methods = {
    GET: '',
    'GET of a script': 'Sec-Fetch-Mode: no-cors\r\n',
    POST: 'Content-Length: 0\r\n',
    PUT: 'Content-Length: 0\r\n',
    DELETE: '',
    OPTIONS: 'Access-Control-Request-Method: POST\r\n',
    'GET to upgrade':
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n',
  };
  witness.seen.length = 0;
  for (const [method, lines] of Object.entries(methods)) {
    for (const path of ['/', '/.entente/enter?code=x&path=/', '/.entente/enrol', '/.entente/keys']) {
      const answers = new Set();
      for (const name of names) {
        const request = `${method.split(' ')[0]} ${path} HTTP/1.1\r\nHost: ${name}.xbb.localhost:${xbb.port}\r\n${lines}\r\n`;
        const { text } = await sendRaw(xbb.port, request, { ...tls(), one: true });
        assert.notEqual(text, '', `${method} ${path} at ${name}`);
        const plain = text
          .replaceAll(name, 'NAME')
          .replace(/bind=[\w-]+/g, 'bind=B')
          .replace(/date: .*/gi, '');
        answers.add(plain);
      }
      assert.equal(answers.size, 1, `${method} ${path}: ${[...answers].join('\n---\n')}`);
    }
  }
  assert.deepEqual(witness.seen, []);
});

system('a session cookie is worth nothing on another name, nor at another door', async () => {
  const cookie = ingrid.cookies(`${xbb.app}/`);
  for (const [port, name] of [
    [xbb.port, 'other-xaa.xbb.localhost'],
    [xbb.port, 'lobby.xbb.localhost'],
    [coalition.nation('XAA').port, 'cop-xaa.xaa.localhost'],
  ]) {
    witness.seen.length = 0;
    const request = `GET /in HTTP/1.1\r\nHost: ${name}:${port}\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`;
    const { status } = await sendRaw(port, request, { ...tls(), name });
    assert.notEqual(status, 200, name);
    assert.deepEqual(witness.seen, [], name);
  }
});

system('attack: no script reads a cookie of the door, no other site sends it, no other name sees it', async () => {
  const visitor = await Visitor.inside(coalition, 'ingrid');
  const ours = visitor.told.filter(({ line }) => /entente/i.test(line.split('=')[0]));
  for (const { hostname, line } of ours)
    assert.match(
      line,
      /^__Host-entente[\w-]*=[^;\s]*; Secure; HttpOnly; SameSite=Lax; Path=\/(; Max-Age=\d+)?$/,
      hostname,
    );
  // Each step of signing in and opening an app leaves its own in a browser.
  const kept = new Set(ours.map(({ line }) => line.split('=')[0]));
  assert.deepEqual([...kept].sort(), ['', '-app', '-bind', '-login'].map((end) => `__Host-entente${end}`));
  const [lobby, app] = [new URL(xbb.lobby).hostname, new URL(xbb.app).hostname];
  for (const { hostname, line } of ours)
    assert.equal(hostname, /^__Host-entente(-login)?=/.test(line) ? lobby : app, line);
});

system('a doubled session cookie opens nothing, whichever comes first', async () => {
  const value = ingrid.cookie(`${xbb.app}/`, '__Host-entente-app');
  for (const cookies of [
    `__Host-entente-app=${value}; __Host-entente-app=${'x'.repeat(value.length)}`,
    `__Host-entente-app=${'x'.repeat(value.length)}; __Host-entente-app=${value}`,
    `__Host-entente-app=${value}; __Host-entente-app=${value}`,
    `__Host-entente-app="${value}"`,
  ]) {
    witness.seen.length = 0;
    const request = `GET /in HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookies}\r\nConnection: close\r\n\r\n`;
    const { status } = await sendRaw(xbb.port, request, tls());
    assert.notEqual(status, 200, cookies.replaceAll(value, 'V'));
    assert.deepEqual(witness.seen, []);
  }
});

system('an app knows a visitor only by the one assertion made for it', async () => {
  const forged = [
    'Entente-Assertion: eyJhbGciOiJub25lIn0.e30.',
    'ENTENTE-ASSERTION: y',
    'Entente-App: other',
    'Entente-Session: 1',
    'Entente-Refusal: {}',
    'X-Forwarded-For: 10.0.0.1',
    'X-Forwarded-User: admin',
    'X-Real-IP: 10.0.0.1',
    'Forwarded: for=10.0.0.1',
    'X-Remote-User: admin',
    'Remote-User: admin',
    'X-Client-Cert: x',
    'X-SSL-Client-DN: CN=admin',
    'Via: 1.1 evil',
    'Proxy-Authorization: Basic eA==',
    'X-Auth-Request-Email: admin',
    'True-Client-IP: 10.0.0.1',
  ];
  const alone = await attack(get('Entente_Assertion: x\r\nConnection: close\r\n'));
  assert.equal(alone.status, 400, 'a name that some servers read as another one');
  const { status, seen } = await attack(get(`${forged.join('\r\n')}\r\nConnection: close\r\n`));
  assert.equal(status, 200);
  const [assertion, ...more] = assertionOf(seen[0]);
  assert.deepEqual(more, [], 'exactly one assertion');
  assert.equal(assertion.aud, 'entente:app:XAA/cop');
  assert.equal(assertion.iss, 'entente:node:XAA');
  assert.ok(assertion.exp - assertion.iat <= 60);
  assert.doesNotMatch(JSON.stringify(assertion), /ingrid|bor-40117/i, 'a pseudonym, not the name');
  const known = seen[0].headers.map(([name]) => name.toLowerCase());
  for (const line of forged) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    if (name !== 'entente-assertion') assert.ok(!known.includes(name), `${name} reached the app`);
  }
  assert.doesNotMatch(
    JSON.stringify(seen[0].headers),
    /__Host-entente|127\.0\.0\.1/,
    'no cookie, no address',
  );
  const [own] = (await attack(get('Connection: close\r\n'))).seen;
  assert.equal(assertionOf(own)[0].sub, assertion.sub, 'the same person has the same pseudonym');
  // A visitor who shows an assertion, were it a good one, is known by the one that the node puts in its place.
  const shown = seen[0].headers.find(([name]) => name.toLowerCase() === 'entente-assertion')[1];
  await konrad.go(`${konrad.nation.app}/in`, { headers: { 'entente-assertion': shown } });
  const [his, ...others] = assertionOf(witness.seen.at(-1));
  assert.deepEqual(others, [], 'exactly one assertion');
  assert.notEqual(his.jti, assertion.jti);
  assert.notEqual(his.sub, assertion.sub);
  await konrad.go(`${konrad.nation.app}/in`);
  assert.notEqual(assertionOf(witness.seen.at(-1))[0].sub, assertion.sub);
});

system('an app that did not ask for one assertion with each request gets the same one again', async () => {
  const sent = [];
  for (let i = 0; i < 10; i += 1) {
    await konrad.go(`${konrad.nation.app}/in`);
    sent.push(assertionOf(witness.seen.at(-1))[0].jti);
  }
  assert.ok(new Set(sent).size < sent.length, 'for some seconds of its minute'); // each of its own: count_test.mjs
});

system('another origin can neither change anything nor open a stream', async () => {
  const origins = [
    'https://evil.example',
    'null',
    xbb.lobby,
    `${xbb.app}.evil.example`,
    xbb.app.toUpperCase(),
  ];
  for (const origin of origins) {
    const bytes = post('Content-Length: 0\r\nConnection: close\r\n').replace(
      `Origin: ${xbb.app}`,
      `Origin: ${origin}`,
    );
    const { status, seen } = await attack(bytes);
    assert.equal(status, 403, `POST from ${origin}`);
    assert.deepEqual(seen, []);
    await assert.rejects(ingrid.watch('/tracks', { origin }), /refused with 403/, `WebSocket from ${origin}`);
  }
  const bare = post('Content-Length: 0\r\nConnection: close\r\n').replace(`Origin: ${xbb.app}\r\n`, '');
  assert.equal((await attack(bare)).status, 403, 'POST that names no origin');
  const twice = post(`Origin: ${xbb.app}\r\nContent-Length: 0\r\nConnection: close\r\n`);
  assert.notEqual((await attack(twice)).status, 200, 'POST that names its origin twice');
  const stream = await ingrid.watch();
  stream.socket.terminate();
});

system(
  'an app sets cookies for itself alone, nothing is stored, nothing of the door is overridden',
  async () => {
    const { headers } = await ingrid.go(`${xbb.app}/rude`, {
      cookies: false,
      headers: { cookie: ingrid.cookies(`${xbb.app}/`) },
    });
    const cookies = headers['set-cookie'];
    assert.deepEqual(cookies, ['track=1; Path=/', 'plain=2; Path=/']);
    assert.equal(headers['cache-control'], 'no-store');
    for (const name of ['service-worker-allowed', 'clear-site-data', 'alt-svc', 'entente-refusal'])
      assert.equal(headers[name], undefined, name);
    assert.notEqual(headers['strict-transport-security'], 'max-age=0');
  },
);

system('a service worker of an app is not served', async () => {
  const { status, seen } = await attack(get('Service-Worker: script\r\nConnection: close\r\n', '/worker.js'));
  assert.equal(status, 403);
  assert.deepEqual(seen, []);
});

system('the lobby is not stored, not framed, and runs no script', async () => {
  for (const path of ['/', '/sign-out', '/nothing', '/callback?code=x&state=y']) {
    const { headers } = await ingrid.go(`${xbb.lobby}${path}`, { cookies: false });
    assert.equal(headers['cache-control'], 'no-store', path);
    assert.match(headers['content-security-policy'], /default-src 'none'/, path);
    assert.match(headers['content-security-policy'], /frame-ancestors 'none'/, path);
    assert.doesNotMatch(headers['content-security-policy'], /unsafe|script-src/, path);
    assert.equal(headers['x-content-type-options'], 'nosniff', path);
  }
});

system('a hand-off serves once, and only the browser that asked for it', async () => {
  const atEntrance = (address) => address.includes('/.entente/enter');
  const own = await Visitor.in(coalition, 'ingrid');
  const { address } = await own.follow(`${xbb.app}/in`, atEntrance);
  const thief = new Visitor(coalition, 'ingrid');
  assert.equal((await thief.go(address)).status, 403, 'a browser without the cookie');
  assert.equal((await own.go(address)).status, 403, 'trying it used it up');

  const again = await own.follow(`${xbb.app}/in`, atEntrance);
  await thief.go(`${xbb.app}/`); // a browser with a bind cookie of its own
  assert.ok(thief.cookie(`${xbb.app}/`, '__Host-entente-bind'));
  assert.equal((await thief.go(again.address)).status, 403);

  const good = await own.follow(`${xbb.app}/in`, atEntrance);
  const elsewhere = good.address.replace('cop-xaa.', 'other-xaa.');
  const bind = own.cookies(good.address);
  assert.equal((await own.go(elsewhere, { cookies: false, headers: { cookie: bind } })).status, 403);
  const last = await own.follow(`${xbb.app}/in`, atEntrance);
  const taken = own.cookies(last.address);
  assert.equal((await own.go(last.address)).status, 303, 'the browser it was made for');
  const replayed = await own.go(last.address, { cookies: false, headers: { cookie: taken } });
  assert.equal(replayed.status, 403, 'once only');
});

system('a hand-off leads to a path of its own app, never elsewhere', async () => {
  const atEntrance = (address) => address.includes('/.entente/enter');
  for (const path of ['//evil.example/', 'https://evil.example/', '/\\evil.example', '/%2e%2e/x', '']) {
    const own = await Visitor.in(coalition, 'ingrid');
    const { address } = await own.follow(`${xbb.app}/in`, atEntrance);
    const twisted = new URL(address);
    twisted.searchParams.set('path', path);
    const answer = await own.go(twisted.href);
    assert.equal(answer.status, 403, path);
    const enter = `${xbb.lobby}/enter?app=cop-xaa&path=${encodeURIComponent(path)}&bind=${'a'.repeat(43)}`;
    assert.equal((await own.go(enter)).status, 400, path);
  }
});

system('signing out takes the own page of the lobby: its origin and its token', async () => {
  const own = await Visitor.inside(coalition, 'lena');
  const { lobby: address, app } = own.nation;
  const lobby = await own.go(`${address}/`);
  const [, token] = /name="token" value="([^"]+)"/.exec(lobby.body);
  const signOut = (origin, body) =>
    own.go(`${address}/sign-out`, {
      method: 'POST',
      headers: { ...(origin && { origin }), 'content-type': 'application/x-www-form-urlencoded' },
      body,
    });
  const good = `token=${encodeURIComponent(token)}`;
  for (const [origin, body] of [
    [address, ''],
    [address, 'token='],
    [address, 'token=wrong'],
    [address, `${good}x`],
    [undefined, good],
    ['null', good],
    [app, good],
    ['https://evil.example', good],
  ]) {
    assert.equal((await signOut(origin, body)).status, 403, `${origin} ${body.slice(0, 12)}`);
  }
  assert.equal((await own.go(`${app}/in`)).status, 200, 'still inside');
  const out = await signOut(address, good);
  assert.equal(out.status, 303);
  assert.match(out.headers['clear-site-data'] ?? '', /storage/);
  const gone = await own.go(`${app}/in`);
  assert.notEqual(gone.status, 200, 'the session ended with the sign-in');
});

system('an app that answers garbage, nothing, or not at all is down, and the node goes on', async () => {
  const ways = {
    'no HTTP at all': (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'),
    'random bytes': (socket) => socket.end(Buffer.alloc(65_536, 0x8f)),
    'a close at once': (socket) => socket.destroy(),
    'half a head': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Le'),
    'two lengths': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
    'both lengths': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    'an endless head': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const more = setInterval(() => socket.write(`X-More: ${'a'.repeat(8000)}\r\n`), 2);
      socket.on('close', () => clearInterval(more));
    },
    'a split answer': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b=c\r\nContent-Length: 0\r\n\r\n'),
  };
  for (const [name, misbehave] of Object.entries(ways)) {
    witness.misbehave = misbehave;
    for (const visitor of [ingrid, konrad]) {
      const { status, body } = await visitor.go(`${visitor.nation.app}/in`);
      assert.ok(status === 502 || status === 503, `${name}: ${visitor.person.login} got ${status}`);
      assert.match(body, /data-refusal="app-down"/, name);
    }
  }
  witness.misbehave = undefined;
  for (const visitor of [ingrid, konrad])
    assert.equal((await visitor.go(`${visitor.nation.app}/in`)).status, 200, 'and back again');
});

system('an app that never answers is given up after its time, and everything it held is given back', async () => {
  const silent = new Set();
  witness.misbehave = (socket) => {
    silent.add(socket);
    socket.on('close', () => silent.delete(socket)).resume();
  };
  const asked = [ingrid, konrad].flatMap((visitor) =>
    Array.from({ length: 15 }, () => visitor.go(`${visitor.nation.app}/in`)),
  );
  await until('all have reached the app', () => silent.size === asked.length);
  for (const { status, body } of await Promise.all(asked)) {
    assert.ok(status === 502 || status === 503, `${status}`);
    assert.match(body, /data-refusal="app-down"/);
  }
  witness.misbehave = undefined;
  await until('the connector has closed its sockets', () => silent.size === 0);
  await until('no stream is left', async () => {
    const { sessions } = await coalition.ask('XAA', 'session', 'ls');
    return sessions.every(({ streams }) => streams === 0);
  });
  for (const visitor of [ingrid, konrad])
    assert.equal((await visitor.go(`${visitor.nation.app}/in`)).status, 200, 'and back again');
});

system('no assertion or cookie of a visitor is in any log', async () => {
  const secrets = witness.seen.flatMap(({ headers }) =>
    headers.filter(([name]) => name.toLowerCase() === 'entente-assertion').map(([, value]) => value),
  );
  for (const visitor of [ingrid, konrad])
    for (const kept of visitor.jar.values())
      for (const { value } of kept.values()) if (value.length > 20) secrets.push(value);
  assert.ok(secrets.length > 4);
  for (const name of ['node-xaa', 'node-xbb', 'connector-cop-1'])
    for (const secret of secrets) assert.ok(!coalition.log(name).includes(secret), name);
});

system('attack: a page that fills the cookies of the whole domain keeps the browser out of nothing for good', async () => {
  const filled = (bytes) => `Cookie: flood=${'x'.repeat(bytes)}\r\n`;
  const removed = /^clear-site-data: "cookies"\r$/im;
  for (const name of [host, new URL(xbb.lobby).host]) {
    for (const bytes of [17_000, 700_000]) {
      const { status, text } = await attack(`GET / HTTP/1.1\r\nHost: ${name}\r\n${filled(bytes)}\r\n`);
      assert.equal(status, 431, name);
      assert.match(text, removed, 'the browser is told to remove them');
      assert.match(text, /sign-ins with them/, 'and the person what happened');
    }
  }
  // Nor out of one app: what the door takes goes on to it, with what nodes add.
  for (const visitor of [ingrid, konrad]) {
    const own = visitor.cookies(`${visitor.nation.app}/`);
    const answer = await visitor.go(`${visitor.nation.app}/in`, {
      headers: { cookie: `${own}; flood=${'x'.repeat(16_384 - own.length - 300)}` },
    });
    const { status, headers } = answer;
    assert.ok(status === 200 || (status === 431 && headers['clear-site-data'] === '"cookies"'), `${status}`);
  }
});

system("attack: an app that calls each request too large signs nobody out of the others", async () => {
  witness.misbehave = (socket) => {
    socket.on('error', () => {}).once('data', () =>
      socket.end('HTTP/1.1 431 Request Header Fields Too Large\r\nClear-Site-Data: "cookies"\r\nContent-Length: 0\r\n\r\n'),
    );
  };
  for (const visitor of [ingrid, konrad]) {
    const own = visitor.cookies(`${visitor.nation.app}/`);
    for (const [bytes, removal] of [[0, undefined], [3_000, undefined], [6_000, '"cookies"']]) {
      const { status, headers } = await visitor.go(`${visitor.nation.app}/in`, {
        headers: { cookie: `${own}; flood=${'x'.repeat(bytes)}` },
      });
      assert.equal(status, 431, visitor.person.login);
      assert.equal(headers['clear-site-data'], removal, `${bytes}`);
    }
  }
  witness.misbehave = undefined;
});

system('an app that is not there is said to be down, and comes back by itself', async () => {
  await witness.close();
  for (const visitor of [ingrid, konrad]) {
    const { status, body } = await visitor.go(`${visitor.nation.app}/in`);
    assert.ok(status === 502 || status === 503, `${visitor.person.login} got ${status}`);
    assert.match(body, /data-refusal="app-down"/);
  }
  witness = await new Witness(coalition.file('cop-1.sock')).listen();
  await until('the app is reached again', async () => (await ingrid.go(`${xbb.app}/in`)).status === 200);
});
