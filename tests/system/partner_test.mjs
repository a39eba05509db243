// A hostile partner node with true keys, on the link: other partners' sessions, statements that are twisted,
// replayed or left out, nonsense between the control messages, and more of everything than a partner may ask.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, readJson, setLimits, skip, system, until, writeJson } from './coalition.mjs';
import { es256, HostileNode, makeNation } from './hostile_node.mjs';
import { Visitor } from './visitor.mjs';
import { openTls } from './wire.mjs';

const kRequestsPerSecond = 10;
const kAdmissionsPerSecond = 10;
let coalition, folder, cassia, konrad, ingrid, port;
const links = [];

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'entente-partner-'));
  cassia = makeNation('XCC', folder);
  coalition = await Coalition.start((plan) => {
    const path = join(plan, 'genesis-xaa.json');
    const genesis = readJson(path);
    genesis.records['partner/XCC'] = cassia.record;
    genesis.records['mission/harbor-light'].partners.push('XCC');
    genesis.records['app/cop'].offered_to.push('XCC');
    // Two pins while a partner changes its link certificate: the newest is not live yet.
    genesis.records['partner/XBB'].link_thumbprints.push('A'.repeat(43));
    writeJson(path, genesis);
    setLimits(plan, 'XAA', {
      requests_per_partner_per_s: kRequestsPerSecond,
      admissions_per_partner_per_s: kAdmissionsPerSecond,
    });
  });
  port = coalition.nation('XAA').port;
  konrad = await Visitor.inside(coalition, 'konrad');
  ingrid = await Visitor.inside(coalition, 'ingrid');
});

after(async () => {
  for (const link of links) link.hangUp();
  await coalition?.end();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const inside = async (nation) =>
  (await coalition.sessions('XAA')).filter(({ partner, state }) => partner === nation && state === 'live');
// With those that wait for what their home said before.
const standing = async (nation) =>
  (await coalition.sessions('XAA')).filter(({ partner, state }) => partner === nation && ['live', 'held'].includes(state));
const records = async (count = 200) =>
  (await coalition.ask('XAA', 'ledger', 'show', '--last', `${count}`)).records;
const works = async (visitor) => assert.equal((await visitor.go(`${visitor.nation.app}/me`)).status, 200);

let chain = { seq: 0, prev: '' };
async function link() {
  const node = Object.assign(new HostileNode(cassia, port), chain);
  node.epoch = Math.floor(performance.now());
  links.push(node);
  await node.dial();
  return node.control();
}

function done(node) {
  chain = { seq: node.seq, prev: node.prev };
  node.hangUp();
}

system('a link is dialed by any pinned certificate, not the newest alone', async () => {
  const { partners } = await coalition.ask('XAA', 'partner', 'list');
  assert.equal(partners.find(({ code }) => code === 'XBB').link, 'both ways');
});

system("a partner's own session serves it, and another partner's or our own does not", async () => {
  const node = await link();
  const own = await node.admitted();
  const served = await node.request('/me', { 'entente-session': own });
  assert.equal(served.status, 200, 'so refusal below means refusal');
  assert.match(served.body, /XCC/);
  const others = (await coalition.sessions('XAA')).filter(({ partner }) => partner !== 'XCC');
  assert.ok(others.some(({ partner }) => partner === 'XBB') && others.some(({ side }) => side === 'local'));
  for (const { id, partner } of others) {
    const answer = await node.request('/me', { 'entente-session': id });
    assert.equal(answer.status, 403, `a session of ${partner}`);
    assert.equal(answer.body, '');
    assert.doesNotMatch(JSON.stringify(answer.headers), /ingrid|konrad|planner|officer/);
    node.say({ kind: 'end', session: id });
  }
  await node.heardAll();
  const live = new Set((await coalition.sessions('XAA')).filter(({ state }) => state === 'live').map(({ id }) => id));
  for (const { id, partner, state } of others) assert.ok(state !== 'live' || live.has(id), `a session of ${partner}`);
  await works(ingrid);
  await works(konrad);
  done(node);
});

system('statements that are twisted, replayed or out of order let nobody in', async () => {
  const node = await link();
  const first = node.statement();
  assert.ok((await node.ask(first)).session, 'a right one is taken');
  node.took(first);
  const second = node.statement();
  assert.ok((await node.ask(second)).session);
  node.took(second);
  assert.ok((await inside('XCC')).length >= 2);
  const now = Math.floor(Date.now() / 1000);
  const stranger = makeNation('XDD', folder);
  const { keys } = stranger.record.statement_keys;
  // Each is the next of its chain but for what it is named after, and is refused for that.
  const twisted = {
    'an older one again': [() => first, /was followed by others already/],
    'another of a number that was heard': [
      () => node.statement({ claims: { seq: node.seq, prev: 'A'.repeat(43) } }),
      /two different statements of one number/,
    ],
    'another history': [() => node.statement({ claims: { prev: 'A'.repeat(43) } }), /follows another one than we heard/],
    'for another audience': [() => node.statement({ claims: { aud: 'XBB' } }), /for another partner/],
    'from another issuer': [
      () => node.statement({ claims: { iss: 'XBB' }, body: { partner: 'XBB' } }),
      /not from the partner that sent it/,
    ],
    "about another nation's person": [() => node.statement({ body: { partner: 'XBB' } }), /somebody else's matter/],
    'a person of another nationality': [
      () => node.statement({ facts: { nationality: 'XAA' } }),
      /another nation than its issuer's/,
    ],
    'a role that reads like another person': [
      () => node.statement({ facts: { role: ['planner', 'officer, SECRET, of Aldoria (XAA)'] } }),
      /your role cannot be read/,
    ],
    'from the future': [() => node.statement({ claims: { iat: now + 600, exp: now + 900 } }), /from the future/],
    expired: [() => node.statement({ claims: { iat: now - 900, exp: now - 120 } }), /came after its end/],
    'that lives too long': [() => node.statement({ claims: { exp: now + 86_400 } }), /not in its kind's bounds/],
    'with a member nobody knows': [() => node.statement({ claims: { admin: true } }), /claims are not as they must be/],
    'of another kind': [() => node.statement({ claims: { kind: 'membership' } }), /not about a person/],
    'of another type of token': [() => node.statement({ header: { typ: 'JWT' } }), /of another type/],
    'alg none': [() => node.statement({ header: { alg: 'none' } }).replace(/[^.]*$/, ''), /^The token/],
    'HMAC with the public key': [() => node.statement({ header: { alg: 'HS256' } }), /algorithm is not allowed/],
    'a key it brings along': [() => node.statement({ header: { jwk: keys[0] } }), /^The token/],
    "signed with a stranger's key": [
      () => node.statement({ signer: es256(stranger.privateKey) }),
      /signature does not hold/,
    ],
    'no statement at all': [() => 'x.y.z', /./],
  };
  for (const [name, [make, why]] of Object.entries(twisted)) {
    const answer = await node.ask(make());
    assert.ok(answer && !answer.session, `${name}: ${JSON.stringify(answer)}`);
    assert.match(answer.what, why, name);
    // What was signed and in its place has used its number up: the next one stands behind a reset.
    const reset = node.statement({
      claims: { seq: node.seq + 5, prev: 'B'.repeat(43), kind: 'reset', body: { partner: 'XCC' } },
    });
    node.say({ kind: 'resent', statements: [reset] });
    node.took(reset);
    await wait(250); // two of a budget of ten a second
  }
  await until('nobody is inside', async () => (await inside('XCC')).length === 0);
  assert.ok(await node.admitted(), 'a right one is still taken');
  done(node);
});

system('a gap is given up by a signed reset alone: it ends what was before, is recorded, and works once', async () => {
  const node = await link();
  await node.admitted();
  assert.equal((await inside('XCC')).length, 1);
  node.seq += 40; // these were lost, and are no longer kept
  node.prev = 'C'.repeat(43);
  const after = node.statement();
  assert.equal(await node.ask(after, 1500), undefined, 'nobody is admitted over a gap');
  const missing = await until('the missing ones are asked for', () =>
    node.heard.findLast(({ kind }) => kind === 'resend'),
  );
  assert.ok(missing.from < node.seq);
  const reset = node.statement({ claims: { kind: 'reset', body: { partner: 'XCC' } } });
  const forged = node.statement({
    claims: { kind: 'reset', body: { partner: 'XCC' } },
    signer: (bytes) => Buffer.alloc(64, bytes.length),
  });
  node.say({ kind: 'resent', statements: [forged] });
  await node.heardAll();
  assert.deepEqual(
    (await standing('XCC')).map(({ state }) => state),
    ['held'],
    'what is missing may have narrowed, and a forged one does nothing',
  );
  node.say({ kind: 'resent', statements: [reset] });
  node.took(reset);
  await until('the session from before is ended', async () => (await standing('XCC')).length === 0);
  const leaf = (await records()).findLast(({ class: kind }) => kind === 'statements-reset');
  assert.match(leaf.summary, /partner=XCC/);
  await node.admitted();
  node.say({ kind: 'resent', statements: [reset] }); // replayed
  await node.heardAll();
  assert.equal((await inside('XCC')).length, 1, 'a replayed one does nothing');
  done(node);
});

system('nonsense and replays on the control stream cost the partner its own link and nothing else', async () => {
  const stream = await konrad.watch();
  const deep = `${'['.repeat(5000)}`;
  const nonsense = {
    'no JSON': (node) => node.write('GET / HTTP/1.1\r\n\r\n\n'),
    'random bytes': (node) => node.write(Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 37) % 256))),
    'a line without end': (node) => node.write('x'.repeat(3 << 20)),
    'nested without end': (node) => node.write(`${deep}\n`),
    'a doubled member': (node) => node.write('{"v":1,"v":1,"epoch":1,"n":1,"kind":"resync"}\n'),
    'an unknown kind': (node) => node.say({ kind: 'suspend', partner: 'XBB' }),
    'another version': (node) => node.write('{"v":9,"epoch":1,"n":1,"kind":"pulse","at":1}\n'),
    'a number that is none': (node) => node.write('{"v":1,"epoch":-1,"n":1e99,"kind":"pulse","at":1}\n'),
    'too many sessions': (node) =>
      node.say({ kind: 'hello', sessions: Array.from({ length: 9000 }, (_, i) => `s${i}`) }),
    "a host's own messages": (node) => {
      node.say({ kind: 'welcome', sessions: [], held: [] });
      node.say({ kind: 'answer', request: 'x', session: 'y', valid_until: '2030-01-01T00:00:00Z' });
      node.say({ kind: 'partner', state: 'suspended', reason: 'made up' });
    },
    'the same message a thousand times': (node) => {
      const line = JSON.stringify(node.envelope({ kind: 'pulse', at: 1 }));
      node.write(`${line}\n`.repeat(1000));
    },
    'an epoch from long ago': (node) =>
      node.write('{"v":1,"epoch":1,"n":1,"kind":"hello","sessions":[]}\n'),
    'a second control stream': (node) => node.control().catch(() => {}),
  };
  const ends = new Set(['no JSON', 'random bytes', 'a line without end', 'nested without end', 'a doubled member']);
  for (const [name, say] of Object.entries(nonsense)) {
    const node = await link();
    await say(node);
    // What is no message at all, or longer than one may be, ends the link.
    if (ends.has(name)) await until(`${name}: the link is ended`, () => node.session.destroyed);
    else await wait(150);
    assert.ok(!node.heard.some(({ session }) => session), name);
    await works(konrad);
    await works(ingrid);
    done(node);
  }
  const before = stream.messages;
  await until('tracks go on', () => stream.messages > before + 2);
  stream.socket.terminate();
  assert.equal((await inside('XCC')).length, 0);
  const { partners } = await coalition.ask('XAA', 'partner', 'list');
  assert.equal(partners.find(({ code }) => code === 'XBB').state, 'active');
  const node = await link();
  await node.admitted();
  done(node);
});

system("one partner's flood of requests is answered 429; others and our own people go on", async () => {
  const node = await link();
  const own = await node.admitted();
  const size = (await records(1))[0].index;
  const begun = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 600 }, (_, i) => node.request('/me', { 'entente-session': i % 2 ? own : 'made-up' })),
  );
  const seconds = (performance.now() - begun) / 1000;
  const count = (status) => answers.filter((answer) => answer.status === status).length;
  const taken = 600 - count(429);
  assert.ok(count(200) >= 1, 'some are served');
  assert.ok(taken <= (3 + seconds) * kRequestsPerSecond, `${taken} taken in ${seconds} s`);
  assert.match(
    answers.find(({ status }) => status === 429).headers['entente-refusal'],
    /more requests than this one takes from one partner/,
  );
  await works(ingrid);
  await works(konrad);
  const grown = (await records(1))[0].index - size;
  assert.ok(grown < 60 + 10 * seconds, `${grown} records: what is turned away costs none each`);
  await until('it is counted in a summary', async () =>
    (await records()).some(({ class: kind, summary }) => kind === 'refusals' && /over_budget=[1-9]/.test(summary)),
  );
  done(node);
});

system('a person of a partner who asks too fast is told so, as a page with 429', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 * kRequestsPerSecond }, () => ingrid.go(`${ingrid.nation.app}/me`)),
  );
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length > 0, 'beyond the cap');
  assert.match(refused[0].body, /data-refusal="app-down"/);
  await works(konrad);
  await until('a moment later all is well', async () => (await ingrid.go(`${ingrid.nation.app}/me`)).status === 200);
  await wait(1_500); // the whole cap is there again for what follows
});

system("one partner's flood of admissions is turned away without a record each", async () => {
  const node = await link();
  const size = (await records(1))[0].index;
  const begun = performance.now();
  const statement = node.statement(); // a right one, again and again
  for (let i = 0; i < 600; i += 1) node.say({ kind: 'ask', request: `flood-${i}`, statement });
  node.took(statement);
  await until('all are answered', () => node.heard.filter(({ kind }) => kind === 'answer').length >= 600);
  const seconds = (performance.now() - begun) / 1000;
  const grown = (await records(1))[0].index - size;
  assert.ok(grown < 60 + (5 + 3 * seconds) * kAdmissionsPerSecond, `${grown} records in ${seconds} s`);
  await works(ingrid);
  const other = await Visitor.in(coalition, 'ingrid');
  assert.equal((await other.openApp()).status, 200, "another partner's person gets in");
  done(node);
});

system('strangers buy no records: what is refused to them is counted in batches', async () => {
  const size = (await records(1))[0].index;
  const begun = performance.now();
  const stranger = makeNation('XDD', folder);
  for (let i = 0; i < 40; i += 1) {
    const socket = await openTls(port, {
      alpn: [['entente-link/1', 'entente-connector/1'][i % 2]],
      insecure: true,
      key: stranger.key,
      cert: stranger.cert,
    }).catch(() => undefined);
    socket?.destroy();
    const visitor = new Visitor(coalition, 'ingrid');
    await visitor.go(`${visitor.nation.app}/.entente/enter?t=${'x'.repeat(43)}`);
    await visitor.go(`https://lobby.xaa.localhost:${port}/callback?state=${'x'.repeat(43)}&code=y`);
  }
  const grown = (await records(1))[0].index - size;
  const seconds = (performance.now() - begun) / 1000;
  assert.ok(grown < 20 + seconds, `${grown} records for 120 refusals`);
  await until('they are counted', async () =>
    (await records()).some(({ class: kind, summary }) => kind === 'refusals' && /strangers=[1-9]/.test(summary)),
  );
});

system('after all of it both ledgers verify', async () => {
  for (const nation of ['XAA', 'XBB'])
    assert.match(await coalition.verify(nation), /chained, signed and complete/);
});
