// Requests and grants from the operators' side: what waits, approving and refusing on the command line, taking a
// grant back while somebody is inside; and operators who may not, or who ask for themselves.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, command, program, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

const kPurpose = 'exercise: how many stations are open';
const kOperator = 'operator/lena.brandtner';
let coalition, maren;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(asksAtHome);
  maren = await Visitor.in(coalition, 'maren');
});

after(() => coalition?.end());

// Logistics staff of Aldoria's own have to ask, as analysts do; and the operator's record does not say who she is.
function asksAtHome(plan) {
  const genesis = join(plan, 'genesis-xaa.json');
  const { [kOperator]: lena, ...others } = readJson(genesis).records;
  const { person, ...unnamed } = lena;
  writeJson(genesis, { ...readJson(genesis), records: { ...others, [kOperator]: unnamed } });
  const path = join(plan, 'policies/xaa/host/cop.cedar');
  const policies = readFileSync(path, 'utf8')
    .replaceAll('["planner", "officer", "logistics"]', '["planner", "officer"]')
    .replaceAll('principal.roles.contains("analyst")', 'principal.roles.containsAny(["analyst", "logistics"])');
  writeFileSync(path, policies);
}

async function asks(visitor, app = 'cop-xaa') {
  const id = await visitor.asksFor(app, kPurpose);
  await until('the request has come to its owner', async () => (await requests()).some((one) => one.id === id));
  return id;
}

const requests = async (...flags) => (await coalition.ask('XAA', 'request', 'ls', ...flags)).requests;
const grants = async () => (await coalition.ask('XAA', 'grant', 'ls')).grants;
const refused = async (...verb) => {
  const { code, output } = await coalition.cli('XAA', ...verb, '--json');
  assert.equal(code, 1, output);
  return JSON.parse(output).error;
};
const told = async (id) => /data-state="([a-z]+)"/.exec((await maren.go(`${maren.nation.lobby}/requests/${id}`)).body)?.[1];

system('an operator sees what waits and what approving opens, and approves', async () => {
  const id = await asks(maren);
  const [request] = await requests();
  assert.equal(request.id, id);
  assert.equal(request.who, 'analyst, SECRET, of Borealis (XBB)');
  assert.equal(request.purpose, kPurpose);
  assert.equal(request.app, 'XAA/cop');
  assert.equal(request.approvals_needed, 1);
  assert.equal(request.may_answer, true);
  assert.equal(request.preview.opens, true);
  const table = await coalition.cli('XAA', 'request', 'ls');
  assert.match(table.output, /REQUEST .*WHO.*WAITS UNTIL/);
  assert.match(table.output, new RegExp(`${id} +XAA/cop +XBB +analyst, .*0 of 1 +2`));
  for (const line of table.output.split('\n')) assert.ok([...line].length <= 100, `a line of ${[...line].length}: ${line}`);
  const shown = await coalition.cli('XAA', 'request', 'show', id);
  assert.ok(shown.output.includes(request.seen), 'what is to be said back');
  assert.ok(shown.output.includes(kPurpose) && shown.output.includes(request.who));
  assert.match(shown.output, /opens +until 2/);
  assert.equal((await refused('request', 'show', 'A'.repeat(22))).code, 'api.not-found');
  assert.deepEqual(await requests('--after', 'zzz'), [], 'nothing is behind the last');
  assert.deepEqual((await requests('--all')).map((one) => one.id).includes(id), true);
  assert.equal((await refused('request', 'ls', '--after', 'z'.repeat(300))).code, 'field.value');
  assert.equal((await refused('request', 'approve', id, '--seen', 'A'.repeat(43))).code, 'access.changed');
  assert.equal((await maren.openApp()).status, 403);

  const answer = await coalition.answer('XAA', 'request', 'approve', id, '--words', 'exercise: for the evening report');
  assert.equal(answer.state, 'granted');
  assert.match(answer.text, /granted: XAA\/cop is open to this person of XBB until /);
  const why = await coalition.ask('XAA', 'why', answer.verdict);
  assert.equal(why.permit, true);
  await until('her page knows', async () => (await told(id)) === 'granted');
  assert.equal((await maren.openApp()).status, 200);
  assert.deepEqual(await requests(), []);
  assert.equal((await requests('--all')).find((one) => one.id === id).approvals[0].by, kOperator);
  const [grant] = await grants();
  assert.deepEqual([grant.id, grant.state, grant.used, grant.sessions], [id, 'given', 1, 1]);
  assert.deepEqual(grant.approved_by, [kOperator]);
  assert.equal((await refused('request', 'approve', id, '--seen', request.seen)).code, 'access.over');
});

system('revoking cuts the session it opened', async () => {
  const stream = await maren.watch();
  await until('tracks arrive', () => stream.messages > 1);
  const [{ id }] = await grants();
  const answer = await coalition.ask('XAA', 'grant', 'revoke', id, '--words', 'exercise: over');
  assert.equal(answer.durable, true);
  assert.equal(answer.sessions, 1);
  assert.match(answer.text, /the grant for XAA\/cop is taken back, 1 session ended/);
  await stream.closed;
  await until('she is refused', async () => (await maren.openApp()).status === 403); // 503 while the home is told
  assert.deepEqual(await grants(), []);
  await until('her page knows', async () => (await told(id)) === 'revoked');
  assert.match((await maren.go(`${maren.nation.lobby}/requests/${id}`)).body, /exercise: over/);
  assert.equal((await refused('grant', 'revoke', id)).code, 'api.not-found');
  await coalition.verify('XAA');
});

system('denied with a word, the asker reads it', async () => {
  const id = await asks(maren);
  const answer = await coalition.answer('XAA', 'request', 'deny', id, '--words', 'exercise: ask your own staff');
  assert.equal(answer.state, 'denied');
  await until('her page knows', async () => (await told(id)) === 'denied');
  assert.match((await maren.go(`${maren.nation.lobby}/requests/${id}`)).body, /exercise: ask your own staff/);
  assert.equal((await refused('request', 'deny', id, '--seen', 'x', '--words', 'again')).code, 'access.over');
  assert.equal((await refused('request', 'approve', 'nothing', '--seen', 'x')).code, 'api.not-found');
  assert.equal((await refused('request', 'approve', id, '--seen', 'x', '--words', 'two\nlines')).code, 'field.value');
});

const signedInAnew = async () => {
  await wait(1100); // a sign-in is stamped in whole seconds
  maren = await Visitor.in(coalition, 'maren');
};
const given = async (id) => (await grants()).find((one) => one.id === id);

system('a grant of a partner that left: who was in by it is out, and it opens nothing when they come back', async () => {
  await signedInAnew();
  const id = await asks(maren);
  await coalition.answer('XAA', 'request', 'approve', id);
  await until('her page knows', async () => (await told(id)) === 'granted');
  assert.equal((await maren.openApp()).status, 200);
  const stream = await maren.watch();
  await until('tracks arrive', () => stream.messages > 1);
  const { used, uses } = { uses: 20, ...(await given(id)) };
  assert.ok(used < uses, 'it is not used up');

  await coalition.ask('XAA', 'partner', 'suspend', 'XBB', '--reason', 'exercise: it left');
  await stream.closed;
  assert.notEqual((await maren.openApp()).status, 200);
  await signedInAnew();
  assert.notEqual((await maren.openApp()).status, 200, 'nor after signing in anew');

  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: it came back');
  await signedInAnew();
  const refusal = await until('the link is up', async () => {
    const page = await maren.openApp();
    return page.status === 403 && page;
  });
  assert.match(refusal.body, /data-action="ask"/, 'it is to be asked for again');
  assert.equal(await given(id), undefined, 'no list says that it holds');
  await until('her page knows', async () => (await told(id)) === 'revoked');
  assert.match((await maren.go(`${maren.nation.lobby}/requests/${id}`)).body, /ended when Borealis[^<]* was shut out/);
  assert.doesNotMatch(refusal.body, /data-map/);
  assert.ok(!(await coalition.sessions('XAA')).some(({ partner, state }) => partner === 'XBB' && state === 'live'));
  const again = await asks(maren);
  assert.notEqual(again, id);
  await coalition.answer('XAA', 'request', 'approve', again);
  await until('her page knows', async () => (await told(again)) === 'granted');
  assert.equal((await maren.openApp()).status, 200, 'a new one opens it');
  await coalition.ask('XAA', 'grant', 'revoke', again, '--words', 'exercise: over');
  await coalition.verify('XAA');
});

const connectorThumbprint = () => {
  const { raw } = new X509Certificate(readFileSync(coalition.file('connector-cop-1', 'connector-certificate.pem')));
  return createHash('sha256').update(raw).digest('base64url');
};

system('a membership that ends with a grant open: the same, with nobody doing anything', async () => {
  // Long enough for a slow machine to get in before it ends.
  for (let seconds = 15; ; seconds *= 2) {
    const end = new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
    await foundedAgain((records) => {
      records['partner/XBB'].member_until = end;
      records['connector/cop-1'] = { thumbprint: connectorThumbprint(), apps: ['cop'], end: 'now+1d' };
    });
    await until('the connector is back', async () => (await coalition.ask('XAA', 'connector', 'list')).connectors[0].state === 'up');
    await signedInAnew();
    const id = await asks(maren).catch(() => undefined);
    if (id) await coalition.answer('XAA', 'request', 'approve', id).catch(() => {});
    if (id) await until('her page knows', async () => (await told(id)) === 'granted').catch(() => {});
    const page = await maren.openApp();
    const stream = page.status === 200 ? await maren.watch().catch(() => undefined) : undefined;
    if (!stream && seconds < 120) continue;
    assert.ok(stream, 'she is inside before it ends');
    await stream.closed;
    assert.ok(Date.now() >= Date.parse(end) - 1000, 'by then, and for no other reason');
    assert.notEqual((await maren.openApp()).status, 200);
    await signedInAnew();
    assert.notEqual((await maren.openApp()).status, 200);
    break;
  }
  await foundedAgain((records) => (records['partner/XBB'].member_until = 'now+180d'));
});

// Founds XAA's node again with other records, as a new genesis does: its keys stay.
async function foundedAgain(change) {
  await coalition.stop('node-xaa');
  const path = coalition.file('coalition', 'genesis-xaa.json');
  const genesis = readJson(path);
  change(genesis.records);
  writeJson(path, genesis);
  const { data } = readJson(coalition.config('XAA'));
  for (const name of readdirSync(data)) if (name !== 'keys') rmSync(join(data, name), { recursive: true });
  const [key, out] = [coalition.file('nation-xaa.pem'), coalition.file('genesis-xaa.jws')];
  const signed = await command([program, 'genesis', 'sign', '--key', key, '--in', path, '--out', out]);
  assert.equal(signed.code, 0, signed.output);
  const founded = await coalition.cli('XAA', 'node', 'init', '--genesis', out);
  assert.equal(founded.code, 0, founded.output);
  await coalition.startAgain('node-xaa');
}

system('attack: an operator approves nothing of their own, and an auditor nothing at all', async () => {
  let lena = await Visitor.in(coalition, 'lena');
  const first = await asks(lena);
  const { person, seen } = (await requests()).find(({ id }) => id === first);
  // Whoever is not known to be somebody else may be the one who asks.
  const unnamed = await refused('request', 'approve', first, '--seen', seen);
  assert.equal(unnamed.code, 'access.refused');
  assert.match(unnamed.what, /cannot be told whether you are the one who asked/);
  await foundedAgain((records) => (records[kOperator].person = person));
  lena = await Visitor.in(coalition, 'lena');
  // In her name, and in nobody else's, a colleague answers for a while.
  const add = ['delegation', 'add', 'cop', 'p-a-colleague', '--minutes'];
  assert.equal((await refused(...add, '0')).code, 'field.value');
  const { id, text } = await coalition.ask('XAA', ...add, '60');
  assert.match(text, /Nobody with this id is signed in here now/);
  const { delegations } = await coalition.ask('XAA', 'delegation', 'ls');
  assert.deepEqual(
    delegations.map(({ id: one, app, from, to, state }) => [one, app, from, to, state]),
    [[id, 'XAA/cop', person, 'p-a-colleague', 'given']],
  );
  await coalition.ask('XAA', 'delegation', 'end', id);
  assert.deepEqual((await coalition.ask('XAA', 'delegation', 'ls')).delegations, []);
  assert.equal((await refused('delegation', 'end', id)).code, 'api.not-found');
  const own = await asks(lena);
  const shown = (await requests()).find(({ id }) => id === own);
  assert.equal(shown.may_answer, false);
  const refusal = await refused('request', 'approve', own, '--seen', shown.seen);
  assert.equal(refusal.code, 'access.refused');
  assert.match(refusal.what, /Nobody approves what they asked for themselves/);
  await foundedAgain((records) => Object.assign(records[kOperator], { roles: ['auditor'], person: 'p-somebody-else' }));
  lena = await Visitor.in(coalition, 'lena');
  const other = await asks(lena);
  assert.equal((await requests()).find(({ id }) => id === other).may_answer, false, 'an auditor reads');
  for (const verb of ['approve', 'deny'])
    assert.equal((await refused('request', verb, other, '--seen', 'x')).code, 'operator.denied');
  assert.equal((await requests()).find(({ id }) => id === other).state, 'open');
});
