// Three who count the same requests: the app itself, the ledger of its own nation and that of the visitor's. And an app
// that takes no assertion twice is sent none twice.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Coalition, readJson, setLimits, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';
import { assertionOf, Witness } from './witness.mjs';

const kRequests = 24;
const kAtOnce = 6;
const kSessionsMax = 2; // of one person
let coalition, witness;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start((plan) => {
    const path = join(plan, 'genesis-xaa.json');
    const genesis = readJson(path);
    genesis.records['app/cop'].assertion = 'each_request';
    writeJson(path, genesis);
    setLimits(plan, 'XAA', { sessions_per_person_max: kSessionsMax });
  });
  await coalition.stop('cop-1');
  witness = await new Witness(coalition.file('cop-1.sock')).listen();
});

after(async () => {
  await witness?.close();
  await coalition?.end();
});

const jtis = () => witness.seen.map((seen) => {
  const [assertion, ...more] = assertionOf(seen);
  assert.deepEqual(more, [], 'exactly one assertion');
  return assertion.jti;
});

async function work(visitor) {
  const at = (number) => `${visitor.nation.app}/in?${number}`;
  for (let i = 0; i < kRequests; i += 1) {
    const change = { method: 'POST', body: 'x', headers: { origin: visitor.nation.app, 'content-length': '1' } };
    assert.equal((await visitor.go(at(i), i % 4 === 3 ? change : {})).status, 200);
  }
  const answers = await Promise.all(Array.from({ length: kAtOnce }, (_, i) => visitor.go(at(kRequests + i))));
  for (const { status } of answers) assert.equal(status, 200);
}

// What a nation's ledger says of a session that has ended: { batches: [[first, last]], total }.
async function counted(nation, session) {
  const { records } = await coalition.ask(nation, 'ledger', 'show', '--last', '400');
  const own = records.map(({ class: kind, fields }) => ({ kind, fields: fields ?? {} }));
  const ending = own.find(({ kind, fields }) => kind === 'ending' && fields.session === session);
  const batches = own
    .filter(({ kind }) => kind === 'requests')
    .flatMap(({ fields }) => fields.sessions)
    .filter((one) => one.session === session)
    .map(({ first, last }) => [first, last]);
  return { batches: batches.sort(([a], [b]) => a - b), total: ending?.fields.requests };
}

for (const [login, nations] of [['konrad', ['XAA']], ['ingrid', ['XAA', 'XBB']]])
  system(`what ${login}'s app saw is what each ledger counts, each with an assertion of its own`, async () => {
    witness.seen.length = 0;
    const visitor = await Visitor.inside(coalition, login);
    const sessions = await Promise.all(
      nations.map(async (nation) => (await coalition.sessions(nation)).find(({ state }) => state === 'live')),
    );
    await work(visitor);
    for (const [index, nation] of nations.entries())
      await until('a batch is written', async () => (await counted(nation, sessions[index].id)).batches.length > 0);
    const stream = await visitor.watch();
    stream.socket.terminate();
    await visitor.signOut();
    const seen = jtis();
    assert.ok(seen.length > kRequests + kAtOnce);
    assert.equal(new Set(seen).size, seen.length, 'no assertion twice');
    for (const [index, nation] of nations.entries()) {
      const { id } = sessions[index];
      await until(`${nation} has recorded the end`, async () => (await counted(nation, id)).total !== undefined);
      const { batches, total } = await counted(nation, id);
      assert.equal(total, seen.length, `${nation} counts what the app saw`);
      let last = 0;
      for (const [first, until] of batches) {
        assert.equal(first, last + 1, `${nation}: ${JSON.stringify(batches)}`);
        last = until;
      }
      assert.ok(last <= total);
      await coalition.verify(nation);
    }
  });

system('one person has as many sessions at once as the configuration lets them, and others have theirs', async () => {
  const browsers = [];
  for (let i = 0; i < kSessionsMax; i += 1) browsers.push(await Visitor.inside(coalition, 'konrad'));
  const more = await Visitor.in(coalition, 'konrad');
  const refused = await more.openApp();
  assert.equal(refused.status, 503);
  assert.match(refused.body, /You have too many sessions open/);
  await Visitor.inside(coalition, 'lena');
  for (const visitor of browsers) assert.equal((await visitor.go(`${visitor.nation.app}/in`)).status, 200);
});
