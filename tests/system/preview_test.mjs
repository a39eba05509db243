// What a change would end, said before it is pressed: the preview of each change changes nothing, is told to nobody
// who may not make the change, and says what then happens when it is made.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, command, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { manifestOf } from './tdf_manifest.mjs';
import { Visitor } from './visitor.mjs';

const kWhy = ['--reason', 'exercise: as planned'];
const kLooks = ['verdict', 'preview']; // what a preview leaves in the ledger
const clientPublicKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' });
let coalition, console, lena, auditor, konrad, ingrid, chiara, maren;

// Lena is security officer of Aldoria; Konrad, who is at the map as its officer, may read at its console and no more.
function addAuditor(plan) {
  const path = join(plan, 'genesis-xaa.json');
  const genesis = readJson(path);
  const auditors = { display: 'Konrad Altmeer', uids: [], roles: ['auditor'], person: '${person.konrad}' };
  genesis.records['operator/konrad.altmeer'] = { ...genesis.records['operator/lena.brandtner'], ...auditors };
  writeJson(path, genesis);
  writeFileSync(join(plan, 'index.html'), '<!doctype html><title>Console</title>');
  writeJson(join(plan, 'node-xaa.json'), { ...readJson(join(plan, 'node-xaa.json')), console: plan });
}

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(addAuditor, { nations: ['XAA', 'XBB', 'XCC'], apps: ['cop-1', 'wiki-1'] });
  console = `https://console.xaa.localhost:${coalition.nation('XAA').port}`;
  [konrad, ingrid, chiara] = await Promise.all(['konrad', 'ingrid', 'chiara'].map((login) => Visitor.inside(coalition, login)));
  [maren, lena] = [await Visitor.in(coalition, 'maren'), await Visitor.in(coalition, 'lena')];
  auditor = konrad;
  for (const who of [lena, auditor]) assert.equal((await who.follow(`${console}/`)).status, 200);
});
after(() => coalition?.end());

const newest = async (nation, last = 300) => (await coalition.ask(nation, 'ledger', 'show', '--last', `${last}`)).records;
const grants = async () => (await coalition.ask('XAA', 'grant', 'ls')).grants;
const releases = async () => (await coalition.ask('XAA', 'release', 'ls')).releases;
const live = async (nation) => (await coalition.sessions(nation)).filter(({ state }) => state === 'live');

// All that the changes of this file could change at a node; what partners offer comes and goes by their word.
async function stands(nation) {
  const [{ missions }, { partners }, { connectors }, { recalls }, { apps }, { delegations }] = await Promise.all(
    ['mission ls', 'partner list', 'connector list', 'recall list', 'app list', 'delegation ls'].map((verb) => coalition.ask(nation, ...verb.split(' '))),
  );
  const sessions = (await live(nation)).map(({ id }) => id).sort();
  const named = connectors.map(({ id, state }) => [id, state]);
  const said = missions.map(({ id, phase, threat, end, number }) => [id, phase, threat, end, number]);
  const own = apps.filter(({ app }) => app.startsWith(`${nation}/`)).map(({ app, offered_to, end }) => [app, offered_to, end]);
  const open = partners.map(({ code, state }) => [code, state]);
  return { sessions, said, named, open, recalls, own, delegations, grants: (await coalition.ask(nation, 'grant', 'ls')).grants };
}

// What the preview of a verb says; it leaves everything as it was, and only that somebody looked in the ledger.
async function foresees(nation, ...verb) {
  const was = await stands(nation);
  const size = (await newest(nation, 1))[0].index + 1;
  const said = await coalition.ask(nation, ...verb, '--preview');
  assert.match(said.text, / Nothing was changed\.$/);
  assert.deepEqual(await stands(nation), was, `${verb.join(' ')} --preview`);
  const news = (await newest(nation)).filter(({ index }) => index >= size);
  const mine = news.filter(({ class: kind, fields }) => kind === 'preview' || `${fields.purpose}`.startsWith('preview of: '));
  assert.ok(mine.some(({ class: kind, fields }) => kind === 'preview' && fields.told === said.text), 'what was told is written down');
  const done = news.filter(({ class: kind }) => /^(partner|app|connector|session|mission|grant|release|object|delegation)\.|^(ending|refusal|store\.commit)$/.test(kind));
  assert.deepEqual(done.map(({ class: kind }) => kind), [], 'nothing is recorded as changed');
  assert.ok(mine.every(({ class: kind }) => kLooks.includes(kind)));
  return said;
}
// What the preview says, and then the change: as many sessions end as it said.
async function pressed(nation, ...verb) {
  const said = await foresees(nation, ...verb);
  const why = ['grant', 'release', 'delegation'].includes(verb[0]) ? [] : kWhy;
  const done = await coalition.ask(nation, ...verb, ...why);
  if (verb[0] !== 'delegation') {
    assert.equal(done.durable ?? true, true);
    assert.equal(done.sessions, said.sessions, `${verb.join(' ')}: ${said.text}`);
  }
  return said;
}

// What her own nation's lobby says of a request: told by Aldoria's node, in the order of what it does.
const told = async (id) => /data-state="([a-z]+)"/.exec((await maren.go(`${maren.nation.lobby}/requests/${id}`)).body)?.[1];

const hasCome = (id) => until('the request has come', async () => (await coalition.ask('XAA', 'request', 'ls')).requests.some((one) => one.id === id));

let sealed = 0;
// An object of Aldoria's: { path, uuid, request }.
async function seal(...words) {
  const name = `object-${(sealed += 1)}`;
  writeFileSync(coalition.file(`${name}.txt`), 'EXERCISE EXERCISE EXERCISE: berths at dusk.\n');
  const done = await command([coalition.file('as'), 'konrad', 'seal', `${name}.txt`, ...words, '-o', `${name}.tdf`], { cwd: coalition.folder });
  assert.equal(done.code, 0, done.output);
  const path = coalition.file(`${name}.tdf`);
  const { manifest, policy: { uuid } } = manifestOf(path);
  const { policy, keyAccess } = manifest.encryptionInformation;
  const keyAccessObjects = [{ keyAccessObjectId: 'k0', keyAccessObject: keyAccess[0] }];
  return { path, uuid, request: JSON.stringify({ clientPublicKey, requests: [{ policy: { id: 'p', body: policy }, keyAccessObjects }] }) };
}
// Opens it in the visitor's lobby, where it stays open.
async function looksAt(visitor, { request }) {
  const page = await visitor.go(`${visitor.nation.lobby}/objects`);
  const [, token] = /data-objects data-token="([^"]+)"/.exec(page.body);
  const sent = await visitor.submit(`${visitor.nation.lobby}/objects/keys`, { token, request });
  const [{ results: [result] }] = JSON.parse(sent.body).responses;
  assert.equal(result.status, 'permit', sent.body);
}
const shut = async (nation) => (await newest(nation, 900)).filter(({ class: kind }) => kind === 'object.shut').length;
const isBack = (login) => Visitor.insideAgain(coalition, login);

system('a session that is cut', async () => {
  const { id } = (await live('XAA')).find(({ partner }) => partner === 'XCC');
  const said = await pressed('XAA', 'session', 'cut', id);
  assert.deepEqual([said.sessions, said.sessions_of], [1, { XCC: 1 }]);
  const { code, output } = await coalition.cli('XAA', 'session', 'cut', id, '--preview');
  assert.equal(code, 1, output);
  chiara = await isBack('chiara');
});

system("a mission's threat: whom the policies name, and no other", async () => {
  await coalition.ask('XAA', 'mission', 'phase', 'Harbor Light', 'execution', ...kWhy);
  maren = await isBack('maren');
  const everybody = (await live('XAA')).length;
  assert.ok(everybody > 3);
  const same = await foresees('XAA', 'mission', 'threat', 'Harbor Light', 'moderate');
  assert.match(same.text, /^Nothing that is open, given or waiting now would end\./);
  const said = await pressed('XAA', 'mission', 'threat', 'Harbor Light', 'high');
  assert.deepEqual(said.sessions_of, { XBB: 1 });
  assert.equal((await live('XAA')).length, everybody - 1);
  const unchanged = await coalition.cli('XAA', 'mission', 'threat', 'Harbor Light', 'high', '--preview');
  assert.equal(unchanged.code, 1);
  assert.match(unchanged.output, /threat high already/);
  await coalition.ask('XAA', 'mission', 'threat', 'Harbor Light', 'low', ...kWhy);
  await coalition.ask('XAA', 'mission', 'phase', 'Harbor Light', 'planning', ...kWhy);
});

system('a grant that is taken back: the grant, and the session that it opened', async () => {
  const id = await maren.asksFor('cop-xaa', 'exercise: stations');
  await hasCome(id);
  await coalition.answer('XAA', 'request', 'approve', id);
  await until('she is inside', async () => (await maren.openApp()).status === 200 && (await told(id)) === 'granted');
  await foresees('XAA', 'grant', 'revoke', id);
  await foresees('XAA', 'mission', 'end', 'Harbor Light');
  assert.equal((await maren.openApp()).status, 200);
  assert.equal(await told(id), 'granted', 'her nation was told nothing either');
  const said = await pressed('XAA', 'grant', 'revoke', id);
  assert.deepEqual([said.sessions_of, said.grants_of], [{ XBB: 1 }, { XBB: 1 }]);
  assert.deepEqual((await grants()).filter((one) => one.id === id), []);
  await until('her nation knows', async () => (await told(id)) === 'revoked');
});

system('a delegation that ends', async () => {
  const { id } = await coalition.ask('XAA', 'delegation', 'add', 'cop', 'A'.repeat(43), '--minutes', '60');
  const said = await pressed('XAA', 'delegation', 'end', id);
  assert.equal(said.delegations, 1);
  assert.deepEqual((await coalition.ask('XAA', 'delegation', 'ls')).delegations, []);
});

system('an object that is recalled: as many open views go blank as were foreseen', async () => {
  const object = await seal('--for', 'XBB');
  for (const visitor of [konrad, ingrid]) await looksAt(visitor, object);
  const other = await seal('--for', 'XBB');
  await looksAt(ingrid, other);
  const before = await shut('XAA');
  const said = await pressed('XAA', 'recall', 'policy', object.uuid);
  assert.deepEqual([said.views_of, said.sessions], [{ XAA: 1, XBB: 1 }, 0]);
  await until('both are blank', async () => (await shut('XAA')) === before + 2);
  const { code, output } = await coalition.cli('XAA', 'recall', 'policy', object.uuid, '--preview');
  assert.equal(code, 0, output);
  assert.match(output, /^Nothing that is open/);
});

system('an app that is withdrawn', async () => {
  assert.equal((await lena.follow(`${lena.nation.apps['wiki-xbb']}/`)).status, 200);
  const said = await pressed('XBB', 'app', 'withdraw', 'wiki');
  assert.deepEqual(said.sessions_of, { XAA: 1 });
  await until('nobody is inside', async () => (await live('XBB')).every(({ app }) => app !== 'XBB/wiki'));
});

system("attack: whoever may not make a change is told nothing of it, and a preview's path changes nothing", async () => {
  const { id, person } = (await live('XAA')).find(({ partner }) => partner === 'XBB');
  // A name from the list of sessions is no name of the key service's: nobody would be recalled by it.
  const byApp = await coalition.cli('XAA', 'recall', 'person', `XBB/${person}`, ...kWhy);
  assert.equal(byApp.code, 1, byApp.output);
  assert.match(byApp.output, /apps know them by this id/);
  const asked = await maren.asksFor('cop-xaa', 'exercise: attack');
  await hasCome(asked);
  await coalition.answer('XAA', 'request', 'approve', asked);
  const { id: lent } = await coalition.ask('XAA', 'delegation', 'add', 'cop', 'A'.repeat(43), '--minutes', '60');
  const { path } = await seal('--orcon');
  const given = await coalition.ask('XAA', 'release', path, '--to', 'XBB', '--minutes', '60', ...kWhy);
  const paths = [
    'partners/XBB/suspend', 'partners/XBB/isolate?with=XAA', 'apps/cop/withdraw', `sessions/${id}/cut`, 'connectors/cop-1/cut',
    'missions/harbor-light/phase?phase=execution', 'missions/harbor-light/threat?threat=high', 'missions/harbor-light/end',
    `grants/${asked}/revoke`, `delegations/${lent}/end`, `releases/${given.release.id}/revoke`, 'recalls?kind=partner&what=XBB',
  ].map((one) => `/v1/${one.includes('?') ? one.replace('?', '/preview?') : `${one}/preview`}`);
  const was = await stands('XAA');
  const token = JSON.parse((await lena.go(`${console}/hello`)).body).token;
  for (const one of paths) {
    const refused = await auditor.go(`${console}${one}`);
    assert.equal(refused.status, 403, `${one}: ${refused.body}`);
    assert.equal(JSON.parse(refused.body).error.code, 'operator.denied');
    assert.doesNotMatch(refused.body, /would|session/);
    const told = await lena.go(`${console}${one}`);
    assert.equal(told.status, 200, `${one}: ${told.body}`);
    assert.match(JSON.parse(told.body).text, / Nothing was changed\.$/);
    const headers = { origin: console, 'content-type': 'application/json', 'entente-token': token };
    const posted = await lena.go(`${console}${one}`, { method: 'POST', headers, body: JSON.stringify({ reason: 'exercise: attack' }) });
    assert.equal(posted.status, 404, `${one}: ${posted.body}`);
    const strange = await maren.go(`${console}${one}`);
    assert.notEqual(strange.status, 200);
  }
  for (const one of ['partners/XBB/resume', 'clock/accept', 'connectors'])
    assert.equal((await lena.go(`${console}/v1/${one}/preview`)).status, 404, one);
  assert.deepEqual(await stands('XAA'), was);
  await coalition.ask('XAA', 'delegation', 'end', lent);
  assert.equal((await pressed('XAA', 'grant', 'revoke', asked)).sessions, 0);
});

system('a partner that is suspended: sessions, views, releases and who waits', async () => {
  await looksAt(ingrid, await seal('--for', 'XBB'));
  const waits = await maren.asksFor('cop-xaa', 'exercise: it waits');
  await hasCome(waits);
  assert.deepEqual((await releases()).map(({ partner, state }) => [partner, state]), [['XBB', 'granted']]);
  const before = await shut('XAA');
  const said = await pressed('XAA', 'partner', 'suspend', 'XBB');
  assert.deepEqual([said.sessions_of, said.requests_of, said.releases_of, said.grants], [{ XBB: 1 }, { XBB: 1 }, { XBB: 1 }, 0]);
  assert.ok(said.views >= 1);
  await until('what they looked at is blank', async () => (await shut('XAA')) === before + said.views);
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', ...kWhy);
  await wait(1100); // a sign-in is stamped in whole seconds
  ingrid = await isBack('ingrid');
});

system('a connector that is cut: whose app has no other', async () => {
  const said = await pressed('XAA', 'connector', 'cut', 'cop-1');
  assert.deepEqual([said.connectors, said.sessions], [1, 0]);
  assert.equal(said.unserved, (await live('XAA')).filter(({ app }) => app === 'XAA/cop').length);
  assert.ok(said.unserved >= 3, said.text);
  assert.equal((await konrad.go(`${konrad.nation.app}/`)).status, 503);
});

system('a mission that ends leaves what was foreseen: nothing', async () => {
  const said = await pressed('XAA', 'mission', 'end', 'Harbor Light');
  assert.ok(said.sessions >= 3, said.text);
  assert.deepEqual(said.requests_of, { XBB: 1 });
  await until('nobody is inside', async () => (await live('XAA')).length === 0);
  for (const nation of ['XAA', 'XBB', 'XCC']) assert.match(await coalition.verify(nation), /chained, signed and complete/);
});
