// The operators' console at the door: hidden from everybody else like a name of nobody's, and what a web page,
// another origin, an operator of lesser rights or a weak sign-in could try.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Coalition, command, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { askH2, openH2 } from './h2_client.mjs';
import { manifestOf } from './tdf_manifest.mjs';
import { Visitor } from './visitor.mjs';

let coalition, lena, auditor, console, nowhere;

// Lena is security officer by the demonstration's own genesis; Konrad becomes an auditor. A page of one line stands
// in for the built one: the door's rules are the same for any.
function addAuditor(plan) {
  const path = join(plan, 'genesis-xaa.json');
  const genesis = readJson(path);
  const auditors = { display: 'Konrad Altmeer', uids: [], roles: ['auditor'], person: '${person.konrad}' };
  genesis.records['operator/konrad.altmeer'] = { ...genesis.records['operator/lena.brandtner'], ...auditors };
  writeJson(path, genesis);
  writeFileSync(join(plan, 'index.html'), '<!doctype html><title>Console</title>');
  for (const name of ['node-xaa.json', 'node-xbb.json'])
    writeJson(join(plan, name), { ...readJson(join(plan, name)), console: plan });
}

// A person at the console: what the browser keeps, and the token of their page.
async function atConsole(login) {
  const visitor = await Visitor.in(coalition, login);
  const page = await visitor.follow(`${console}/`);
  assert.equal(page.status, 200, page.body);
  assert.equal(page.address, `${console}/`);
  const hello = await visitor.go(`${console}/hello`);
  assert.equal(hello.status, 200, hello.body);
  return { visitor, hello: JSON.parse(hello.body) };
}

const bare = ({ status, headers, body }, name) => {
  const { date, 'set-cookie': cookies, location, ...rest } = headers;
  const same = (text) => text?.replaceAll(name, 'NAME').replace(/bind=[\w-]{43}/, 'bind=B');
  const bind = cookies?.map((line) => line.replace(/=[\w-]{43};/, '=B;'));
  return { status, rest, body: same(body), location: same(location), bind };
};

// What the console's name and a name of nobody's answer to the same request, which must be the same.
async function answersAlike(visitor, path, options) {
  const [here, there] = [await visitor.go(`${console}${path}`, options), await visitor.go(`${nowhere}${path}`, options)];
  assert.deepEqual(bare(here, 'console'), bare(there, 'nothing'), `${options?.method ?? 'GET'} ${path}`);
  return here;
}

const post = (who, path, body, headers = {}, options = {}) =>
  who.visitor.go(`${console}${path}`, {
    method: 'POST',
    headers: { origin: console, 'content-type': 'application/json', 'entente-token': who.hello.token, ...headers },
    body: JSON.stringify(body),
    ...options,
  });
const codeOf = ({ body }) => JSON.parse(body).error.code;
const stateOfXbb = async () => {
  const { partners } = await coalition.ask('XAA', 'partner', 'list');
  return partners.find(({ code }) => code === 'XBB').state;
};
const kReason = { reason: 'exercise: seen to work' };

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(addAuditor);
  const { port } = coalition.nation('XAA');
  console = `https://console.xaa.localhost:${port}`;
  nowhere = `https://nothing.xaa.localhost:${port}`;
  lena = await atConsole('lena');
  auditor = await atConsole('konrad');
});

after(() => coalition?.end());

system('an operator of the nation gets in with the sign-in of the lobby, and is named', async () => {
  assert.equal(lena.hello.operator, 'Lena Brandtner');
  assert.equal(lena.hello.nation, 'XAA');
  assert.match(lena.hello.banner, /^EXERCISE /);
  assert.match((await lena.visitor.go(`${lena.visitor.nation.lobby}/`)).body, /data-action="console"/);
  const page = await lena.visitor.go(`${console}/`);
  assert.equal(page.headers['cache-control'], 'no-store');
  assert.match(page.headers['content-security-policy'], /^default-src 'none'/);
  assert.doesNotMatch(page.headers['content-security-policy'], /unsafe|\*/);
  assert.match(page.headers['content-security-policy'], /frame-ancestors 'none'/);
  assert.equal(page.headers['x-content-type-options'], 'nosniff');
  const lists = ['sessions', 'requests', 'partners', 'missions', 'apps', 'grants', 'ledger', 'status'];
  for (const list of lists) assert.equal((await lena.visitor.go(`${console}/v1/${list}`)).status, 200, list);
});

// A browser says of a connection that it is open for as long as nobody closed it: a node that stands still, and a network
// that lost everything, look like a quiet hour to it.
system('the stream of events beats while nothing changes, so that a page can tell silence from quiet', async () => {
  const { hostname, host, port } = new URL(console);
  const client = await openH2(port, coalition.ca, hostname);
  const cookie = lena.visitor.cookies(`${console}/`);
  const stream = client.request({ ':path': '/events', ':authority': host, cookie });
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of stream) {
    text += chunk;
    if (text.includes('event: beat\ndata: {}\n\n')) break;
  }
  client.destroy();
  assert.match(text, /^event: beat$/m);
});

system('what is looked at is in the ledger, with who looked and from where', async () => {
  const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '60');
  const looks = records.filter(({ fields }) => fields.who === 'operator/lena.brandtner' && fields.purpose === 'list grants');
  assert.ok(looks.some(({ fields }) => fields.context.network.value === 'door'), JSON.stringify(looks[0]?.fields));
});

system('to everybody else the name is like any that is nobody\'s', async () => {
  const stranger = new Visitor(coalition, 'lena'); // nobody yet: no cookie of the lobby
  const other = await Visitor.in(coalition, 'ingrid'); // of another nation, signed in at her own lobby
  for (const visitor of [stranger, other]) {
    assert.equal((await answersAlike(visitor, '/')).status, 303);
    for (const path of ['/v1/partners', '/hello', '/events', '/ledger/checkpoint', '/page.js', '/index.html'])
      await answersAlike(visitor, path);
    await answersAlike(visitor, '/v1/partners', { headers: { 'sec-fetch-mode': 'cors' } });
    await answersAlike(visitor, '/v1/partners/XBB/suspend', { method: 'POST', body: '{}', headers: { origin: console } });
    await answersAlike(visitor, '/.entente/enter?code=guess&path=/');
    await answersAlike(visitor, '/.entente/nothing');
    await answersAlike(visitor, '/', { method: 'DELETE' });
    await answersAlike(visitor, '/', { headers: { 'service-worker': 'script' } });
    await answersAlike(visitor, '/', { headers: { cookie: '__Host-entente-console=guess' }, cookies: false });
  }
});

// A connection lives on one of the node's loops, which its first request chooses; the console lives on another or
// on the same one.
system('attack: on a connection that was made for other names the console is like a name of nobody\'s', async () => {
  const { port } = coalition.nation('XAA');
  const cookie = lena.visitor.cookies(`${console}/`);
  for (const first of ['lobby', 'cop-xaa', 'map-xbb', 'map-xcc', 'map-xdd', 'map-xee', 'nobody']) {
    const client = await openH2(port, coalition.ca, `${first}.xaa.localhost`);
    const ask = (name, headers = {}) =>
      askH2(client, { ':method': 'GET', ':path': '/', ':scheme': 'https', ':authority': `${name}.xaa.localhost:${port}`, ...headers });
    await ask(first);
    const answers = [];
    for (const name of ['console', 'nothing'])
      for (const headers of [{}, { cookie: '__Host-entente-console=x' }]) {
        const { status, headers: said } = await ask(name, headers);
        const { date, location, 'set-cookie': cookies, ...rest } = said;
        answers.push(JSON.stringify([status, Object.keys(rest), Boolean(location), cookies?.length]));
      }
    assert.equal(new Set(answers).size, 1, `${first}: ${answers.join('\n')}`);
    const { status } = await ask('console', { cookie });
    assert.ok([200, 421].includes(status), 'its own operator gets in, or is told to ask on another connection');
    client.close();
  }
});

system('attack: cookies that others put into the browser keep no operator out', async () => {
  const own = lena.visitor.cookies(`${console}/`);
  const filler = Array.from({ length: 40 }, (_, i) => `filler${i}=${'x'.repeat(280)}`).join('; ');
  const page = await lena.visitor.go(`${console}/hello`, { cookies: false, headers: { cookie: `${filler}; ${own}` } });
  assert.equal(page.status, 200, page.body);
  assert.equal(JSON.parse(page.body).operator, 'Lena Brandtner');
});

system('a person of the nation who is no operator learns nothing, signed in or not', async () => {
  const ingrid = await Visitor.in(coalition, 'ingrid');
  assert.doesNotMatch((await ingrid.go(`${ingrid.nation.lobby}/`)).body, /console/i);
  const at = (label) => `https://${label}.xbb.localhost:${ingrid.nation.port}/`;
  const [here, there] = [await ingrid.follow(at('console')), await ingrid.follow(at('nothing'))];
  assert.equal(here.status, 404);
  assert.match(here.body, /There is no such app for you/);
  assert.deepEqual(bare(here, 'console'), bare(there, 'nothing'));
});

system('attack: a change from another page, without the token, or with another\'s does nothing', async () => {
  const suspend = '/v1/partners/XBB/suspend';
  const app = coalition.nation('XAA').app;
  const forged = [
    [{ origin: app }], // an app of the same site: cookies go along
    [{ origin: lena.visitor.nation.lobby }],
    [{ origin: 'null' }],
    [{ origin: undefined }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'none' }],
    [{ 'entente-token': '' }, 'console.token'],
    [{ 'entente-token': undefined }, 'console.token'],
    [{ 'entente-token': auditor.hello.token }, 'console.token'],
    [{ 'entente-token': `${lena.hello.token}x` }, 'console.token'],
  ];
  for (const [headers, code] of forged) {
    const known = Object.fromEntries(Object.entries({ origin: console, 'entente-token': lena.hello.token, ...headers }).filter(([, value]) => value !== undefined));
    const sent = await lena.visitor.go(`${console}${suspend}`, { method: 'POST', body: JSON.stringify(kReason), headers: known });
    assert.equal(sent.status, 403, JSON.stringify(headers));
    assert.equal(code ? codeOf(sent) : sent.body, code ?? '', JSON.stringify(headers));
  }
  assert.equal(await stateOfXbb(), 'active');
});

// What whoever embeds, fetches or posts can observe is the answer itself: it must not tell an operator from others.
system('attack: another page reads nothing, and does not learn whether its visitor is an operator', async () => {
  const stranger = new Visitor(coalition, 'lena'); // nobody: no cookie
  const app = coalition.nation('XAA').app;
  const sites = ['same-site', 'cross-site'];
  const ways = [
    ...sites.flatMap((site) => [
      { 'sec-fetch-site': site, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
      { 'sec-fetch-site': site, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', origin: app },
      { 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
      { 'sec-fetch-site': site },
    ]),
    { origin: app },
    { origin: console, 'service-worker': 'script' },
  ];
  for (const headers of ways)
    for (const method of ['GET', 'POST'])
      for (const path of ['/', '/hello', '/v1/partners', '/v1/partners/XBB/suspend', '/events', '/ledger/checkpoint']) {
        const asked = { method, headers, ...(method === 'POST' && { body: '{}' }) };
        const operator = bare(await answersAlike(lena.visitor, path, asked), 'console');
        const nobody = bare(await stranger.go(`${console}${path}`, asked), 'console');
        assert.deepEqual(operator, nobody, `${method} ${path} ${JSON.stringify(headers)}`);
        assert.notEqual(operator.status, 200);
        assert.equal(operator.rest['access-control-allow-origin'], undefined);
      }
  assert.equal(await stateOfXbb(), 'active');
});

system('what answers a secret is not there for a browser', async () => {
  const sent = await post(lena, '/v1/connectors', { id: 'cop-9', apps: ['cop'] });
  assert.equal(sent.status, 404, sent.body);
  assert.doesNotMatch(sent.body, /token/);
  assert.equal((await lena.visitor.go(`${console}/v1/connectors`)).status, 200);
});

system('a name that no id is long enough for is looked for nowhere', async () => {
  assert.equal((await lena.visitor.go(`${console}/v1/verdicts/${'v'.repeat(65)}`)).status, 404);
  const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '20');
  assert.ok(!records.some(({ fields }) => String(fields.purpose).includes('vvvv')));
});

system('the newest entries come with what proves their words', async () => {
  const { size, records } = JSON.parse((await lena.visitor.go(`${console}/v1/ledger?last=1000&disclose=1`)).body);
  assert.equal(records.length, Math.min(size, 100));
  records.forEach(({ index, class: kind, time, disclosure }, at) => {
    assert.equal(index, size - records.length + at);
    const leaf = JSON.parse(Buffer.from(disclosure.entry, 'base64url').toString());
    assert.deepEqual([disclosure.index, leaf.class, leaf.time], [index, kind, time]);
  });
});

system('attack: the cookie is good for this name and this sign-in alone', async () => {
  const cookie = `__Host-entente-console=${lena.visitor.cookie(console, '__Host-entente-console')}`;
  const thief = new Visitor(coalition, 'lena');
  for (const place of [nowhere, coalition.nation('XAA').app, coalition.nation('XBB').lobby.replace('lobby', 'console')]) {
    const answer = await thief.go(`${place}/v1/partners`, { headers: { cookie }, cookies: false });
    assert.notEqual(answer.status, 200, place);
  }
  // An app's own cookie opens no console.
  const konrad = await Visitor.inside(coalition, 'konrad');
  const app = konrad.cookie(konrad.nation.app, '__Host-entente-app');
  for (const name of ['__Host-entente-console', '__Host-entente-app', '__Host-entente'])
    assert.notEqual((await thief.go(`${console}/hello`, { headers: { cookie: `${name}=${app}` }, cookies: false })).status, 200);
});

system('attack: the way in works once, and in the browser that asked for it', async () => {
  const visitor = await Visitor.in(coalition, 'lena');
  const way = await visitor.follow(`${console}/`, (at) => at.includes('/.entente/enter?'));
  assert.ok(way.stopped, way.body);
  const thief = new Visitor(coalition, 'lena');
  assert.equal((await thief.go(`${console}/`)).status, 303); // has a binding too: its own
  assert.equal((await thief.go(way.address)).status, 403);
  assert.equal((await thief.go(`${console}/hello`)).status, 303, 'and is nobody');
  assert.equal((await visitor.go(way.address)).status, 403, 'it was used up');
});

system('attack: an auditor reads everything and changes nothing', async () => {
  for (const [path, body] of [
    ['/v1/partners/XBB/suspend', kReason],
    ['/v1/partners/XBB/isolate', { with: 'XAA', ...kReason }],
    ['/v1/missions/harbor-light/phase', { phase: 'execution', ...kReason }],
    ['/v1/missions/harbor-light/end', kReason],
    ['/v1/apps/cop/withdraw', kReason],
    ['/v1/connectors/cop-1/cut', kReason],
  ]) {
    const sent = await post(auditor, path, body);
    assert.equal(sent.status, 403, path);
    assert.equal(codeOf(sent), 'operator.denied', path);
  }
  assert.equal(await stateOfXbb(), 'active');
  assert.equal((await auditor.visitor.go(`${console}/v1/partners`)).status, 200);
});

system('an operator changes what policies let them, and it is recorded as theirs', async () => {
  const sent = await post(lena, '/v1/partners/XBB/suspend', kReason);
  assert.equal(sent.status, 200, sent.body);
  assert.equal(await stateOfXbb(), 'suspended');
  const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '30');
  const of = (kind) => records.find((one) => one.class === kind && one.fields.verdict === JSON.parse(sent.body).verdict);
  assert.equal(of('partner.suspend').fields.who, 'operator/lena.brandtner');
  assert.equal(of('partner.suspend').fields.reason, kReason.reason);
  assert.equal(of('verdict').fields.context.network.value, 'door');
  assert.equal((await post(lena, '/v1/partners/XBB/resume', kReason)).status, 200);
  await coalition.verify('XAA');
});

system('attack: a request that is another than the one that was read is not answered', async () => {
  const maren = await Visitor.in(coalition, 'maren');
  await maren.asksFor('cop-xaa', 'exercise: stations');
  const listed = async () => JSON.parse((await lena.visitor.go(`${console}/v1/requests`)).body).requests;
  const { id, seen } = await until('the request has come to its owner', async () => (await listed())[0]);
  const state = async () => (await listed()).find((one) => one.id === id)?.state;
  const due = async () => JSON.parse((await lena.visitor.go(`${console}/hello`)).body).waiting.requests;
  assert.deepEqual(await due(), { count: 1, more: false }, 'it is counted for whoever may answer it');
  for (const verb of ['approve', 'deny']) {
    const other = await post(lena, `/v1/requests/${id}/${verb}`, { seen: `${seen.slice(0, -2)}AA` });
    assert.equal(other.status, 409, other.body);
    assert.equal(codeOf(other), 'access.changed');
    assert.equal(await state(), 'open');
  }
  const answer = await post(lena, `/v1/requests/${id}/deny`, { seen });
  assert.equal(answer.status, 200, answer.body);
  assert.deepEqual(await due(), { count: 0, more: false });
});

// Somebody of Borealis asks, on their lobby's page, for a release of what Aldoria keeps under its control.
async function aWish(visitor, name) {
  const as = (...words) => command([coalition.file('as'), ...words], { cwd: coalition.folder });
  writeFileSync(coalition.file(`${name}.txt`), 'EXERCISE EXERCISE EXERCISE: berths at dusk.\n');
  const sealed = await as('konrad', 'seal', `${name}.txt`, '--orcon', '-o', `${name}.tdf`);
  assert.equal(sealed.code, 0, sealed.output);
  const { manifest } = manifestOf(coalition.file(`${name}.tdf`));
  const { policy, keyAccess } = manifest.encryptionInformation;
  const release = { purpose: 'EXERCISE: berths for the convoy', minutes: 60 };
  const keyAccessObjects = [{ keyAccessObjectId: 'k0', keyAccessObject: keyAccess[0] }];
  const clientPublicKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' });
  const request = JSON.stringify({ clientPublicKey, requests: [{ policy: { id: 'p', body: policy }, keyAccessObjects, release }] });
  const [, token] = /data-objects data-token="([^"]+)"/.exec((await visitor.go(`${visitor.nation.lobby}/objects`)).body);
  const sent = await visitor.submit(`${visitor.nation.lobby}/objects/keys`, { token, request });
  assert.equal(sent.status, 200, sent.body);
  const [{ results }] = JSON.parse(sent.body).responses;
  assert.equal(results[0].status, 'asked', sent.body);
  return results[0].release;
}
const releasesSeen = async ({ visitor }) => JSON.parse((await visitor.go(`${console}/v1/releases`)).body).releases;

system('what waits to be released is there to be read, and answered by those who may', async () => {
  const ingrid = await Visitor.in(coalition, 'ingrid');
  const id = await aWish(ingrid, 'orcon1');
  const [one] = await releasesSeen(lena);
  assert.deepEqual([one.id, one.state, one.may_approve, one.may_end], [id, 'open', true, true]);
  assert.match(one.who, /planner, .*Borealis \(XBB\)/);
  assert.match(one.marking, /^EXERCISE RESTRICTED/);
  assert.ok(one.attributes.some((fqn) => fqn.endsWith('/handling/value/orcon')));
  const [read] = await releasesSeen(auditor);
  assert.deepEqual([read.id, read.may_approve, read.may_end], [id, false, false]);
  const path = `/v1/releases/${id}`;
  const isOpen = async () => assert.equal((await releasesSeen(lena)).find((found) => found.id === id)?.state, 'open');

  // An auditor; pages of others; whoever asks, who is an operator of nobody's here; another than was read.
  for (const verb of ['approve', 'deny', 'revoke']) {
    const denied = await post(auditor, `${path}/${verb}`, { seen: one.seen });
    assert.equal(denied.status, 403, denied.body);
    assert.equal(codeOf(denied), 'operator.denied');
    for (const headers of [
      { origin: coalition.nation('XAA').app },
      { origin: 'null' },
      { 'sec-fetch-site': 'same-site' },
      { 'entente-token': '' },
      { 'entente-token': auditor.hello.token },
    ])
      assert.equal((await post(lena, `${path}/${verb}`, { seen: one.seen }, headers)).status, 403, JSON.stringify(headers));
    assert.notEqual((await post({ visitor: ingrid, hello: lena.hello }, `${path}/${verb}`, { seen: one.seen })).status, 200);
    const other = await post(lena, `${path}/${verb}`, { seen: `${one.seen.slice(0, -2)}AA` });
    assert.deepEqual([other.status, codeOf(other)], [409, 'access.changed'], verb);
    await isOpen();
  }
  assert.equal((await post(lena, `${path}/deny`, { seen: one.seen, words: 'two\nlines' })).status, 400);
  await isOpen();

  const given = await post(lena, `${path}/approve`, { seen: one.seen, words: 'EXERCISE: for the convoy' });
  assert.equal(given.status, 200, given.body);
  const [granted] = await releasesSeen(lena);
  assert.deepEqual([granted.state, granted.may_approve, granted.may_end], ['granted', false, true]);
  assert.equal((await post(lena, `${path}/approve`, { seen: one.seen })).status, 409, 'once');
  assert.equal((await post(lena, `${path}/revoke`, { seen: granted.seen })).status, 200);
  assert.deepEqual(await releasesSeen(lena), []);
  const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '60');
  for (const kind of ['release', 'release.revoked']) {
    const { fields } = records.find((record) => record.class === kind && record.fields.release === id);
    assert.equal(fields.who, 'operator/lena.brandtner', kind);
  }
});

system('the ledger\'s public files are there, and nothing else of its folder', async () => {
  const read = (path) => lena.visitor.go(`${console}/ledger/${path}`);
  const checkpoint = await read('checkpoint');
  assert.match(checkpoint.body, /^entente\.xaa\/ledger\n\d+\n/);
  for (const path of ['log/00000000.seg', 'own/00000000.seg', '../keys/ledger.pem', '%2e%2e/keys/ledger.pem', 'tile/0/..%2f..%2fown'])
    assert.notEqual((await read(path)).status, 200, path);
  const entry = JSON.parse((await lena.visitor.go(`${console}/v1/ledger/0`)).body);
  const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '20');
  assert.ok(
    records.some(({ class: kind, fields }) => kind === 'ledger.disclosed' && fields.index === 0),
    'that it was shown, and to whom, is written before it is seen',
  );
  assert.equal(entry.index, 0);
  assert.ok(entry.fields.length > 0 && entry.fields.every(({ salt }) => salt.length === 22));
  for (const wrong of ['-1', '999999999', 'x', '1x'])
    assert.equal((await lena.visitor.go(`${console}/v1/ledger/${wrong}`)).status, 404, wrong);
});

system('whoever signed out is out of the console too', async () => {
  const { visitor, hello } = await atConsole('lena');
  await visitor.signOut();
  assert.equal((await answersAlike(visitor, '/v1/partners', { headers: { 'sec-fetch-mode': 'cors' } })).status, 403);
  assert.equal((await post({ visitor, hello }, '/v1/partners/XBB/suspend', kReason)).status, 403);
  assert.equal(await stateOfXbb(), 'active');
});

system('attack: an operator whose sign-in is weak finds no console', async () => {
  const path = coalition.file('people.json');
  const people = readJson(path);
  Object.assign(people.people.find(({ login }) => login === 'lena'), { acr: 'urn:xaa:ausweis:wort', amr: ['pwd'] });
  await coalition.stop('provider-xaa');
  writeJson(path, people);
  await coalition.startAgain('provider-xaa');
  const visitor = new Visitor(coalition, 'lena');
  const lobby = await until('the provider answers', () => visitor.signIn().catch(() => undefined));
  assert.equal(lobby.status, 200, lobby.body);
  assert.doesNotMatch(lobby.body, /console/i);
  assert.deepEqual(bare(await visitor.follow(`${console}/`), 'console'), bare(await visitor.follow(`${nowhere}/`), 'nothing'));
});
