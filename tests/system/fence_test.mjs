// The store is down though the disk has room: locked, taken away. Whatever narrows acts at once, says that it is
// fenced and not yet durable, and becomes durable by itself; nothing widens meanwhile; sessions go on.
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, skip, system, until } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

const kReason = 'exercise: the store is down';
let coalition, database;

async function begin() {
  coalition = await Coalition.start();
  database = join(coalition.nation('XAA').data, 'store', 'store.db');
}

async function verified() {
  for (const nation of ['XAA', 'XBB'])
    assert.match(await coalition.verify(nation), /chained, signed and complete/);
}

before(async () => {
  if (!skip) await begin();
});

after(() => coalition?.end());

// Runs `work` while nobody can write to the store of XAA; answers what it answers.
async function locked(work) {
  const { DatabaseSync } = await import('node:sqlite');
  const holder = new DatabaseSync(database);
  holder.exec('PRAGMA busy_timeout = 10000'); // the node may be writing just now
  holder.exec('BEGIN EXCLUSIVE');
  try {
    return await work();
  } finally {
    holder.exec('ROLLBACK');
    holder.close();
  }
}

async function takenAway(work) {
  renameSync(database, `${database}.away`);
  try {
    return await work();
  } finally {
    renameSync(`${database}.away`, database);
  }
}

async function fenced(...verb) {
  const word = verb[0] === 'grant' ? '--words' : '--reason';
  const { code, output } = await coalition.cli('XAA', ...verb, word, kReason, '--json');
  assert.equal(code, 1, output);
  const { error } = JSON.parse(output);
  assert.equal(error.code, 'node.fenced-not-durable', output);
  assert.match(error.what, /is fenced, not yet durable/);
}

const durable = (what, done) => until(`${what} is durable by itself`, done, 20_000);
const doctor = async () => (await coalition.cli('XAA', 'doctor')).output;

// Nothing more arrives once `narrow` has answered, though nothing is on the disk.
async function silences(stream, narrow) {
  await until('tracks arrive', () => stream.messages > 1);
  await narrow();
  await wait(50); // what was already in this process' own buffers
  const received = stream.messages;
  await wait(1200);
  assert.equal(stream.messages, received, 'no track after the answer');
}

for (const [name, down] of Object.entries({ locked, 'taken away': takenAway })) {
  system(`the store ${name}: a suspension acts at once and is durable when the store is back`, async () => {
    const ingrid = await Visitor.inside(coalition, 'ingrid');
    const konrad = await Visitor.inside(coalition, 'konrad');
    const [theirs, ours] = [await ingrid.watch(), await konrad.watch()];
    await down(async () => {
      await silences(theirs, () => fenced('partner', 'suspend', 'XBB'));
      assert.equal((await coalition.partner('XAA', 'XBB')).state, 'fenced');
      assert.match(await doctor(), /fenced, not yet durable/);
      assert.notEqual((await ingrid.go(`${ingrid.nation.app}/`)).status, 200);
      const before = ours.messages;
      await until('our own people go on', () => ours.messages > before + 3);
    });
    await durable('the suspension', async () => (await coalition.partner('XAA', 'XBB')).state === 'suspended');
    await theirs.closed;
    await coalition.stop('node-xaa', 'SIGKILL');
    await coalition.startAgain('node-xaa');
    assert.equal((await coalition.partner('XAA', 'XBB')).state, 'suspended', 'also after a kill');
    await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', kReason);
    await until('the link and the connector are back', async () => {
      const { connectors } = await coalition.ask('XAA', 'connector', 'list');
      return (
        (await coalition.partner('XAA', 'XBB')).link === 'both ways' && connectors.some(({ state }) => state === 'up')
      );
    });
  });
}

system('isolating acts at once, too, whatever the store says', async () => {
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  const stream = await ingrid.watch();
  await locked(async () => {
    await silences(stream, () => fenced('partner', 'isolate', 'XAA', 'XBB'));
    assert.equal((await coalition.partner('XAA', 'XBB')).state, 'fenced');
  });
  await durable('the isolation', async () => (await coalition.partner('XAA', 'XBB')).state === 'isolated');
  await coalition.ask('XAA', 'partner', 'rejoin', 'XAA', 'XBB', '--reason', kReason);
});

system('a suspension that is not durable is given up by resuming, once the store is back', async () => {
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  const stream = await ingrid.watch();
  await locked(async () => {
    await silences(stream, () => fenced('partner', 'suspend', 'XBB'));
    const { code } = await coalition.cli('XAA', 'partner', 'resume', 'XBB', '--reason', kReason);
    assert.equal(code, 1, 'nothing widens while the store is down');
    assert.equal((await coalition.partner('XAA', 'XBB')).state, 'fenced');
  });
  await durable('the suspension', async () => (await coalition.partner('XAA', 'XBB')).state === 'suspended');
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', kReason);
});

system('cutting a session acts at once, and nobody gets in while admissions cannot be kept', async () => {
  let entering, told;
  const ingrid = await until('inside again', () => Visitor.inside(coalition, 'ingrid').catch(() => undefined));
  const stream = await ingrid.watch();
  const waiting = await Visitor.in(coalition, 'ingrid');
  const live = async () => (await coalition.sessions('XAA')).filter(({ state }) => state === 'live').map(({ id }) => id);
  const cut = (await coalition.sessions('XAA')).findLast(({ partner: nation }) => nation === 'XBB'); // the newest
  await locked(async () => {
    await silences(stream, () => coalition.ask('XAA', 'session', 'cut', cut.id, '--reason', kReason));
    await stream.closed;
    const before = new Set(await live());
    entering = waiting.openApp().then(({ status }) => (told = status), () => {});
    const { code } = await coalition.cli('XAA', 'connector', 'add', 'late-1', '--apps', 'cop');
    assert.equal(code, 1, 'a new connector is not expected before that is written');
    await wait(500);
    assert.notEqual(told, 200, 'whoever comes now waits, or is refused');
    assert.deepEqual((await live()).filter((id) => !before.has(id)), [], 'no session begins');
  });
  await entering;
  await until('she gets in', async () => (await waiting.openApp().catch(() => undefined))?.status === 200, 30_000);
});

async function asksForTheMap(visitor) {
  const id = await visitor.asksFor('cop-xaa', 'exercise');
  await until('it has come', async () => (await coalition.ask('XAA', 'request', 'ls')).requests.length > 0);
  return id;
}

system('a grant taken back is gone at once', async () => {
  const maren = await Visitor.in(coalition, 'maren');
  const id = await asksForTheMap(maren);
  await coalition.answer('XAA', 'request', 'approve', id);
  assert.equal((await maren.openApp()).status, 200);
  const stream = await maren.watch();
  await locked(async () => {
    await silences(stream, () => fenced('grant', 'revoke', id));
    assert.notEqual((await maren.go(`${maren.nation.app}/`)).status, 200);
  });
  await durable('the revocation', async () => /^(?!.*not yet durable)/s.test(await doctor()));
  await stream.closed;
  assert.deepEqual((await coalition.ask('XAA', 'grant', 'ls')).grants, []);
});

system('what a phase permits waits for the store, what a threat refuses does not', async () => {
  const maren = await Visitor.in(coalition, 'maren');
  await locked(async () => {
    await fenced('mission', 'phase', 'Harbor Light', 'execution');
    assert.equal((await maren.openApp()).status, 403, 'nothing widens while the store is down');
  });
  await until('the phase is durable by itself', async () => (await maren.openApp()).status === 200, 20_000);
  const stream = await maren.watch();
  await locked(() => silences(stream, () => fenced('mission', 'threat', 'Harbor Light', 'high')));
  await stream.closed;
  const said = () => coalition.ask('XBB', 'mission', 'show', 'Harbor Light');
  await until('Borealis is told once it is durable', async () => (await said()).threat === 'high', 20_000);
  await coalition.ask('XAA', 'mission', 'threat', 'Harbor Light', 'low', '--reason', kReason);
  await coalition.ask('XAA', 'mission', 'phase', 'Harbor Light', 'planning', '--reason', kReason);
});

system('cutting a connector disconnects it at once, and it does not come back', async () => {
  const konrad = await Visitor.inside(coalition, 'konrad');
  const stream = await konrad.watch();
  const gone = async () => (await coalition.ask('XAA', 'connector', 'list')).connectors;
  await locked(async () => {
    await silences(stream, () => fenced('connector', 'cut', 'cop-1'));
    assert.deepEqual(await gone(), []);
    assert.equal((await konrad.go(`${konrad.nation.app}/me`)).status, 503);
  });
  await durable('the cut', async () => /^(?!.*not yet durable)/s.test(await doctor()));
  await coalition.stop('node-xaa', 'SIGKILL');
  await coalition.startAgain('node-xaa');
  await wait(3500); // the connector dials again, at pauses of at most 1.5 s
  assert.deepEqual(await gone(), []);
  const again = await coalition.cli('XAA', 'connector', 'cut', 'cop-1', '--reason', 'again');
  assert.equal(again.code, 1);
});

system('withdrawing an app acts at once: its card is gone on both sides, who is inside is held, and cut once it is durable', async () => {
  // With a connector again.
  await verified();
  await coalition.end();
  await begin();
  const konrad = await Visitor.inside(coalition, 'konrad');
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  const streams = [await konrad.watch(), await ingrid.watch()];
  const inside = async () => (await coalition.sessions('XAA')).filter(({ app }) => app === 'XAA/cop');
  const endings = async () =>
    (await coalition.ask('XAA', 'ledger', 'show', '--last', '200')).records.filter(({ class: kind }) => kind === 'ending').length;
  const card = async (visitor) =>
    (await visitor.go(`${visitor.nation.lobby}/`)).body.includes('data-app="cop-xaa"');
  await until('both see the card', async () => (await card(konrad)) && card(ingrid));
  await locked(async () => {
    const [were, ended] = [await inside(), await endings()];
    assert.ok(were.length >= 2);
    await until('tracks arrive for her, too', () => streams[1].messages > 1);
    await silences(streams[0], () => fenced('app', 'withdraw', 'cop'));
    const held = await inside();
    assert.deepEqual(held.map(({ id, state }) => [id, state]), were.map(({ id }) => [id, 'held']), 'held, and not gone');
    assert.equal(await endings(), ended, 'nor does the record say so');
    assert.equal(await card(konrad), false);
    assert.ok(await card(ingrid), 'theirs goes with the commit: what it ends there nobody takes back');
    assert.notEqual((await ingrid.openApp()).status, 200, 'and opens nothing');
  });
  await until('theirs goes too', async () => !(await card(ingrid)));
  await durable('the withdrawal', async () => /^(?!.*not yet durable)/s.test(await doctor()));
  await Promise.all(streams.map(({ closed }) => closed));
  assert.deepEqual(await inside(), []);
  for (const visitor of [konrad, ingrid])
    assert.match((await visitor.go(`${visitor.nation.lobby}/`)).body, /Aldoria \(XAA\) has withdrawn [^:]+: exercise: the store is down/);
  await coalition.stop('node-xaa', 'SIGKILL');
  await coalition.startAgain('node-xaa');
  const { apps } = await coalition.ask('XAA', 'app', 'list');
  assert.deepEqual(apps.find(({ app }) => app === 'XAA/cop').offered_to, []);
});

system('after all of it both ledgers verify', verified);
