// A hostile identity provider of XBB: every way in which an ID token can be another one than it should be, answers
// that are none, and what of all of it is found in logs.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, skip, system, until } from './coalition.mjs';
import { HostileProvider, ps256 } from './hostile_provider.mjs';
import { Visitor } from './visitor.mjs';

let coalition, provider, xbb;
const visitors = [];

before(async () => {
  if (skip) return;
  coalition = await Coalition.start();
  xbb = coalition.nation('XBB');
  await coalition.stop('provider-xbb'); // before anybody has asked it for its keys
  provider = await new HostileProvider(coalition, 'XBB').listen();
});

after(async () => {
  await provider?.close();
  await coalition?.end();
});

// Through the whole flow with this provider: the last page, and the visitor.
async function signIn(twist) {
  provider.twist = twist;
  const visitor = new Visitor(coalition, 'ingrid');
  visitors.push(visitor);
  const page = await visitor.follow(`${xbb.lobby}/sign-in`);
  return { visitor, page, cookie: visitor.cookie(`${xbb.lobby}/`, '__Host-entente') };
}

system('a right ID token of this provider signs its person in, so refusals below mean refusals', async () => {
  const { visitor, page, cookie } = await signIn({});
  assert.equal(page.status, 200, page.body.slice(0, 400));
  assert.ok(cookie);
  assert.equal((await visitor.openApp()).status, 200);
});

system('an ID token that is another one than it should be lets nobody in', async () => {
  const now = Math.floor(Date.now() / 1000);
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = provider.key.publicKey.export({ type: 'spki', format: 'pem' });
  const hmac = (secret) => (bytes) => createHmac('sha256', secret).update(bytes).digest();
  const cases = {
    'for another audience': { claims: { aud: 'entente-node-xaa' } },
    'for no audience': { drop: ['aud'] },
    'for another audience too': { claims: { aud: ['entente-node-xbb', 'entente-node-xaa'], azp: 'entente-node-xaa' } },
    'from another issuer': { claims: { iss: coalition.nation('XAA').issuer } },
    'from an issuer almost the same': { claims: { iss: `${provider.issuer}/` } },
    expired: { claims: { iat: now - 900, exp: now - 120 } },
    'without an end': { drop: ['exp'] },
    'from the future': { claims: { iat: now + 900, exp: now + 1200 } },
    'issued long ago': { claims: { iat: now - 86_400, exp: now + 300 } },
    'with another nonce': { claims: { nonce: 'x'.repeat(43) } },
    'without a nonce': { drop: ['nonce'] },
    'without a subject': { drop: ['sub'] },
    'alg none': { header: { alg: 'none' }, signer: () => Buffer.alloc(0) },
    'alg None': { header: { alg: 'None' } },
    'HMAC with the public key': { header: { alg: 'HS256' }, signer: hmac(pem) },
    'HMAC with nothing': { header: { alg: 'HS256' }, signer: hmac('') },
    'another algorithm of the same key': {
      header: { alg: 'RS256' },
      signer: (bytes) => sign('sha256', bytes, provider.key.privateKey),
    },
    'another kind of key': {
      header: { alg: 'ES256' },
      signer: (bytes) => sign('sha256', bytes, { key: elliptic.privateKey, dsaEncoding: 'ieee-p1363' }),
    },
    'signed by another key': { signer: ps256(other.privateKey) },
    'another key that it brings along': {
      header: { jwk: other.publicKey.export({ format: 'jwk' }), kid: undefined },
      signer: ps256(other.privateKey),
    },
    'a key from an address it names': {
      header: { jku: `${provider.issuer}/jwks` },
    },
    'an extension that must be understood': { header: { crit: ['exp'] } },
    'another kind of token': { header: { typ: 'logout+jwt' } },
    'a logout token': { claims: { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } } },
    "another access token's": { claims: { at_hash: 'A'.repeat(22) } },
    'a changed claim': {
      signer: (bytes) => {
        const [header, claims] = bytes.toString().split('.');
        const weaker = JSON.parse(Buffer.from(claims, 'base64url'));
        weaker.stilling = 'kontorist';
        const text = `${header}.${Buffer.from(JSON.stringify(weaker)).toString('base64url')}`;
        return ps256(provider.key.privateKey)(Buffer.from(text));
      },
    },
    "a person of another nation": { claims: { nasjon: 'Aldoria' } },
    'no nation': { drop: ['nasjon'] },
    'a clearance nobody knows': { claims: { sikkerhetsgrad: 'KOSMISK' } },
    'claims of another type': { claims: { nasjon: { is: 'Borealis' } } },
  };
  const faults = [];
  for (const [name, twist] of Object.entries(cases)) {
    const { visitor, page, cookie } = await signIn(twist);
    if (page.status !== 403 || !/data-refusal="credential"/.test(page.body))
      faults.push(`${name}: answered with ${page.status}`);
    if (cookie) faults.push(`${name}: a cookie was given`);
    if (/KOSMISK|Aldoria|hostile-subject/.test(page.body)) faults.push(`${name}: the page repeats it`);
    if ((await visitor.go(`${xbb.lobby}/`)).body.includes('action="/sign-out"')) faults.push(`${name}: is in`);
  }
  assert.deepEqual(faults, []);
});

system('answers of a provider that are none end that sign-in, are bounded, and lead nowhere else', async () => {
  let strayed = 0;
  const elsewhere = createServer((request, response) => ((strayed += 1), response.end('{}')));
  await new Promise((done) => elsewhere.listen(0, '127.0.0.1', done));
  const { port } = elsewhere.address();
  const head = { 'content-type': 'application/json' };
  const cases = {
    'no JSON': (response) => response.writeHead(200, head).end('<html>'),
    'an array': (response) => response.writeHead(200, head).end('[]'),
    'no token in it': (response) => response.writeHead(200, head).end('{"token_type":"Bearer"}'),
    'an id_token that is no text': (response) =>
      response.writeHead(200, head).end('{"token_type":"Bearer","access_token":"a","id_token":{}}'),
    'too much of it': (response) => response.writeHead(200, head).end(`"${'x'.repeat(4 << 20)}"`),
    'an endless head': (response) => {
      response.socket.write('HTTP/1.1 200 OK\r\n');
      response.socket.write(`X-More: ${'x'.repeat(8000)}\r\n`.repeat(200));
    },
    'a redirect': (response) => response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end(),
    'both lengths': (response) =>
      response.socket.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
      ),
    'an error page': (response) => response.writeHead(500).end('stack trace'),
    'a closed connection': (response) => response.destroy(),
  };
  for (const [name, token] of Object.entries(cases)) {
    const { page, cookie } = await signIn({ token });
    assert.ok([403, 503].includes(page.status), `${name}: ${page.status}`);
    assert.match(page.body, /data-refusal="/, name);
    assert.equal(cookie, undefined, name);
  }
  assert.equal(strayed, 0, 'no redirect is followed');
  elsewhere.close();
});

system('a provider that answers never is given up, and holds nobody else up', async () => {
  const waiting = signIn({ token: () => {} }).catch((error) => ({ error }));
  const konrad = await Visitor.inside(coalition, 'konrad');
  assert.equal((await konrad.go(`${konrad.nation.app}/me`)).status, 200);
  const lobby = await new Visitor(coalition, 'jonas').go(`${xbb.lobby}/`);
  assert.equal(lobby.status, 200, 'the lobby of that nation answers meanwhile');
  const { page, error } = await waiting;
  assert.ok(error || [403, 503].includes(page.status), `it ends: ${error?.message ?? page.status}`);
});

system('an answer of a sign-in that another provider made is a mix-up', async () => {
  provider.twist = {};
  const visitor = new Visitor(coalition, 'ingrid');
  const at = (address) => new URL(address).pathname === '/callback';
  const { address } = await visitor.follow(`${xbb.lobby}/sign-in`, at);
  for (const iss of [coalition.nation('XAA').issuer, 'https://evil.example', '']) {
    const other = new URL(address);
    other.searchParams.set('iss', iss);
    const page = await visitor.go(other.href);
    assert.equal(page.status, 403, iss);
  }
  const taken = await visitor.go(address);
  assert.equal(taken.status, 403, 'its state was used up by the first try');
});

system('the provider changes its keys while people work: the new one counts at once, the old one no longer', async () => {
  const { visitor } = await signIn({});
  assert.equal((await visitor.openApp()).status, 200);
  const stream = await visitor.watch();
  const old = provider.rotate('h-2');
  assert.equal((await signIn({})).page.status, 200, 'a token of the new key, at the first try');
  assert.equal((await signIn(old)).page.status, 200, 'the old one still stands in its list');
  provider.withdrawOldKeys();
  // No faster than one address may sign in.
  const refused = async () => {
    await wait(500);
    return (await signIn(old)).page.status === 403;
  };
  await until('the old key counts no more', refused, 60_000);
  assert.equal((await signIn({})).page.status, 200);
  assert.equal((await signIn(old)).page.status, 403, 'nor when somebody signs in with the new one in between');
  // Whoever was inside has noticed nothing of it.
  const before = stream.messages;
  await until('tracks go on', () => stream.messages > before + 2);
  assert.equal((await visitor.go(`${visitor.nation.app}/me`)).status, 200);
  stream.socket.terminate();
});

system("where somebody is and whether they are on duty counts as their nation says it", async () => {
  const opening = async (claims) => {
    const page = await (await signIn({ claims })).visitor.openApp();
    return [page.status, ...['on the way', 'on duty'].filter((words) => page.body.includes(words))];
  };
  assert.deepEqual(await opening({ stad: 'Nordhamn', teneste: 'i teneste' }), [200]);
  assert.deepEqual(await opening({}), [200], 'where nothing is said, policies go on without it');
  assert.deepEqual(await opening({ stad: 'underveis' }), [403, 'on the way'], 'the host refuses');
  assert.deepEqual(await opening({ teneste: 'fri' }), [403, 'on duty'], 'their own nation refuses');
  const { page, cookie } = await signIn({ claims: { stad: 'ein annan stad' } });
  assert.equal(page.status, 403, 'a place that no table lists is no place');
  assert.equal(cookie, undefined);
});

system("what is said of somebody at one sign-in is not lent to what they opened with another", async () => {
  const role = async (visitor) => (await visitor.go(`${visitor.nation.app}/me`)).body;
  const first = (await signIn({ claims: { sikkerhetsgrad: 'FORTROLEG-B' } })).visitor;
  await first.openApp();
  const before = await role(first);
  const second = (await signIn({ claims: { sikkerhetsgrad: 'HEMLEG-C' } })).visitor;
  await second.openApp();
  assert.notEqual(await role(second), before, 'the app is told what was said at each sign-in');
  assert.equal(await role(first), before);
});

system('no token, code, cookie, assertion or passphrase is in any log or answer to an operator', async () => {
  const { visitor } = await signIn({});
  await visitor.openApp();
  visitors.push(visitor);
  const secrets = new Set([...provider.secrets].filter((secret) => secret?.length > 20));
  for (const one of visitors)
    for (const kept of one.jar.values()) for (const { value } of kept.values()) if (value.length > 20) secrets.add(value);
  for (const person of coalition.demo.people) secrets.add(person.passphrase);
  assert.ok(secrets.size > 50);
  const texts = {};
  for (const name of readdirSync(coalition.file('log')))
    texts[`log/${name}`] = readFileSync(coalition.file('log', name), 'utf8');
  for (const nation of ['XAA', 'XBB'])
    for (const verb of [['session', 'ls'], ['doctor'], ['ledger', 'show', '--last', '1000']])
      texts[`${nation} ${verb.join(' ')}`] = (await coalition.cli(nation, ...verb, '--json')).output;
  assert.ok(Object.values(texts).join('').length > 10_000, 'there is something to look through');
  const found = [];
  for (const [where, text] of Object.entries(texts)) {
    for (const secret of secrets) if (text.includes(secret)) found.push(`${where}: ${secret.slice(0, 6)}...`);
    if (/eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{20,}/.test(text)) found.push(`${where}: something like a token`);
  }
  assert.deepEqual(found, []);
});
