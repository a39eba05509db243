// Nodes that are killed and started again: whoever may still be inside goes on without signing in, whoever lost
// it meanwhile does not, and what was ended before the kill never comes back.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Coalition, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

let coalition;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start();
});

after(() => coalition?.end());

const live = async (code) => (await coalition.sessions(code)).filter(({ state }) => state === 'live').map(({ id }) => id);
const linked = () =>
  until('link and connector are up', async () => {
    const answers = await Promise.all([
      coalition.cli('XAA', 'partner', 'list', '--json'),
      coalition.cli('XAA', 'connector', 'list', '--json'),
    ]);
    if (answers.some(({ code }) => code !== 0)) return false;
    const [{ partners }, { connectors }] = answers.map(({ output }) => JSON.parse(output));
    return (
      partners.find(({ code }) => code === 'XBB').link === 'both ways' &&
      connectors.every(({ state }) => state === 'up')
    );
  });

async function killAndStart(...names) {
  for (const name of names) await coalition.stop(name, 'SIGKILL');
  for (const name of names) await coalition.startAgain(name);
  await linked();
}

// The app's page with what this browser has, never by way of the provider.
async function goesOn(visitor) {
  const { issuer, app } = visitor.nation;
  return until(`${visitor.person.login} is inside without signing in`, async () => {
    const page = await visitor.follow(`${app}/me`, (address) => address.startsWith(issuer));
    assert.ok(!page.stopped, 'nobody is sent to the provider');
    return page.status === 200 && page;
  });
}

function copyOf(visitor) {
  const copy = new Visitor(coalition, visitor.person.login);
  copy.jar = structuredClone(visitor.jar);
  return copy;
}

// Whatever this browser tries, it is not inside.
async function outside(visitor) {
  const { issuer, app } = visitor.nation;
  for (let i = 0; i < 5; i += 1) {
    const me = await visitor.go(`${app}/me`);
    assert.notEqual(me.status, 200);
    const page = await visitor.follow(`${app}/`, (address) => address.startsWith(issuer));
    assert.ok(page.stopped || page.status !== 200, `${page.status} at ${page.address}`);
  }
}

for (const [what, names] of [
  ["the host's node", ['node-xaa']],
  ["the home's node", ['node-xbb']],
  ['both nodes', ['node-xaa', 'node-xbb']],
]) {
  system(`${what} killed: people go on in their sessions, streams come back`, async () => {
    await linked();
    const people = [await Visitor.inside(coalition, 'konrad'), await Visitor.inside(coalition, 'ingrid')];
    const streams = await Promise.all(people.map((visitor) => visitor.watch()));
    await until('tracks arrive', () => streams.every(({ messages }) => messages > 1));
    const earlier = await live('XAA');
    assert.ok(earlier.length >= 2);
    await killAndStart(...names);
    for (const visitor of people) await goesOn(visitor);
    const again = await Promise.all(people.map((visitor) => visitor.watch()));
    await until('tracks move on the new streams', () => again.every(({ messages }) => messages > 2));
    for (const { socket } of [...streams, ...again]) socket.terminate();
    const now = await live('XAA');
    assert.deepEqual(
      earlier.filter((id) => !now.includes(id)),
      [],
      'each session is the one it was',
    );
    for (const code of ['XAA', 'XBB']) await coalition.verify(code);
  });
}

system('a home node stopped in an orderly way and started: people go on, too', async () => {
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  await coalition.stop('node-xbb');
  await coalition.startAgain('node-xbb');
  await linked();
  await goesOn(ingrid);
});

system('a person whose nation was suspended while it was down: refused, also when it is let in again', async () => {
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  await coalition.stop('node-xbb', 'SIGKILL');
  await coalition.ask('XAA', 'partner', 'suspend', 'XBB', '--reason', 'exercise: while it was down');
  await coalition.startAgain('node-xbb');
  await until('XBB is linked', async () => (await coalition.cli('XBB', 'partner', 'list')).code === 0);
  await outside(ingrid);
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: again');
  await linked();
  await outside(ingrid);
});

system("the app's nation was suspended by the person's while it was down: refused", async () => {
  await new Promise((done) => setTimeout(done, 1100)); // a sign-in is stamped in whole seconds
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  await coalition.stop('node-xaa', 'SIGKILL');
  await coalition.ask('XBB', 'partner', 'suspend', 'XAA', '--reason', 'exercise: while it was down');
  await coalition.startAgain('node-xaa');
  await outside(ingrid);
  const theirs = (await coalition.sessions('XAA')).filter(({ partner, state }) => partner === 'XBB' && state === 'live');
  assert.deepEqual(theirs, []);
  await coalition.ask('XBB', 'partner', 'resume', 'XAA', '--reason', 'exercise: again');
  await linked();
  await new Promise((done) => setTimeout(done, 1100));
});

system('a session that was cut stays cut, however soon the node is killed after the answer', async () => {
  for (const login of ['konrad', 'ingrid']) {
    const visitor = await Visitor.inside(coalition, login);
    const kept = copyOf(visitor);
    const nation = visitor.person.nation;
    const mine = (await coalition.sessions('XAA')).filter(({ partner, state }) => partner === nation && state === 'live');
    const cut = mine.map(({ id }) => id);
    assert.ok(cut.length > 0);
    for (const id of cut) await coalition.ask('XAA', 'session', 'cut', id, '--reason', 'exercise: cut');
    await killAndStart('node-xaa');
    assert.deepEqual(
      (await coalition.sessions('XAA')).filter(({ id }) => cut.includes(id)),
      [],
    );
    const me = await kept.go(`${kept.nation.app}/me`);
    assert.notEqual(me.status, 200, `${login}: the cookie of a session that was cut`);
  }
});

system('who signed out stays out, however soon the node is killed after the answer', async () => {
  for (const login of ['konrad', 'ingrid']) {
    const visitor = await Visitor.inside(coalition, login);
    const kept = copyOf(visitor);
    await visitor.signOut();
    await killAndStart(`node-${visitor.person.nation.toLowerCase()}`);
    await outside(kept);
  }
});

system('a node that is told to let none go on ends all, and says so', async () => {
  const konrad = await Visitor.inside(coalition, 'konrad');
  const path = coalition.config('XAA');
  const config = readJson(path);
  await coalition.stop('node-xaa', 'SIGKILL');
  writeJson(path, { ...config, limits: { ...config.limits, away_max_s: 0 } });
  await coalition.startAgain('node-xaa');
  await linked();
  await outside(konrad);
  // And once ended is ended: also for a start that would let them go on.
  await coalition.stop('node-xaa', 'SIGKILL');
  writeJson(path, config);
  await coalition.startAgain('node-xaa');
  await linked();
  await outside(konrad);
  await coalition.verify('XAA');
});

system('no cookie is on any disk, and no name of a person in a ledger', async () => {
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  const values = [...ingrid.jar.values()].flatMap((kept) => [...kept.values()].map(({ value }) => value));
  const secrets = values.filter((value) => /^[A-Za-z0-9_-]{43}$/.test(value));
  assert.ok(secrets.length >= 2, 'the lobby and the app each set one');
  const { readFileSync, readdirSync } = await import('node:fs');
  const { join } = await import('node:path');
  for (const code of ['XAA', 'XBB']) {
    const { data } = coalition.nation(code);
    const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    for (const entry of files) {
      let bytes;
      try {
        bytes = readFileSync(join(entry.parentPath, entry.name));
      } catch (error) {
        if (error.code === 'ENOENT') continue; // a tile that was only begun gives way to the next
        throw error;
      }
      for (const secret of secrets) assert.equal(bytes.indexOf(secret), -1, `a cookie is in ${entry.name}`);
    }
  }
});
