// Releases of what is under originator control where two officers have to agree: refused by one, given by two and
// by no one alone, however one of them comes in; and what an answer is worth afterwards.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Coalition, command, program, readJson, skip, system, writeJson } from './coalition.mjs';
import { manifestOf } from './tdf_manifest.mjs';
import { commandOptions, keyService } from './token.mjs';
import { Visitor } from './visitor.mjs';

const fqn = (attribute, value) => `https://harbor-light.example/attr/${attribute}/value/${value}`;
const report = 'EXERCISE EXERCISE EXERCISE: two relief convoys reach Harbor Light Bay at dusk.\n';
const kLena = 'operator/lena.brandtner';
const kKonrad = 'operator/konrad.altmeer';
let coalition, console, lena, konrad, reader;
const file = (name) => join(coalition.folder, name);

// Lena and Konrad are security officers of Aldoria, and what it controls goes further where both say so.
function takesTwo(plan) {
  const path = join(plan, 'genesis-xaa.json');
  const genesis = readJson(path);
  const second = { display: 'Konrad Altmeer', uids: [], person: '${person.konrad}' };
  genesis.records[kKonrad] = { ...genesis.records[kLena], ...second };
  writeJson(path, genesis);
  writeFileSync(join(plan, 'index.html'), '<!doctype html><title>Console</title>');
  writeJson(join(plan, 'node-xaa.json'), { ...readJson(join(plan, 'node-xaa.json')), console: plan });
  const policies = join(plan, 'policies/xaa/host/operators.cedar');
  const text = readFileSync(policies, 'utf8');
  writeFileSync(policies, text.replace('@approvals("1")\n@minutes("10080")', '@approvals("2")\n@minutes("45")'));
  assert.notEqual(readFileSync(policies, 'utf8'), text);
}

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(takesTwo);
  console = `https://console.xaa.localhost:${coalition.nation('XAA').port}`;
  [lena, konrad] = await Promise.all(['lena', 'konrad'].map(atConsole));
  reader = await commandOptions(coalition, 'ingrid', 'XBB');
});
after(() => coalition?.end());

// An officer at the console.
async function atConsole(login) {
  const visitor = await Visitor.in(coalition, login);
  await visitor.follow(`${console}/`);
  const hello = await visitor.go(`${console}/hello`);
  assert.equal(hello.status, 200, hello.body);
  return { visitor, token: JSON.parse(hello.body).token };
}
// What they do there: { status, body }.
async function does({ visitor, token }, path, body) {
  const headers = { origin: console, 'content-type': 'application/json', 'entente-token': token };
  const answer = await visitor.go(`${console}/v1/releases${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, body: JSON.parse(answer.body) };
}
const refused = async (...verb) => {
  const { code, output } = await coalition.cli('XAA', ...verb, '--json');
  assert.equal(code, 1, output);
  return JSON.parse(output).error;
};

let sealed = 0;
// A report under Aldoria's control: { path, uuid, attributes }.
async function seal() {
  const path = file(`orcon-${(sealed += 1)}`);
  writeFileSync(`${path}.txt`, report);
  const attributes = [fqn('classification', 'restricted'), fqn('originator', 'xaa'), fqn('handling', 'orcon')];
  const words = ['--to', keyService(coalition, 'XAA'), '--trust', coalition.demo.authority, '-o', `${path}.tdf`];
  const named = attributes.flatMap((one) => ['--attribute', one]);
  const { code, output } = await command([program, 'seal', `${path}.txt`, ...named, ...words]);
  assert.equal(code, 0, output);
  return { path: `${path}.tdf`, uuid: manifestOf(`${path}.tdf`).policy.uuid, attributes };
}
const opens = async ({ path }) => {
  const { code, output } = await command([program, 'open', path, ...reader, '-o', `${path}.${(sealed += 1)}`]);
  if (code !== 0) assert.match(output, /not released to Borealis/);
  return code === 0;
};
// Borealis' planner asks for it: the release that waits.
async function asksFor(object) {
  const terms = ['--purpose', 'EXERCISE: berths for the convoy', '--minutes', '60'];
  const asked = await command([program, 'release', 'ask', object.path, ...terms, ...reader]);
  assert.equal(asked.code, 0, asked.output);
  return shown(object);
}
const shown = async ({ uuid }) => {
  const { releases } = await coalition.ask('XAA', 'release', 'ls', '--all'); // the newest first
  return releases.find(({ object }) => object === uuid);
};
const read = async (object) => ({ seen: (await shown(object)).seen });
const leaves = async (kind) => {
  const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '500');
  return records.filter(({ class: one }) => one === kind).map(({ fields }) => fields);
};

system('denied: it stays shut, the words are kept, and a denied wish is answered once', async () => {
  const object = await seal();
  const { id, state } = await asksFor(object);
  assert.equal(state, 'open');
  const said = await coalition.answer('XAA', 'release', 'deny', id, '--words', 'EXERCISE: ask your own staff');
  assert.equal(said.release.state, 'denied');
  assert.equal((await shown(object)).answer, 'EXERCISE: ask your own staff');
  assert.ok(!(await opens(object)));
  for (const verb of ['approve', 'deny', 'revoke']) assert.equal((await refused('release', verb, id, ...(verb === 'revoke' ? [] : ['--seen', 'x']))).code, 'access.over');
  assert.ok(!(await opens(object)));
  const [leaf] = (await leaves('release.denied')).filter(({ release }) => release === id);
  assert.deepEqual([leaf.object, leaf.who, leaf.words], [object.uuid, kLena, 'EXERCISE: ask your own staff']);
  // It can be asked for again, and one officer's denial needs no second.
  const again = await asksFor(object);
  assert.notEqual(again.id, id);
  assert.equal((await does(konrad, `/${again.id}/deny`, { seen: again.seen })).status, 200);
  assert.equal((await shown(object)).state, 'denied');
});

system('two officers release what neither does alone, for no longer than the policy lets them', async () => {
  const object = await seal();
  const { id } = await asksFor(object);
  const first = await coalition.answer('XAA', 'release', 'approve', id);
  assert.deepEqual([first.release.state, first.release.approvals_needed], ['open', 2]);
  assert.match(first.text, /approved: 1 of 2 approvals/);
  assert.ok(!(await opens(object)), 'one has approved');
  const second = await does(konrad, `/${id}/approve`, { ...(await read(object)), words: 'EXERCISE: for the convoy' });
  assert.equal(second.status, 200, JSON.stringify(second.body));
  const { state, approvals, minutes, until } = second.body.release;
  assert.deepEqual([state, approvals.map(({ by }) => by), minutes], ['granted', [kLena, kKonrad], 45]);
  assert.ok(Date.parse(until) - Date.now() <= 45 * 60_000);
  assert.ok(await opens(object));
  const kinds = ['release.asked', 'release.approved', 'release'];
  for (const kind of kinds) assert.ok((await leaves(kind)).some(({ release }) => release === id), kind);
  // Either alone takes it back.
  assert.equal((await does(konrad, `/${id}/revoke`, {})).status, 200);
  assert.ok(!(await opens(object)));
});

system('attack: one officer approves twice, on the command line and at the console', async () => {
  const object = await seal();
  const { id } = await asksFor(object);
  await coalition.answer('XAA', 'release', 'approve', id);
  const { seen } = await shown(object);
  const twice = await refused('release', 'approve', id, '--seen', seen);
  assert.equal(twice.code, 'operator.denied');
  const there = await does(lena, `/${id}/approve`, { seen });
  assert.equal(there.status, 403, JSON.stringify(there.body));
  const { state, approvals } = await shown(object);
  assert.deepEqual([state, approvals.length], ['open', 1]);
  assert.ok(!(await opens(object)));
  await coalition.answer('XAA', 'release', 'deny', id);
  assert.equal((await does(konrad, `/${id}/approve`, { seen })).status, 409, 'a denial is no approval that waits');
  assert.ok(!(await opens(object)));
});

system('attack: an officer proposes and approves by themselves; a proposal waits for the other', async () => {
  const object = await seal();
  const body = { object: object.uuid, attributes: object.attributes, partner: 'XBB', minutes: 30, reason: 'EXERCISE: for all' };
  const proposed = await does(lena, '', body);
  assert.equal(proposed.status, 200, JSON.stringify(proposed.body));
  const { id, state, seen } = proposed.body.release;
  assert.equal(state, 'open');
  assert.ok(!(await opens(object)));
  assert.equal((await refused('release', 'approve', id, '--seen', seen)).code, 'operator.denied');
  assert.ok(!(await opens(object)));
  assert.equal((await does(konrad, `/${id}/approve`, { seen })).body.release.state, 'granted');
  assert.ok(await opens(object));
  assert.ok((await leaves('release.proposed')).some(({ release }) => release === id));
  await coalition.verify('XAA');
});

system('attack: an answer to what was not read, or is another since it was', async () => {
  const object = await seal();
  const { id, seen, minutes } = await asksFor(object);
  assert.equal(minutes, 60);
  const isAsItWas = async (approvals) => {
    const now = await shown(object);
    assert.deepEqual([now.state, now.approvals.length], ['open', approvals]);
    assert.ok(!(await opens(object)));
  };
  for (const verb of ['approve', 'deny']) {
    for (const body of [{}, { seen: '' }]) assert.equal((await does(konrad, `/${id}/${verb}`, body)).status, 400, verb);
    assert.equal((await coalition.cli('XAA', 'release', verb, id)).code, 2, 'the command line asks for it');
    const other = await does(konrad, `/${id}/${verb}`, { seen: 'A'.repeat(43) });
    assert.deepEqual([other.status, other.body.error?.code], [409, 'access.changed'], verb);
  }
  await isAsItWas(0);
  // Both have read it. With the first approval it is for a shorter time: what the other read is gone.
  await coalition.ask('XAA', 'release', 'approve', id, '--seen', seen);
  for (const verb of ['approve', 'deny']) {
    const stale = await does(konrad, `/${id}/${verb}`, { seen });
    assert.deepEqual([stale.status, stale.body.error?.code], [409, 'access.changed'], verb);
  }
  await isAsItWas(1);
  const told = await coalition.cli('XAA', 'release', 'show', id);
  const now = await shown(object);
  assert.equal(now.minutes, 45);
  for (const shows of [now.seen, 'EXERCISE: berths for the convoy', object.uuid, '1 of 2']) assert.ok(told.output.includes(shows), told.output);
  assert.equal((await does(konrad, `/${id}/approve`, { seen: now.seen })).body.release?.state, 'granted');
  assert.ok(await opens(object));
});

system('two answer at once: the release is given once, or refused, and never both', async () => {
  const object = await seal();
  const { id } = await asksFor(object);
  await coalition.answer('XAA', 'release', 'approve', id);
  const mark = await read(object);
  const [approved, denied] = await Promise.all([does(konrad, `/${id}/approve`, mark), does(lena, `/${id}/deny`, mark)]);
  assert.deepEqual([approved.status, denied.status].sort(), [200, 409], JSON.stringify([approved.body, denied.body]));
  const { state } = await shown(object);
  assert.equal(state, approved.status === 200 ? 'granted' : 'denied');
  assert.equal(await opens(object), state === 'granted');
});

system('a long list of releases is read page by page, and each stands on one', async () => {
  const object = await seal();
  const terms = { attributes: object.attributes, partner: 'XBB', minutes: 30, reason: 'EXERCISE: one of many' };
  const proposed = [];
  for (let i = 0; i < 101; i += 1) {
    const { status, body } = await does(lena, '', { ...terms, object: crypto.randomUUID() });
    assert.equal(status, 200, JSON.stringify(body));
    proposed.push(body.release);
  }
  const pages = async (...flags) => {
    const found = [];
    for (let next; found.length === 0 || next; ) {
      const page = await coalition.ask('XAA', 'release', 'ls', ...flags, ...(next ? ['--after', next] : []));
      assert.ok(page.releases.length <= 100);
      found.push(...page.releases);
      assert.equal(page.more === undefined, page.next === undefined);
      next = page.next;
    }
    assert.equal(new Set(found.map(({ id }) => id)).size, found.length, 'none twice');
    return found;
  };
  const waits = await pages();
  for (const { id } of proposed) assert.ok(waits.some((one) => one.id === id && one.may_end), id);
  const ends = waits.map(({ state, until, end }) => (state === 'granted' ? until : end));
  assert.deepEqual(ends, ends.toSorted(), 'the first to be over first');
  await coalition.answer('XAA', 'release', 'deny', proposed[0].id);
  assert.ok(!(await pages()).some(({ id }) => id === proposed[0].id));
  const all = (await pages('--all')).map(({ id, asked }) => [id, asked]);
  assert.ok(all.some(([id]) => id === proposed[0].id));
  const asked = all.map(([, at]) => at);
  assert.deepEqual(asked, asked.toSorted().reverse(), 'the newest first');
  const { visitor } = lena;
  assert.equal((await visitor.go(`${console}/v1/releases?limit=1000`)).status, 400);
});

system('attack: a release is said to be given that could never open', async () => {
  const object = await seal();
  const { id, seen } = await asksFor(object);
  const because = ['--reason', 'EXERCISE: sent by mistake'];
  await coalition.ask('XAA', 'recall', 'policy', object.uuid, ...because);
  const recalled = await refused('release', 'approve', id, '--seen', seen);
  assert.deepEqual([recalled.code, (await shown(object)).approvals.length], ['access.refused', 0]);
  assert.match(recalled.what, /a release would open nothing: This was recalled: EXERCISE: sent by mistake/);
  await coalition.ask('XAA', 'recall', 'lift', 'policy', object.uuid, ...because);
  await coalition.answer('XAA', 'release', 'approve', id);
  await coalition.answer('XAA', 'release', 'deny', id);
  // Nor one that operators give unasked.
  await coalition.ask('XAA', 'partner', 'suspend', 'XBB', ...because);
  const terms = ['--minutes', '30', '--reason', 'EXERCISE: berths'];
  const suspended = await refused('release', object.path, '--to', 'XBB', ...terms);
  assert.equal(suspended.code, 'access.refused');
  assert.match(suspended.what, /a release would open nothing: .*suspended/);
  assert.equal((await shown(object)).id, id, 'none beside the one that was denied');
  await coalition.verify('XAA');
});
