// Aldoria's node knows no address of Borealis' to dial: Borealis dials for both. What people of each nation open at the
// other's, and what a suspension by either takes away, is the same.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

const kReason = 'exercise: the other way round';
let coalition, konrad, ingrid;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(
    (plan) => {
      const path = join(plan, 'genesis-xaa.json');
      const genesis = readJson(path);
      assert.ok(genesis.records['partner/XBB'].link_address, 'there was an address');
      delete genesis.records['partner/XBB'].link_address;
      writeJson(path, genesis);
    },
    { apps: ['cop-1', 'wiki-1'] },
  );
});

after(() => coalition?.end());

const wiki = (visitor) => visitor.nation.apps['wiki-xbb'];
// Each in the other's app: Konrad reads Borealis' wiki, Ingrid watches Aldoria's map.
async function inside() {
  konrad = await Visitor.in(coalition, 'konrad');
  const page = await konrad.follow(`${wiki(konrad)}/wiki?name=Harbor+Light`);
  assert.equal(page.status, 200, page.body.slice(0, 300));
  assert.match(page.body, /EXERCISE RESTRICTED REL/);
  ingrid = await Visitor.inside(coalition, 'ingrid');
  const stream = await ingrid.watch();
  await until('tracks arrive', () => stream.messages > 2);
  return stream;
}

const reads = () => konrad.go(`${wiki(konrad)}/wiki?name=Harbor+Light`);
const live = async (nation, of) =>
  (await coalition.sessions(nation)).filter(({ partner, state, side }) => partner === of && state === 'live' && side === 'host');
const linked = () =>
  until('both ways are up', async () => {
    const links = await Promise.all([coalition.partner('XAA', 'XBB'), coalition.partner('XBB', 'XAA')]);
    return links.every(({ link }) => link === 'both ways');
  }, 30_000);

// Neither reads nor watches, and no way in.
async function outside(stream) {
  await stream.closed;
  const page = await reads();
  assert.equal(page.status, 403);
  assert.doesNotMatch(page.body, /EXERCISE RESTRICTED REL/);
  assert.equal((await ingrid.go(`${ingrid.nation.app}/me`)).status, 403);
  assert.notEqual((await konrad.follow(`${wiki(konrad)}/`)).status, 200);
  assert.notEqual((await ingrid.openApp()).status, 200);
  await until('no session of either is live', async () => {
    const [theirs, ours] = [await live('XAA', 'XBB'), await live('XBB', 'XAA')];
    return theirs.length === 0 && ours.length === 0;
  });
}

async function resumed(nation, other) {
  await wait(1100); // a sign-in is stamped in whole seconds
  await coalition.ask(nation, 'partner', 'resume', other, '--reason', kReason);
  await linked();
  await wait(1100);
}

system('people of both nations are in each other\'s apps though one node dials for both', async () => {
  await linked();
  const stream = await inside();
  assert.equal((await live('XBB', 'XAA')).length, 1, "Aldoria's people go over what Borealis dialed");
  assert.equal((await live('XAA', 'XBB')).length, 1);
  stream.socket.terminate();
});

system('Borealis suspends Aldoria: its reader of our wiki is out at once, and our people of their map', async () => {
  const stream = await inside();
  const answer = await coalition.ask('XBB', 'partner', 'suspend', 'XAA', '--reason', kReason);
  assert.equal(answer.durable, true);
  assert.deepEqual(await live('XBB', 'XAA'), [], 'before the answer');
  await outside(stream);
  await resumed('XBB', 'XAA');
});

system('Aldoria, which cannot dial, suspends Borealis: the same', async () => {
  const stream = await inside();
  await coalition.ask('XAA', 'partner', 'suspend', 'XBB', '--reason', kReason);
  assert.deepEqual(await live('XAA', 'XBB'), []);
  await outside(stream);
  await resumed('XAA', 'XBB');
});

system('either node is killed: both ways come back, dialed by the one that can', async () => {
  for (const name of ['node-xaa', 'node-xbb']) {
    await coalition.stop(name, 'SIGKILL');
    await coalition.startAgain(name);
    await linked();
  }
  const stream = await until('both are inside', () => inside().catch(() => undefined), 30_000);
  stream.socket.terminate();
  for (const nation of ['XAA', 'XBB']) await coalition.verify(nation);
});
