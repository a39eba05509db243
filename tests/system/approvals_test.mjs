// An app that two people have to open for somebody: neither opens it alone, nobody counts twice, and who answers in
// another's name counts as that one; and who may say in whose name somebody answers.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Coalition, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

const kPurpose = 'exercise: how many stations are open';
let coalition, maren, konrad, lena, petra;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(takesTwo);
  [maren, konrad, lena, petra] = await Promise.all(
    ['maren', 'konrad', 'lena', 'petra'].map((login) => Visitor.in(coalition, login)),
  );
});

after(() => coalition?.end());

// Two officers in Aldoria, Konrad and Lena, and Petra, who is none.
function takesTwo(plan) {
  const people = readJson(join(plan, 'people.json'));
  const found = people.people.find(({ login }) => login === 'lena');
  people.people.push({ ...structuredClone(found), login: 'petra', name: 'Petra Lindner', subject: 'ald-7-1071' });
  found.claims.funktion = 'lagezentrum';
  writeJson(join(plan, 'people.json'), people);
  const path = join(plan, 'policies/xaa/host/cop.cedar');
  writeFileSync(path, readFileSync(path, 'utf8').replace('@approvals("1")', '@approvals("2")'));
}

const at = (visitor, path) => `${visitor.nation.lobby}${path}`;
const things = async (visitor) => (await visitor.go(at(visitor, '/things'))).body;
const ownId = async (visitor) => /data-own-id>([^<]+)</.exec(await things(visitor))[1];

// What the operator's list says of a request that waits.
const waiting = async (id) => (await coalition.ask('XAA', 'request', 'ls')).requests.find((one) => one.id === id);
const state = async (id) => /data-state="([a-z]+)"/.exec((await maren.go(at(maren, `/requests/${id}`))).body)?.[1];

async function asks() {
  const id = await maren.asksFor('cop-xaa', kPurpose);
  await until('the request has come to its owner', () => waiting(id));
  return id;
}

// Presses approve, having read the request as it is: whether their own page offers it or not.
async function approves(visitor, id) {
  const { seen } = await waiting(id);
  return visitor.submit(at(visitor, `/requests/${id}/approve`), { token: await visitor.token(), seen });
}

const approvals = async (id) => (await waiting(id)).approvals.length;

async function lends(from, to) {
  const fields = { token: await from.token(), app: 'cop-xaa', to, minutes: '240' };
  return from.submit(at(from, '/delegations'), fields);
}

const lent = async (visitor) => /data-delegation="([^"]+)"/.exec(await things(visitor))?.[1];
const takesBack = async (visitor, id) =>
  visitor.submit(at(visitor, `/delegations/${id}/end`), { token: await visitor.token() });

system('two people approve: the first opens nothing, and does not count twice', async () => {
  const refused = await maren.openApp();
  assert.equal(refused.status, 403);
  assert.match(refused.body, /2 people would have to approve/);
  const id = await asks();
  assert.match(await things(konrad), /It takes 2 people to approve it/);
  assert.equal((await approves(konrad, id)).status, 303);
  assert.equal((await waiting(id)).approvals_needed, 2);
  assert.equal(await approvals(id), 1);
  assert.equal(await state(id), 'open');
  assert.equal((await maren.openApp()).status, 403);
  const again = await approves(konrad, id);
  assert.equal(again.status, 403, again.body);
  assert.equal(await approvals(id), 1);
  assert.doesNotMatch(await things(konrad), new RegExp(`action="/requests/${id}/approve"`), 'his page offers no second');

  assert.equal((await approves(lena, id)).status, 303);
  await until('her page knows', async () => (await state(id)) === 'granted');
  assert.equal((await maren.openApp()).status, 200);
  const [grant] = (await coalition.ask('XAA', 'grant', 'ls')).grants;
  assert.equal(new Set(grant.approved_by).size, 2, 'it names both');
  await coalition.ask('XAA', 'grant', 'revoke', id, '--words', 'exercise: next');
});

system('attack: whoever answers in an officer\'s name is no second beside them', async () => {
  const id = await asks();
  const petras = await ownId(petra);
  assert.equal((await approves(petra, id)).status, 404, 'before anybody lends it');
  assert.equal((await lends(petra, await ownId(lena))).status, 404, 'nobody lends what they have not');
  assert.equal((await lends(konrad, await ownId(konrad))).status, 409, 'nor to themselves');
  const nobody = await lends(konrad, 'Lena');
  assert.equal(nobody.status, 409, 'nor to a name that is nobody\'s id');
  assert.match(nobody.body, /Nobody with this id is signed in here now/);
  assert.equal((await lends(konrad, petras)).status, 303);
  const delegation = await lent(konrad);
  assert.equal(await lent(petra), delegation, 'both see it');
  assert.equal(await lent(lena), undefined, 'nobody else does');
  assert.equal((await lends(petra, await ownId(maren))).status, 404, 'what was lent is not lent on');

  assert.equal((await approves(petra, id)).status, 303);
  assert.equal(await approvals(id), 1);
  for (const visitor of [petra, konrad]) assert.equal((await approves(visitor, id)).status, 403, visitor.person.login);
  assert.equal(await approvals(id), 1, 'the two are one');
  assert.equal((await maren.openApp()).status, 403);

  // Taken back before the second comes: what was approved under it counts no more.
  assert.equal((await takesBack(lena, delegation)).status, 404, 'a colleague ends nothing of theirs');
  assert.equal((await takesBack(maren, delegation)).status, 404, 'nor does a person of another nation');
  assert.equal(await lent(petra), delegation);
  assert.equal((await takesBack(konrad, delegation)).status, 303);
  assert.equal(await lent(petra), undefined);
  assert.equal((await takesBack(konrad, delegation)).status, 404);
  assert.equal((await approves(petra, id)).status, 404);
  assert.equal((await approves(lena, id)).status, 303);
  assert.equal(await approvals(id), 1);
  assert.equal(await state(id), 'open', 'one approval stands, and one is not enough');
  assert.equal((await maren.openApp()).status, 403);
  assert.equal((await approves(konrad, id)).status, 303);
  await until('her page knows', async () => (await state(id)) === 'granted');
  assert.equal((await maren.openApp()).status, 200);
  await coalition.verify('XAA');
});

system('attack: delegations are neither made nor ended by another page', async () => {
  const to = await ownId(petra);
  const token = await konrad.token();
  const fields = { token, app: 'cop-xaa', to, minutes: '240' };
  for (const origin of ['https://elsewhere.localhost', konrad.nation.app])
    assert.equal((await konrad.submit(at(konrad, '/delegations'), fields, { origin })).status, 403);
  const guessed = { ...fields, token: 'x'.repeat(22) };
  assert.equal((await konrad.submit(at(konrad, '/delegations'), guessed)).status, 403);
  assert.equal(await lent(konrad), undefined);
  assert.equal((await lends(konrad, to)).status, 303);
  const delegation = await lent(konrad);
  const end = at(konrad, `/delegations/${delegation}/end`);
  assert.equal((await konrad.submit(end, { token }, { origin: konrad.nation.app })).status, 403);
  assert.equal((await konrad.submit(end, { token: 'x'.repeat(22) })).status, 403);
  assert.equal(await lent(petra), delegation);
  assert.equal((await takesBack(petra, delegation)).status, 303, 'who answers for somebody may stop to');
  assert.equal(await lent(konrad), undefined);
});
