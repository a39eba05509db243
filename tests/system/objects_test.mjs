// Sealed objects in the lobby: a person opens one for as long as every nation of origin, and their own, lets them.
// The browser is played here: its key, its request, its events.
import assert from 'node:assert/strict';
import { constants, createHash, createHmac, generateKeyPairSync, privateDecrypt } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { ask, toLoopback } from '../../demo/loopback.mjs';
import { Coalition, command, program, skip, system, until } from './coalition.mjs';
import { manifestOf } from './tdf_manifest.mjs';
import { accessToken, keyService, makePair, proof } from './token.mjs';
import { Visitor } from './visitor.mjs';

const fqn = (attribute, value) => `https://harbor-light.example/attr/${attribute}/value/${value}`;
const report = 'EXERCISE EXERCISE EXERCISE: two relief convoys reach Harbor Light Bay at dusk.\n';
const kShutMsMax = 5000; // as long as a page may show what it hears nothing of: against never, not a measure
const kQuietMs = 3000; // in which something would have come that must not come
const browser = generateKeyPairSync('rsa', { modulusLength: 2048 });
const clientPublicKey = browser.publicKey.export({ type: 'spki', format: 'pem' });
let coalition, ingrid, events;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(undefined, { nations: ['XAA', 'XBB', 'XCC'] });
  ingrid = await Visitor.in(coalition, 'ingrid');
  events = await listen(ingrid);
});
after(async () => {
  for (const { call } of heardBy) call.destroy();
  await coalition?.end();
});

let sealed = 0;
let means = []; // by which whoever seals proves who they are
// Seals for these nations' key services, one share each, and answers what the manifest says.
async function seal(services, ...words) {
  const path = join(coalition.folder, `object-${(sealed += 1)}`);
  writeFileSync(`${path}.txt`, report);
  const to = services.flatMap((code) => ['--to', keyService(coalition, code)]);
  const named = ['classification/restricted', ...words].flatMap((word) => ['--attribute', fqn(...word.split('/'))]);
  const { code, output } = await command([
    program, 'seal', `${path}.txt`, '--out', `${path}.tdf`, ...to, ...(services.length > 1 ? ['--split-per-recipient'] : []),
    '--tdf-version', '4.2.2', '--trust', coalition.demo.authority, ...means, ...named,
  ]);
  assert.equal(code, 0, output);
  return manifestOf(`${path}.tdf`);
}
const shared = () => seal(['XAA'], 'originator/xaa', 'releasable-to/xbb');

const at = (visitor, path) => `${visitor.nation.lobby}${path}`;
async function tokenOf(visitor) {
  const page = await visitor.go(at(visitor, '/objects'));
  assert.equal(page.status, 200);
  return /data-objects data-token="([^"]+)"/.exec(page.body)?.[1];
}
async function press(visitor, path, fields, headers = {}) {
  return visitor.submit(at(visitor, path), { token: await tokenOf(visitor), ...fields }, headers);
}
function wanted({ manifest }, code, release, recall) {
  const { policy, keyAccess } = manifest.encryptionInformation;
  const keys = keyAccess.filter(({ url }) => url.startsWith(keyService(coalition, code)));
  assert.equal(keys.length, 1);
  const keyAccessObjects = [{ keyAccessObjectId: 'k0', keyAccessObject: keys[0] }];
  return JSON.stringify({ clientPublicKey, requests: [{ policy: { id: 'p', body: policy }, keyAccessObjects, release, recall }] });
}
// What the node says of the one key: { status, view, until, error, share }.
async function askFor(visitor, object, code = 'XAA') {
  const sent = await press(visitor, '/objects/keys', { request: wanted(object, code) });
  assert.equal(sent.status, 200, sent.body);
  const [{ results }] = JSON.parse(sent.body).responses;
  const [result] = results;
  if (result.status === 'permit') {
    const share = privateDecrypt(
      { key: browser.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
      Buffer.from(result.kasWrappedKey, 'base64'),
    );
    const { policy, keyAccess } = object.manifest.encryptionInformation;
    const bound = createHmac('sha256', share).update(policy).digest('hex');
    const { hash } = keyAccess.find(({ url }) => url.startsWith(keyService(coalition, code))).policyBinding;
    assert.equal(Buffer.from(hash, 'base64').toString(), bound, 'this is the key of this object');
  }
  return result;
}
async function opens(visitor, object, code) {
  const result = await askFor(visitor, object, code);
  assert.equal(result.status, 'permit', JSON.stringify(result));
  assert.match(result.view, /^[\w-]{22}$/);
  assert.ok(result.until > 0 && result.until <= 900);
  return result.view;
}

const heardBy = [];
// How a page names its sign-in.
const pageOf = async (visitor) => createHash('sha256').update(await tokenOf(visitor)).digest('base64url');
// The page's events as they come: { text, shut: Map of view to { why, at } }.
async function listen(visitor) {
  const address = at(visitor, `/events?page=${await pageOf(visitor)}`);
  const heard = { status: 0, text: '', shut: new Map(), ended: false };
  const headers = { cookie: visitor.cookies(address), accept: 'text/event-stream' };
  heard.call = request(address, { ca: coalition.ca, lookup: toLoopback, agent: false, headers });
  heard.call.on('error', () => {});
  heard.call.on('response', (answer) => {
    heard.status = answer.statusCode;
    answer.on('data', (data) => {
      heard.text += data;
      for (const [, said] of heard.text.matchAll(/event: object-shut\ndata: (.*)\n\n/g)) {
        const { view, why } = JSON.parse(said);
        if (!heard.shut.has(view)) heard.shut.set(view, { why, at: performance.now() });
      }
    });
    answer.on('error', () => {}).on('close', () => (heard.ended = true));
  });
  heard.call.end();
  heardBy.push(heard);
  await until('the page listens', () => heard.status === 200 && heard.text.includes('id: '));
  return heard;
}
const shuts = (view, heard = events) => until('the page hears that it is shut', () => heard.shut.get(view));
const recall = (code, { policy }) =>
  coalition.ask(code, 'recall', 'policy', policy.uuid, '--reason', 'EXERCISE: sent by mistake');
const classes = async (code) => {
  const { records } = await coalition.ask(code, 'ledger', 'show', '--last', '500');
  return records.map((record) => record.class);
};

system('the page is there for those who are signed in, and as strict as the others', async () => {
  const page = await ingrid.go(at(ingrid, '/objects'));
  assert.match(page.body, /<main id="main" data-objects data-token="/);
  assert.match(page.body, /kas\.xaa\.localhost:\d+&quot;:&quot;Aldoria \(XAA\)/);
  const policy = page.headers['content-security-policy'];
  assert.match(policy, /default-src 'none'.*img-src 'self' blob:.*script-src 'self'; connect-src 'self'/);
  const stranger = new Visitor(coalition, 'ingrid');
  assert.doesNotMatch((await stranger.go(at(ingrid, '/objects'))).body, /data-token/);
});

system('opened in the lobby, recalled at its origin: the open page hears of it, and it opens no more', async (t) => {
  const object = await shared();
  const view = await opens(ingrid, object);
  assert.equal(events.shut.size, 0);
  const given = performance.now();
  await recall('XAA', object);
  const answered = performance.now();
  const { why, at: heard } = await shuts(view);
  assert.ok(heard - given < kShutMsMax, `${heard - given} ms after the recall was given`);
  t.diagnostic(`object-shut ${(heard - answered).toFixed(1)} ms after the recall was answered`);
  assert.match(why, /recalled: EXERCISE: sent by mistake/);
  const again = await askFor(ingrid, object);
  assert.equal(again.status, 'fail');
  assert.equal(again.kasWrappedKey, undefined);
  for (const code of ['XAA', 'XBB']) {
    const said = await classes(code);
    assert.ok(said.includes('object.view') && said.includes('object.shut'), `${code}: ${said.join(' ')}`);
  }
  const exposure = await coalition.ask('XAA', 'exposure', '--partner', 'XBB', '--object', object.policy.uuid);
  assert.equal(exposure.releases, 1);
  assert.equal(exposure.openable, 0);
});

system('it stays open while nothing is taken back, over more watches than one', async () => {
  const view = await opens(ingrid, await shared());
  await wait(2 * kQuietMs);
  assert.equal(events.shut.get(view), undefined);
  assert.ok((events.text.match(/event: beat\n/g) ?? []).length > 1, 'the page hears that it is heard of');
  const closed = await press(ingrid, '/objects/close', { view });
  assert.equal(closed.status, 200);
  await shuts(view);
  assert.equal((await press(ingrid, '/objects/close', { view })).status, 404);
  // Its origin hears of it, and does not have to wait until nobody asks any more.
  const rules = async () => {
    const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '500');
    return records.filter((one) => one.class === 'object.shut').map((one) => one.fields.rule);
  };
  await until('the origin lets go of it', async () => (await rules()).at(-1) === 'view-closed');
});

system('not released to the reader\'s nation: refused with the reason, and nothing is asked elsewhere', async () => {
  const chiara = await Visitor.in(coalition, 'chiara');
  const asked = async () => (await classes('XAA')).filter((name) => name.startsWith('key.')).length;
  const before = await asked();
  const refused = await askFor(chiara, await shared());
  assert.equal(refused.status, 'fail');
  assert.match(refused.error, /PermissionDenied desc = This is not releasable to Cassia \(XCC\)/);
  assert.equal(refused.view, undefined);
  assert.equal(await asked(), before, 'XAA was not even asked');
});

// By the command line, as somebody of that nation: { code, output, text (what was opened) }.
async function opensFile(login, from) {
  const out = `${from}.${login}.txt`;
  rmSync(out, { force: true });
  const { code, output } = await command([coalition.file('as'), login, 'open', from, '-o', out], { cwd: coalition.folder });
  assert.equal(existsSync(out), code === 0, output);
  return { code, output, text: code === 0 ? readFileSync(out, 'utf8') : '' };
}

system('one object at three nodes, each from a copy of its own on a disk that is carried there', async () => {
  const people = { XAA: 'konrad', XBB: 'ingrid', XCC: 'chiara' };
  writeFileSync(coalition.file('carried.txt'), report);
  const sealFor = async (name, readers) => {
    const words = ['konrad', 'seal', 'carried.txt', '--for', readers, '-o', name];
    const { code, output } = await command([coalition.file('as'), ...words], { cwd: coalition.folder });
    assert.equal(code, 0, output);
    // The one that was sealed is gone before anybody opens a copy.
    const copies = Object.fromEntries(
      Object.keys(people).map((nation) => {
        const disk = coalition.file(`disk-${nation}-${name}`);
        copyFileSync(coalition.file(name), disk);
        return [nation, disk];
      }),
    );
    rmSync(coalition.file(name));
    return { copies, id: /as object (\S+)/.exec(output)[1] };
  };
  const opened = async ({ copies }) => {
    const out = {};
    for (const [nation, login] of Object.entries(people)) out[nation] = await opensFile(login, copies[nation]);
    return out;
  };
  const forAll = await sealFor('all.tdf', 'XBB,XCC');
  for (const [nation, { code, output, text }] of Object.entries(await opened(forAll))) {
    assert.equal(code, 0, `${nation}: ${output}`);
    assert.equal(text, report, nation);
    assert.match(output, /signed by XAA's originator key/, nation);
  }
  // A copy of a copy is the same object: it opens where the first lay and is gone.
  const again = coalition.file('disk-XCC-again.tdf');
  copyFileSync(forAll.copies.XBB, again);
  rmSync(forAll.copies.XCC);
  assert.equal((await opensFile(people.XCC, again)).text, report);

  const forOne = await opened(await sealFor('one.tdf', 'XBB'));
  assert.deepEqual([forOne.XAA.text, forOne.XBB.text], [report, report]);
  assert.notEqual(forOne.XCC.code, 0);
  assert.match(forOne.XCC.output, /not releasable to Cassia \(XCC\)/);

  // Taken back, every copy is shut, wherever it lies.
  await coalition.ask('XAA', 'recall', 'policy', forAll.id, '--reason', 'EXERCISE: sent by mistake');
  copyFileSync(again, forAll.copies.XCC);
  for (const [nation, { code, output }] of Object.entries(await opened(forAll))) {
    assert.notEqual(code, 0, nation);
    assert.match(output, /recalled: EXERCISE: sent by mistake/, nation);
  }
});

system('of joint origin: both are asked, and either takes it back', async () => {
  for (const code of ['XAA', 'XBB']) {
    const object = await seal(['XAA', 'XBB'], 'originator/xaa', 'originator/xbb');
    const views = { XAA: await opens(ingrid, object, 'XAA'), XBB: await opens(ingrid, object, 'XBB') };
    await recall(code, object);
    await shuts(views[code]);
    assert.equal((await askFor(ingrid, object, code)).status, 'fail');
  }
});

system('under originator control: an open page goes blank when its release is revoked, and no other', async (t) => {
  const object = await seal(['XAA'], 'originator/xaa', 'handling/orcon');
  const shut = await askFor(ingrid, object);
  assert.equal(shut.status, 'fail');
  assert.match(shut.error, /not released to Borealis/);
  const named = object.policy.body.dataAttributes.flatMap(({ attribute }) => ['--attribute', attribute]);
  const terms = ['--to', 'XBB', '--minutes', '30', '--reason', 'EXERCISE: berths for the relief convoy'];
  const { release } = await coalition.ask('XAA', 'release', object.policy.uuid, ...named, ...terms);
  assert.equal(release.state, 'granted');
  const other = await opens(ingrid, await shared());
  const view = await opens(ingrid, object);
  await coalition.ask('XAA', 'release', 'revoke', release.id, '--words', 'EXERCISE: the convoy is in');
  const answered = performance.now();
  const { why, at: heard } = await shuts(view);
  t.diagnostic(`object-shut ${(heard - answered).toFixed(1)} ms after revoking was answered`);
  assert.match(why, /not released to Borealis/);
  const again = await askFor(ingrid, object);
  assert.equal(again.status, 'fail');
  assert.equal(again.kasWrappedKey, undefined);
  assert.equal(events.shut.get(other), undefined, 'what rests on no release stays open');
  await press(ingrid, '/objects/close', { view: other });
});

system('attack: somebody else\'s view is neither heard of nor closed', async () => {
  const jonas = await Visitor.in(coalition, 'jonas');
  const theirs = await listen(jonas);
  const object = await shared();
  const view = await opens(ingrid, object);
  assert.equal((await press(jonas, '/objects/close', { view })).status, 404);
  assert.equal((await press(ingrid, '/objects/close', { view: 'none' })).status, 404);
  assert.equal(events.shut.get(view), undefined);
  await recall('XAA', object);
  await shuts(view);
  await wait(kQuietMs);
  assert.equal(theirs.shut.size, 0);
  assert.doesNotMatch(theirs.text, /object-shut/);
});

system('attack: the page of an earlier sign-in of this browser listens on as somebody else', async () => {
  const jonas = await Visitor.in(coalition, 'jonas');
  const page = await pageOf(ingrid);
  assert.match((await ingrid.go(at(ingrid, '/objects'))).body, new RegExp(`data-page="${page}"`));
  for (const other of [page, page.slice(1), '']) {
    const { status, body } = await jonas.go(at(jonas, `/events?page=${other}`));
    assert.equal(status, 403);
    assert.doesNotMatch(body, /event:/);
  }
  // Nor of the same person's, who signed in again: what the earlier one had open has ended.
  const again = await Visitor.in(coalition, 'ingrid');
  assert.equal((await again.go(at(again, `/events?page=${page}`))).status, 403);
});

system('attack: not from the lobby\'s own page', async () => {
  const object = await shared();
  const fields = { request: wanted(object, 'XAA') };
  const view = await opens(ingrid, object);
  for (const path of ['/objects/keys', '/objects/close'])
    for (const [changed, headers] of [
      [{ token: 'x' }, {}],
      [{ token: '' }, {}],
      [{}, { origin: 'https://elsewhere.example' }],
      [{}, { origin: ingrid.nation.app }],
      [{}, { origin: 'null' }],
    ])
      assert.equal((await press(ingrid, path, { ...fields, view, ...changed }, headers)).status, 403, path);
  const stranger = new Visitor(coalition, 'ingrid');
  const body = new URLSearchParams({ token: await tokenOf(ingrid), ...fields }).toString();
  const headers = { origin: ingrid.nation.lobby, 'content-type': 'application/x-www-form-urlencoded' };
  const sent = await stranger.go(at(ingrid, '/objects/keys'), { method: 'POST', headers, body });
  assert.equal(sent.status, 403);
  assert.doesNotMatch(sent.body, /kasWrappedKey/);
  assert.equal(events.shut.get(view), undefined);
});

system('attack: hostile requests of somebody who is signed in', async () => {
  const object = await shared();
  const good = JSON.parse(wanted(object, 'XAA'));
  const old = { policy: good.requests[0].policy.body, keyAccess: good.requests[0].keyAccessObjects[0].keyAccessObject };
  for (const request of ['', '7', '{}', '[]', '{"requests":[]}', JSON.stringify({ clientPublicKey, ...old })]) {
    const sent = await press(ingrid, '/objects/keys', { request });
    assert.equal(sent.status, 400, `${request}: ${sent.body}`);
  }
  const large = await press(ingrid, '/objects/keys', { request: 'x'.repeat(1024 * 1024) }).catch(() => ({ status: 413 }));
  assert.ok(large.status >= 400);
});

system('signed out: what was open is over, and the page hears of that last', async () => {
  const maren = await Visitor.in(coalition, 'maren');
  const theirs = await listen(maren);
  const view = await opens(maren, await shared());
  await press(maren, '/sign-out', {});
  const { why } = await shuts(view, theirs);
  assert.match(why, /signed out/);
  await until('the stream ends', () => theirs.ended);
});

// Like seal(), by somebody whom the object then names as its author.
async function sealedBy(login, services, ...words) {
  const pair = await makePair();
  const token = await accessToken(coalition, login, pair);
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', pair.privateKey)).toString('base64');
  const [at, held] = ['token', 'proof.pem'].map((name) => join(coalition.folder, `${login}-${name}`));
  writeFileSync(at, `${token}\n`, { mode: 0o600 });
  const key = `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g).join('\n')}\n-----END PRIVATE KEY-----\n`;
  writeFileSync(held, key, { mode: 0o600 });
  const { nation } = coalition.person(login);
  means = ['--token', at, '--proof', held, '--service', keyService(coalition, nation)];
  try {
    return await seal(services, ...words);
  } finally {
    means = [];
  }
}
// How their nation's node knows them as an author, and the mark that stands for that in an object of this id.
async function codeOf(login, changed = {}) {
  const [pair, { nation }] = [await makePair(), coalition.person(login)];
  const url = `${keyService(coalition, nation)}/entente.AuthorService/GetAuthor`;
  const token = await accessToken(coalition, login, pair);
  const dpop = await proof(pair, 'POST', url, { token });
  const headers = { authorization: `DPoP ${token}`, dpop, 'content-type': 'application/json', ...changed };
  const { status, body } = await ask(url, { method: 'POST', headers, body: '{}', ca: coalition.ca });
  return { status, code: JSON.parse(body).author };
}
function markOf(code, uuid) {
  const hash = createHash('sha256');
  for (const part of ['entente.author/1', code, uuid]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(part)));
    hash.update(length).update(part);
  }
  return hash.digest('base64url');
}
const kWhy = 'EXERCISE: the convoy times were wrong';
const takesBack = async (visitor, object, { code = 'XAA', headers = {}, fields = {} } = {}) => {
  const request = wanted(object, code, undefined, { reason: kWhy });
  return press(visitor, '/objects/keys', { request, ...fields }, headers);
};
const recalls = async (code) => (await coalition.ask(code, 'recall', 'list')).recalls;

system('its author recalls it in their own lobby: an open page hears of it, and it opens no more', async (t) => {
  const konrad = await Visitor.in(coalition, 'konrad');
  const object = await sealedBy('konrad', ['XAA'], 'originator/xaa', 'releasable-to/xbb');
  const { status, code: known } = await codeOf('konrad');
  assert.equal(status, 200);
  assert.equal(object.policy.ententeAuthor, markOf(known, object.policy.uuid));
  assert.notEqual((await codeOf('lena')).code, known);
  assert.equal((await codeOf('konrad', { authorization: '' })).status, 401);
  const view = await opens(ingrid, object);
  const own = await askFor(konrad, object);
  assert.deepEqual([own.status, own.recall], ['permit', true], 'it is offered to its author');
  assert.equal((await askFor(ingrid, object)).recall, undefined, 'and to nobody else');
  const given = performance.now();
  const said = resultOf(await takesBack(konrad, object));
  const answered = performance.now();
  assert.deepEqual([said.status, said.durable], ['recalled', true]);
  const { why, at: heard } = await shuts(view);
  assert.ok(heard - given < kShutMsMax, `${heard - given} ms after its author took it back`);
  t.diagnostic(`object-shut ${(heard - answered).toFixed(1)} ms after the recall was answered`);
  assert.match(why, /recalled by its author: EXERCISE: the convoy times were wrong/);
  for (const visitor of [ingrid, konrad]) {
    const again = await askFor(visitor, object);
    assert.deepEqual([again.status, again.kasWrappedKey, again.recall], ['fail', undefined, undefined]);
  }
  const exposure = await coalition.ask('XAA', 'exposure', '--partner', 'XBB', '--object', object.policy.uuid);
  assert.deepEqual([exposure.releases, exposure.openable, exposure.rows[0].why], [2, 0, 'object-recalled']);
  // What stands, and what the ledger says: who, which, why.
  const standing = (await recalls('XAA')).filter((one) => one.object === object.policy.uuid);
  const text = object.manifest.encryptionInformation.policy;
  const digest = createHash('sha256').update(text).digest('base64url');
  assert.deepEqual(
    standing.map(({ recall, reason }) => [recall, reason]),
    [[`author/${digest}`, kWhy]],
  );
  const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '500');
  const entry = records.findLast((one) => one.class === 'object.recall').fields;
  assert.deepEqual([entry.object, entry.reason, entry.person, entry.partner], [object.policy.uuid, kWhy, standing[0].by, 'XAA']);
  // Said again it is the same one; an operator undoes it.
  assert.equal(resultOf(await takesBack(konrad, object)).status, 'recalled');
  assert.equal((await recalls('XAA')).filter((one) => one.object === object.policy.uuid).length, 1);
  await coalition.ask('XAA', 'recall', 'lift', 'author', digest, '--reason', 'EXERCISE: they were right');
  await press(ingrid, '/objects/close', { view: await opens(ingrid, object) });
});

system('of joint origin, the author\'s own nation\'s share is enough, and another nation\'s is not asked', async () => {
  const konrad = await Visitor.in(coalition, 'konrad');
  const object = await sealedBy('konrad', ['XAA', 'XBB'], 'originator/xaa', 'originator/xbb');
  const views = { XAA: await opens(ingrid, object, 'XAA'), XBB: await opens(ingrid, object, 'XBB') };
  const elsewhere = resultOf(await takesBack(konrad, object, { code: 'XBB' }));
  assert.match(elsewhere.error, /their own nation's node/);
  assert.equal(resultOf(await takesBack(konrad, object)).status, 'recalled');
  await shuts(views.XAA);
  assert.equal((await askFor(ingrid, object, 'XAA')).status, 'fail');
  await press(ingrid, '/objects/close', { view: views.XBB });
});

system('attack: somebody who did not seal it recalls it', async () => {
  const object = await sealedBy('konrad', ['XAA'], 'originator/xaa', 'releasable-to/xbb');
  const view = await opens(ingrid, object);
  const lena = await Visitor.in(coalition, 'lena'); // of the same nation
  assert.match(resultOf(await takesBack(lena, object)).error, /does not say that you are its author/);
  // Another nation's reader, at her own node, by her nation's share and by the origin's.
  assert.match(resultOf(await takesBack(ingrid, object)).error, /their own nation's node/);
  const joint = await sealedBy('konrad', ['XAA', 'XBB'], 'originator/xaa', 'originator/xbb');
  assert.match(resultOf(await takesBack(ingrid, joint, { code: 'XBB' })).error, /does not say that you are its author/);
  assert.equal(events.shut.get(view), undefined);
  assert.equal((await recalls('XBB')).filter(({ recall }) => recall.startsWith('author/')).length, 0);
  await press(ingrid, '/objects/close', { view });
});

system('attack: a reader binds a policy that names her to the key, and recalls that', async () => {
  const lena = await Visitor.in(coalition, 'lena');
  const object = await sealedBy('konrad', ['XAA'], 'originator/xaa', 'releasable-to/xbb');
  const view = await opens(ingrid, object);
  // She may read it, and so knows its share; her code she may ask for.
  const { kasWrappedKey } = await askFor(lena, object);
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const share = privateDecrypt({ key: browser.privateKey, padding, oaepHash: 'sha1' }, Buffer.from(kasWrappedKey, 'base64'));
  const { code } = await codeOf('lena');
  const ententeAuthor = markOf(code, object.policy.uuid);
  const policy = Buffer.from(JSON.stringify({ ...object.policy, ententeAuthor })).toString('base64');
  const forged = structuredClone(object);
  const hash = createHmac('sha256', share).update(policy).digest('hex');
  forged.manifest.encryptionInformation.policy = policy;
  const [access] = forged.manifest.encryptionInformation.keyAccess;
  access.policyBinding = { alg: 'HS256', hash: Buffer.from(hash).toString('base64') };
  const own = await askFor(lena, forged);
  assert.deepEqual([own.status, own.recall], ['permit', true], 'it is a good object, and hers');
  assert.equal(resultOf(await takesBack(lena, forged)).status, 'recalled');
  assert.equal((await askFor(lena, forged)).status, 'fail');
  assert.equal(events.shut.get(view), undefined, 'the original stays open');
  await press(ingrid, '/objects/close', { view: await opens(ingrid, object) });
  await press(ingrid, '/objects/close', { view });
});

system('attack: a recall that is not from the lobby\'s own page, or of somebody signed out', async () => {
  const konrad = await Visitor.in(coalition, 'konrad');
  const object = await sealedBy('konrad', ['XAA'], 'originator/xaa', 'releasable-to/xbb');
  const view = await opens(ingrid, object);
  for (const changed of [
    { fields: { token: 'x' } },
    { fields: { token: '' } },
    { fields: { token: await tokenOf(ingrid) } },
    { headers: { origin: 'https://elsewhere.example' } },
    { headers: { origin: konrad.nation.app } },
    { headers: { origin: 'null' } },
  ])
    assert.equal((await takesBack(konrad, object, changed)).status, 403, JSON.stringify(changed));
  const token = await tokenOf(konrad);
  await konrad.signOut();
  assert.equal((await takesBack(konrad, object, { fields: { token } })).status, 403);
  await wait(kQuietMs);
  assert.equal(events.shut.get(view), undefined);
  // Signed in again it is still theirs.
  const again = await Visitor.in(coalition, 'konrad');
  assert.equal(resultOf(await takesBack(again, object)).status, 'recalled');
  await shuts(view);
});

const controlled = () => seal(['XAA'], 'originator/xaa', 'handling/orcon');
const kWish = { purpose: 'EXERCISE: berths for the relief convoy', minutes: 60 };
const releases = async (...flags) => (await coalition.ask('XAA', 'release', 'ls', ...flags)).releases;
const resultOf = ({ status, body }) => {
  assert.equal(status, 200, body);
  return JSON.parse(body).responses[0].results[0];
};
const asksFor = async (visitor, object, wish = kWish, headers = {}) =>
  press(visitor, '/objects/keys', { request: wanted(object, 'XAA', wish) }, headers);
const newsIn = ({ text }) => [...text.matchAll(/event: release\ndata: (.*)\n\n/g)].map(([, said]) => JSON.parse(said));
const newsOf = (id, state, heard = events) =>
  until(`the page hears: ${state}`, () => newsIn(heard).find((one) => one.release === id && one.state === state));

system('under originator control: asked for on the page, and whoever asked hears the answer and its words', async () => {
  const object = await controlled();
  const refused = await askFor(ingrid, object);
  assert.deepEqual([refused.status, refused.wish], ['fail', { state: 'none' }]);
  const asked = resultOf(await asksFor(ingrid, object));
  assert.deepEqual([asked.status, asked.wish.state, asked.wish.release], ['asked', 'open', asked.release]);
  assert.equal(asked.kasWrappedKey, undefined);
  assert.equal(resultOf(await asksFor(ingrid, object)).release, asked.release, 'asked again, it is the same');
  const [waiting, ...others] = await releases();
  assert.equal(others.length, 0);
  assert.deepEqual([waiting.id, waiting.object, waiting.purpose], [asked.release, object.policy.uuid, kWish.purpose]);
  assert.deepEqual(waiting.rights, ['open', 'view']);
  assert.match(waiting.who, /planner, .*Borealis/);
  assert.ok(!JSON.stringify(waiting).includes(ingrid.person.name ?? 'Ingrid'), 'nobody is named');
  assert.equal((await askFor(ingrid, object)).wish.release, asked.release);
  // Another person of that nation neither reads nor hears of it.
  const jonas = await Visitor.in(coalition, 'jonas');
  const theirs = await listen(jonas);
  assert.notEqual((await askFor(jonas, object)).wish?.release, asked.release);

  await coalition.answer('XAA', 'release', 'deny', asked.release, '--words', 'EXERCISE: <b>ask</b> the harbour master');
  const denied = await newsOf(asked.release, 'denied');
  assert.equal(denied.words, 'EXERCISE: <b>ask</b> the harbour master');
  const again = await askFor(ingrid, object);
  assert.deepEqual(again.wish, { state: 'denied', release: asked.release, words: denied.words });

  const anew = resultOf(await asksFor(ingrid, object));
  assert.notEqual(anew.release, asked.release);
  const given = await coalition.answer('XAA', 'release', 'approve', anew.release, '--words', 'EXERCISE: for the convoy');
  const granted = await newsOf(anew.release, 'granted');
  assert.deepEqual([granted.until, granted.words], [given.release.until, 'EXERCISE: for the convoy']);
  const view = await opens(ingrid, object); // asked for by the page's own default: it is for showing, too
  assert.equal(resultOf(await asksFor(ingrid, object)).wish.state, 'granted');
  await coalition.ask('XAA', 'release', 'revoke', anew.release);
  await shuts(view);
  assert.equal((await newsOf(anew.release, 'revoked')).words, undefined, 'the words of the approval are none of this');
  assert.equal((await askFor(ingrid, object)).wish.state, 'revoked');
  assert.deepEqual(newsIn(theirs), []);
  const said = await classes('XAA');
  for (const kind of ['release.asked', 'release.denied', 'release', 'release.revoked']) assert.ok(said.includes(kind), kind);
  assert.ok((await classes('XBB')).includes('release.asked'));
});

system('attack: a wish from another page, without its token, with words that steer, or together with a key', async () => {
  const object = await controlled();
  for (const origin of ['https://elsewhere.example', ingrid.nation.app, 'null'])
    assert.equal((await asksFor(ingrid, object, kWish, { origin })).status, 403, origin);
  const request = wanted(object, 'XAA', kWish);
  for (const token of ['', 'A'.repeat(43)])
    assert.equal((await ingrid.submit(at(ingrid, '/objects/keys'), { token, request })).status, 403);
  for (const purpose of ['', 'two\nlines', '\u001b[2J', 'a \u202e b', 'x'.repeat(501)])
    assert.equal((await asksFor(ingrid, object, { ...kWish, purpose })).status, 400, purpose);
  for (const minutes of [0, 43_201, 1.5, '60'])
    assert.equal((await asksFor(ingrid, object, { ...kWish, minutes })).status, 400, String(minutes));
  const { requests, ...rest } = JSON.parse(request);
  const [{ release, ...bare }] = requests;
  const both = JSON.stringify({ ...rest, requests: [requests[0], bare] });
  assert.equal((await press(ingrid, '/objects/keys', { request: both })).status, 400);
  assert.deepEqual(await releases(), []);
  // Of what no release would open nothing is offered, and nothing asked for.
  const secret = await seal(['XAA'], 'classification/secret', 'originator/xaa', 'handling/orcon');
  const chiara = await Visitor.in(coalition, 'chiara');
  assert.equal((await askFor(chiara, secret)).wish, undefined);
  assert.equal(resultOf(await asksFor(chiara, secret)).status, 'fail');
  assert.deepEqual(await releases(), []);
});

system('the reader\'s nation is suspended at the origin: nothing of theirs stays open', async () => {
  const view = await opens(ingrid, await shared());
  await coalition.ask('XAA', 'partner', 'suspend', 'XBB', '--reason', 'EXERCISE');
  await shuts(view);
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'EXERCISE');
});

system('attack: an origin that never answers a watch: what it released is shut', async () => {
  const again = await Visitor.in(coalition, 'ingrid'); // signed in since XBB was resumed
  const theirs = await listen(again);
  const object = await shared();
  const view = await opens(again, object);
  const pid = coalition.processOf(coalition.config('XAA'));
  process.kill(pid, 'SIGSTOP');
  try {
    const { why } = await shuts(view, theirs);
    assert.match(why, /XAA cannot be asked now/);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const back = await until('it opens again', async () => {
    const result = await askFor(again, object).catch(() => ({}));
    return result.status === 'permit' && result.view;
  });
  await coalition.stop('node-xaa', 'SIGKILL');
  assert.match((await shuts(back, theirs)).why, /XAA cannot be asked now/);
});
