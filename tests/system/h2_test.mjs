// Browsers speak HTTP/2 at the door: what works as over HTTP/1.1, and attacks that only HTTP/2 has.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, setLimits, skip, system, until } from './coalition.mjs';
import { frame } from './frames.mjs';
import { askH2, kEnableConnect, openH2, RawH2 } from './h2_client.mjs';
import { Visitor } from './visitor.mjs';

const kHeadSeconds = 3;
const kIdleSeconds = 4;
const kResetsMax = 50;
const kLargeBytes = 32 * 1024 * 1024;
const [kInternalError, kCancel] = [2, 8];


let coalition, app, ingrid, konrad, xaa, xbb, host;

// An app that can stream, count, hang and upgrade. `seen` are the requests that reached it.
class Workbench {
  seen = [];
  sockets = new Set();
  accept = (key) =>
    createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

  constructor(path) {
    this.path = path;
    this.server = createServer((request, response) => this.#serve(request, response));
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket)).on('error', () => {});
    });
    this.server.on('upgrade', (request, socket) => {
      this.#remember(request);
      const accept = this.accept(request.headers['sec-websocket-key']);
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`,
      );
      socket.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end());
    });
  }

  #remember(request) {
    const seen = { method: request.method, url: request.url, headers: request.headers, bytes: 0 };
    this.seen.push(seen);
    return seen;
  }

  async #serve(request, response) {
    const seen = this.#remember(request);
    if (request.url === '/hang') {
      request.on('close', () => {
        seen.gone = true;
      });
      return;
    }
    if (request.url === '/pour') {
      const block = Buffer.alloc(64 * 1024, 'x');
      response.on('close', () => {
        seen.gone = true;
      });
      const pour = () => {
        let more = true;
        while (more && !response.destroyed) {
          more = response.write(block);
          seen.bytes += block.length;
        }
        if (!response.destroyed) response.once('drain', pour);
      };
      return void pour();
    }
    if (request.url === '/large') {
      const part = Buffer.alloc(kLargeBytes, 'y');
      const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
      response.setHeader('content-length', from === undefined ? kLargeBytes : Number(to) + 1 - Number(from));
      if (from === undefined) return void response.end(part);
      response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${kLargeBytes}` });
      return void response.end(part.subarray(Number(from), Number(to) + 1));
    }
    if (request.url === '/304') return void response.writeHead(304, { etag: '"a"' }).end();
    if (request.url === '/204') return void response.writeHead(204).end();
    try {
      for await (const chunk of request) seen.bytes += chunk.length;
    } catch {
      return;
    }
    seen.whole = true;
    response.end(JSON.stringify(seen));
  }

  async listen() {
    const { rmSync } = await import('node:fs');
    rmSync(this.path, { force: true });
    await new Promise((done, failed) => this.server.once('error', failed).listen(this.path, done));
    return this;
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((done) => this.server.close(done));
  }
}

before(async () => {
  if (skip) return;
  coalition = await Coalition.start((plan) => {
    setLimits(plan, 'XBB', {
      head_timeout_s: kHeadSeconds,
      idle_timeout_s: kIdleSeconds,
      http2_resets_max: kResetsMax,
    });
  });
  [xaa, xbb] = [coalition.nation('XAA'), coalition.nation('XBB')];
  host = new URL(xbb.app).host;
  await coalition.stop('cop-1');
  app = await new Workbench(coalition.file('cop-1.sock')).listen();
  ingrid = await Visitor.inside(coalition, 'ingrid');
  konrad = await Visitor.inside(coalition, 'konrad');
});

after(async () => {
  await app?.close();
  await coalition?.end();
});

const cookie = () => ingrid.cookies(`${xbb.app}/`);
const name = () => new URL(xbb.app).hostname;
const open = () => openH2(xbb.port, coalition.ca, name());
const get = (path, more = {}) => ({ ':path': path, ':authority': host, cookie: cookie(), ...more });
const post = (path, more = {}) => get(path, { ':method': 'POST', origin: xbb.app, ...more });

// The fields of a good request inside Ingrid's session, for frames by hand.
const fields = (changes = {}, more = []) => {
  const pseudo = { ':method': 'GET', ':scheme': 'https', ':authority': host, ':path': '/in', ...changes };
  return [
    ...Object.entries(pseudo).filter(([, value]) => value !== undefined),
    ['cookie', cookie()],
    ...more,
  ];
};

system('requests, bodies, ranges and answers without a body pass over HTTP/2', async () => {
  const client = await open();
  assert.equal(client.alpnProtocol, 'h2');
  const plain = await askH2(client, get('/in'));
  assert.equal(plain.status, 200);
  assert.equal(plain.headers['cache-control'], 'no-store');
  assert.ok(plain.headers.date);
  const sent = await askH2(client, post('/in'), randomBytes(300_000));
  assert.equal(JSON.parse(sent.body).bytes, 300_000);
  const sized = await askH2(client, post('/in', { 'content-length': '5', expect: '100-continue' }), 'hello');
  assert.equal(JSON.parse(sized.body).headers['content-length'], '5');
  const large = await askH2(client, get('/large'));
  assert.equal(large.body.length, kLargeBytes);
  const part = await askH2(client, get('/large', { range: 'bytes=10-29' }));
  assert.deepEqual([part.status, part.body.length], [206, 20]);
  assert.equal(part.headers['content-range'], `bytes 10-29/${kLargeBytes}`);
  const head = await askH2(client, get('/large', { ':method': 'HEAD' }));
  assert.deepEqual([head.status, head.body.length], [200, 0]);
  assert.equal(Number(head.headers['content-length']), kLargeBytes);
  assert.equal((await askH2(client, get('/304'))).status, 304);
  assert.equal((await askH2(client, get('/204'))).status, 204);
  const many = await Promise.all(Array.from({ length: 60 }, () => askH2(client, get('/in'))));
  assert.deepEqual([...new Set(many.map(({ status }) => status))], [200]);
  client.close();
});

system('cookie crumbs are put together again, and a doubled cookie still opens nothing', async () => {
  const [own, ...others] = cookie().split('; ');
  const raw = await RawH2.open(xbb.port, coalition.ca, name());
  app.seen.length = 0;
  const crumbs = (...list) => [
    ...fields().filter(([field]) => field !== 'cookie'),
    ...list.map((crumb) => ['cookie', crumb]),
  ];
  raw.headers(1, crumbs('a=1', own, ...others, 'b=2'));
  await until('the app was asked', () => app.seen.length === 1);
  assert.match(app.seen[0].headers.cookie, /^a=1; (.*; )?b=2$/);
  assert.doesNotMatch(app.seen[0].headers.cookie, /entente/);
  raw.headers(3, crumbs(own, own));
  await until('it is answered', () => raw.count('headers', 3) === 1);
  assert.equal(app.seen.length, 1);
  raw.close();
});

system('a request that would read differently over HTTP/1.1 is reset, and the app never sees it', async () => {
  const evil = (field, value) => fields({}, [[field, value]]);
  const cases = {
    'CR LF in a value': evil('x-a', 'b\r\nx-evil: 1'),
    'LF in a value': evil('x-a', 'b\nx-evil: 1'),
    'CR in a value': evil('x-a', 'b\rc'),
    'NUL in a value': evil('x-a', 'b\0c'),
    'CR LF in a name': evil('x-a: 1\r\nx-evil', 'b'),
    'a colon in a name': evil('x-a:evil', 'b'),
    'a space in a name': evil('x a', 'b'),
    'capitals in a name': evil('X-A', 'b'),
    'an underscore in a name': evil('entente_assertion', 'b'),
    'Transfer-Encoding': evil('transfer-encoding', 'chunked'),
    'Transfer-Encoding: trailers': evil('te', 'gzip'),
    Connection: evil('connection', 'close'),
    'Keep-Alive': evil('keep-alive', '1'),
    'Proxy-Connection': evil('proxy-connection', 'close'),
    Upgrade: evil('upgrade', 'websocket'),
    'HTTP2-Settings': evil('http2-settings', 'AA'),
    'a length without a body': evil('content-length', '5'),
    'a length with a sign': evil('content-length', '+0'),
    'two lengths': fields({}, [
      ['content-length', '0'],
      ['content-length', '0'],
    ]),
    'a request line in the path': fields({ ':path': '/in HTTP/1.1\r\nx-evil: 1' }),
    'a space in the path': fields({ ':path': '/in evil' }),
    'a fragment in the path': fields({ ':path': '/in#evil' }),
    'an absolute path': fields({ ':path': `https://${host}/in` }),
    'an empty path': fields({ ':path': '' }),
    'no path': fields({ ':path': undefined }),
    'a path twice': [[':path', '/in'], ...fields()],
    'a method twice': [[':method', 'GET'], ...fields()],
    'an authority twice': [[':authority', host], ...fields()],
    'a pseudo field after others': fields({ ':path': undefined }, [[':path', '/in']]),
    'an unknown pseudo field': [[':evil', '1'], ...fields()],
    'a status': [[':status', '200'], ...fields()],
    'a request line in the method': fields({ ':method': 'GET /in HTTP/1.1\r\nx-evil:' }),
    'Host that differs': evil('host', 'lobby.xbb.localhost'),
    'Host twice': fields({}, [
      ['host', host],
      ['host', host],
    ]),
    'a user in the authority': fields({ ':authority': `evil@${host}` }),
    'CR LF in the authority': fields({ ':authority': `${host}\r\nx-evil: 1` }),
    'no scheme': fields({ ':scheme': undefined }),
    'another scheme': fields({ ':scheme': 'ftp' }),
    'CONNECT to elsewhere': [
      [':method', 'CONNECT'],
      [':authority', 'evil.example:443'],
    ],
    'CONNECT to the app': [
      [':method', 'CONNECT'],
      [':authority', host],
      ['cookie', cookie()],
    ],
    TRACE: fields({ ':method': 'TRACE' }),
  };
  app.seen.length = 0;
  const failures = [];
  for (const [what, list] of Object.entries(cases)) {
    const raw = await RawH2.open(xbb.port, coalition.ca, name());
    raw.headers(1, list);
    await until(`${what} is refused`, () => raw.ended || raw.count('reset', 1) > 0 || raw.count('headers', 1) > 0);
    if (raw.count('headers', 1) > 0) failures.push(`${what} is answered`);
    raw.close();
  }
  assert.deepEqual(failures, []);
  assert.deepEqual(
    app.seen.map(({ url }) => url),
    [],
  );
});

system('a head that is too large is asked for again over HTTP/1.1, where the browser is told to remove its cookies', async () => {
  const raw = await RawH2.open(xbb.port, coalition.ca, name());
  raw.headers(1, [...fields(), ...Array.from({ length: 120 }, (_, i) => ['cookie', `crumb${i}=1`])]);
  await until('it is reset', () => raw.count('reset', 1) > 0);
  const [{ payload }] = raw.frames.filter(({ type, stream }) => type === 'reset' && stream === 1);
  assert.equal(payload.readUInt32BE(0), 13, 'HTTP_1_1_REQUIRED');
  raw.headers(3, fields());
  await until('others on the connection go on', () => raw.count('headers', 3) > 0);
  raw.close();
});

system('a body that is longer or shorter than it said breaks its request', async () => {
  const client = await open();
  for (const [said, sent] of [
    ['5', 'hello and more'],
    ['500', 'hello'],
  ]) {
    const raw = await RawH2.open(xbb.port, coalition.ca, name());
    app.seen.length = 0;
    const list = fields({ ':method': 'POST' }, [
      ['origin', xbb.app],
      ['content-length', said],
    ]);
    raw.headers(1, list, false);
    raw.send(frame('data', 1, 1, Buffer.from(sent)));
    await until('it is reset or answered', () => raw.ended || raw.count('reset', 1) + raw.count('headers', 1) > 0);
    // The same way, behind it, where there still is a way.
    raw.headers(3, fields({ ':path': '/in' }));
    await until('it is answered', () => raw.ended || raw.count('headers', 3) > 0);
    assert.equal((await askH2(client, get('/in'))).status, 200);
    assert.deepEqual(
      app.seen.filter(({ whole, method }) => whole && method !== 'GET'),
      [],
      `${said} for ${sent.length}`,
    );
    raw.close();
  }
  client.close();
});

system('one connection for several names: each request is its own name’s, whatever TLS was opened for', async () => {
  const lobby = new URL(xbb.lobby).host;
  app.seen.length = 0;
  for (const first of [host, lobby]) {
    const client = await openH2(xbb.port, coalition.ca, first.split(':')[0]);
    assert.ok((await askH2(client, get('/in', { ':authority': first }))).status > 0);
    app.seen.length = 0;
    // The app's cookie under any other name opens nothing, on this connection as on any.
    for (const other of [lobby, `other-xaa.xbb.localhost:${xbb.port}`, `whatever.xbb.localhost:${xbb.port}`]) {
      const { status } = await askH2(client, get('/in', { ':authority': other }));
      assert.ok([303, 404, 421].includes(status), `${other} on a connection of ${first}: ${status}`);
    }
    for (const foreign of ['evil.example', new URL(xaa.app).host, `xbb.localhost:${xbb.port}`, '127.0.0.1'])
      assert.equal((await askH2(client, get('/in', { ':authority': foreign }))).status, 421, foreign);
    assert.deepEqual(app.seen, []);
    const own = await askH2(client, get('/in'));
    assert.ok(own.status === 200 || own.status === 421, `${own.status}`);
    client.close();
  }
});

system('unknown, hidden and known names are answered alike over HTTP/2 too', async () => {
  const names = ['cop-xaa', 'cop-xbb', 'nothing-xaa', 'nothing-xzz', 'whatever', 'cop-xaa-x'];
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    const answers = new Set();
    for (const label of names) {
      const client = await openH2(xbb.port, coalition.ca, `${label}.xbb.localhost`);
      const { status, headers, body } = await askH2(client, {
        ':method': method,
        ':path': '/',
        ':authority': `${label}.xbb.localhost:${xbb.port}`,
      });
      const kept = Object.entries(headers).filter(([field]) => field !== 'date');
      answers.add(
        JSON.stringify([status, kept, body.toString()])
          .replaceAll(label, 'NAME')
          .replace(/bind=[\w-]+/g, 'bind=B'),
      );
      client.close();
    }
    assert.equal(answers.size, 1, `${method}: ${[...answers].join('\n')}`);
  }
});

const upgrade = (more = {}) =>
  get('/live', {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    origin: xbb.app,
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'chat, other',
    ...more,
  });

function openSocket(client, headers) {
  const stream = client.request(headers, { endStream: false });
  stream.on('error', () => {});
  const answered = new Promise((done) => {
    stream.on('response', (got) => done(got));
    stream.on('close', () => done({ ':status': 0 }));
  });
  return { stream, answered };
}

system('a WebSocket opens by extended CONNECT, and the app’s handshake is made and checked here', async () => {
  const client = await open();
  assert.equal(client.remoteSettings.enableConnectProtocol, true, `setting ${kEnableConnect}`);
  app.seen.length = 0;
  const { stream, answered } = openSocket(client, upgrade());
  const answer = await answered;
  assert.equal(answer[':status'], 200);
  assert.equal(answer['sec-websocket-protocol'], 'chat');
  assert.equal(answer['sec-websocket-accept'], undefined);
  const [asked] = app.seen;
  assert.deepEqual([asked.method, asked.headers.upgrade], ['GET', 'websocket']);
  assert.equal(asked.headers['sec-websocket-protocol'], 'chat, other');
  assert.equal(Buffer.from(asked.headers['sec-websocket-key'], 'base64').length, 16);
  const echoed = new Promise((done) => stream.once('data', done));
  stream.write('frames');
  assert.equal((await echoed).toString(), 'frames');
  stream.close();

  app.accept = () => 'bm90IHRoZSByaWdodCBhbnN3ZXI=';
  assert.ok([502, 503].includes((await openSocket(client, upgrade()).answered)[':status']), 'a bad accept');
  app.accept = (key) =>
    createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  for (const [what, more, status] of [
    ['another origin', { origin: 'https://evil.example' }, 403],
    ['no origin', { origin: '' }, 403],
    ['another version', { 'sec-websocket-version': '8' }, 400],
    ['no session', { cookie: 'a=1' }, 403],
    ['another protocol', { ':protocol': 'entente-bytes' }, 405],
    ['a tunnel', { ':protocol': 'h2c' }, 405],
  ])
    assert.equal((await openSocket(client, upgrade(more)).answered)[':status'], status, what);
  client.close();
});

system('a cut resets the streams of that session at once, and no other', async () => {
  const known = new Set((await coalition.ask('XAA', 'session', 'ls')).sessions.map(({ id }) => id));
  const again = await Visitor.inside(coalition, 'ingrid'); // in another browser
  const { sessions } = await coalition.ask('XAA', 'session', 'ls');
  const [mine, ...more] = sessions.filter(({ id }) => !known.has(id));
  assert.deepEqual(more, []);
  const client = await open();
  const hers = await openH2(xbb.port, coalition.ca, name());
  const own = (path, more = {}) => ({ ...get(path, more), cookie: again.cookies(`${xbb.app}/`) });
  const { stream, answered } = openSocket(hers, { ...upgrade(), cookie: again.cookies(`${xbb.app}/`) });
  assert.equal((await answered)[':status'], 200);
  const pouring = hers.request(own('/pour'));
  let [poured, lastAt] = [0, 0];
  pouring.on('error', () => {});
  pouring.on('data', (chunk) => {
    poured += chunk.length;
    lastAt = performance.now();
  });
  await until('bytes come', () => poured > 1_000_000);
  const { stream: others, answered: theirs } = openSocket(client, upgrade());
  assert.equal((await theirs)[':status'], 200);
  await coalition.ask('XAA', 'session', 'cut', mine.id, '--reason', 'exercise');
  await until('both of her streams are reset', () => stream.destroyed && pouring.destroyed);
  // By the cut itself, or by the broken stream behind, whichever is heard of first.
  for (const { rstCode } of [stream, pouring]) assert.ok([kCancel, kInternalError].includes(rstCode), `${rstCode}`);
  const [at, bytes] = [lastAt, poured];
  const after = await askH2(hers, own('/in')); // on the same connection, behind whatever was on the way
  assert.equal(poured, bytes, `nothing came after ${at}`);
  assert.equal(after.status, 403, 'the connection goes on, the session does not');
  assert.match(after.body.toString(), /data-refusal/);
  const echoed = new Promise((done) => others.once('data', done));
  others.write('still here');
  assert.equal((await echoed).toString(), 'still here');
  client.close();
  hers.close();
});

system('a request that its browser gives up is given up at the app', async () => {
  const client = await open();
  app.seen.length = 0;
  for (const path of ['/hang', '/pour']) {
    const stream = client.request(get(path));
    stream.on('error', () => {}).resume();
    await until(`${path} reached the app`, () => app.seen.some(({ url }) => url === path));
    await wait(100);
    stream.close(kCancel);
    await until(`the app hears of it: ${path}`, () => app.seen.some(({ url, gone }) => url === path && gone));
  }
  assert.equal((await askH2(client, get('/in'))).status, 200);
  client.close();
});

system('a reader that takes nothing holds back the app, and no other stream of its connection', async () => {
  const client = await open();
  app.seen.length = 0;
  const slow = client.request(get('/pour'));
  slow.on('error', () => {}).pause();
  await until('the app pours', () => app.seen.some(({ bytes }) => bytes > 0));
  let last = -1;
  await until(
    'the app is held back',
    async () => {
      const { bytes } = app.seen.find(({ url }) => url === '/pour');
      const same = bytes === last;
      last = bytes;
      await wait(300);
      return same;
    },
    20_000,
  );
  assert.ok(last < 64 * 1024 * 1024, `${last} bytes`);
  assert.equal((await askH2(client, get('/in'))).status, 200);
  slow.close(kCancel);
  client.close();
});

system('rapid reset and floods end their connection, and nobody else’s', async () => {
  const floods = {
    'rapid reset': (raw) => {
      for (let stream = 1; stream < 20 * kResetsMax; stream += 2) {
        raw.headers(stream, fields(), true);
        raw.send(frame('reset', 0, stream, Buffer.from([0, 0, 0, kCancel])));
      }
    },
    'malformed requests': (raw) => {
      for (let stream = 1; stream < 20 * kResetsMax; stream += 2)
        raw.headers(stream, fields({ ':path': 'x' }), true);
    },
    PING: (raw) => {
      for (let i = 0; i < 1000; i += 1) raw.send(frame('ping', 0, 0, Buffer.alloc(8)));
    },
    SETTINGS: (raw) => {
      for (let i = 0; i < 1000; i += 1) raw.send(frame('settings', 0, 0));
    },
    'empty DATA': (raw) => {
      raw.headers(1, fields({ ':method': 'POST' }, [['origin', xbb.app]]), false);
      for (let i = 0; i < 1000; i += 1) raw.send(frame('data', 0, 1));
    },
    CONTINUATION: (raw) => {
      raw.send(frame('headers', 0, 1));
      for (let i = 0; i < 1000; i += 1) raw.send(frame('continuation', 0, 1));
    },
    'window updates of a byte': (raw) => {
      for (let i = 0; i < 10_000; i += 1) raw.send(frame('window', 0, 0, Buffer.from([0, 0, 0, 1])));
    },
  };
  const client = await open();
  for (const [what, flood] of Object.entries(floods)) {
    const raw = await RawH2.open(xbb.port, coalition.ca, name());
    flood(raw);
    await until(`${what} ends the connection`, () => raw.ended, 8000);
    assert.equal((await askH2(client, get('/in'))).status, 200, what);
  }
  client.close();
});

system('who says nothing, or nothing more, is sent away', async () => {
  const silent = await RawH2.open(xbb.port, coalition.ca, name());
  await until('a connection without a request ends', () => silent.ended, (kHeadSeconds + 10) * 1000);
  assert.equal(silent.count('goaway', 0), 1);
  const half = await RawH2.open(xbb.port, coalition.ca, name());
  half.send(frame('headers', 0, 1, Buffer.from([0x82])));
  await until('half a head ends', () => half.ended, (kHeadSeconds + 10) * 1000);
  const idle = await RawH2.open(xbb.port, coalition.ca, name());
  idle.headers(1, fields());
  const pings = setInterval(() => idle.send(frame('ping', 0, 0, Buffer.alloc(8))), 500);
  await until('an idle one ends, pings or not', () => idle.ended, (kIdleSeconds + 12) * 1000);
  clearInterval(pings);
  assert.equal(idle.count('headers', 1), 1);
});

system('the lobby and our own people’s apps speak HTTP/2 as well', async () => {
  const own = new URL(xaa.app);
  const client = await openH2(xaa.port, coalition.ca, own.hostname);
  const inside = { ':path': '/in', ':authority': own.host, cookie: konrad.cookies(`${xaa.app}/`) };
  assert.equal((await askH2(client, inside)).status, 200);
  const lobby = new URL(xaa.lobby);
  const desk = await openH2(xaa.port, coalition.ca, lobby.hostname);
  const page = await askH2(desk, { ':path': '/', ':authority': lobby.host, cookie: konrad.cookies(xaa.lobby) });
  assert.equal(page.status, 200);
  assert.match(page.headers['content-security-policy'], /default-src 'none'/);
  client.close();
  desk.close();
});

system('a node that is stopped says so on every connection', async () => {
  const client = await open();
  assert.equal((await askH2(client, get('/in'))).status, 200);
  const told = new Promise((done) => client.on('goaway', (code) => done(code)));
  await coalition.stop('node-xbb');
  assert.equal(await told, 0);
});
