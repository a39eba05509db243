// Two nations kept apart while both keep the third: XBB isolates itself from XCC. People of both are inside each
// other's apps when it happens, and everything is tried to get back in.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, skip, system, until } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

const kReason = 'exercise: port records under review';
let coalition, chiara, ingrid, streams;

class Guest extends Visitor {
  static async at(login, ...apps) {
    const guest = new Guest(coalition, login);
    assert.equal((await guest.signIn()).status, 200);
    for (const app of apps) assert.equal((await guest.open(app)).status, 200, `${login} opens ${app}`);
    return guest;
  }

  open(app, path = '/') {
    return this.follow(`${this.nation.apps[app]}${path}`);
  }

  // What one gets who is inside already, or was.
  look(app) {
    return this.go(`${this.nation.apps[app]}/${app === 'cop-xaa' ? 'me' : ''}`);
  }

  lobby() {
    return this.go(`${this.nation.lobby}/`);
  }
}

const isolate = (nation, ...pair) => coalition.cli(nation, 'partner', 'isolate', ...pair, '--reason', kReason);
const served = ({ status }) => [200, 302, 303, 307].includes(status);

async function shutOut(visitor, app) {
  const answer = await visitor.look(app);
  const { status, headers } = answer;
  assert.ok(!served(answer) || /\/enter\?/.test(headers.location), `${app}: ${status} to ${headers.location}`);
  assert.doesNotMatch(answer.body, /EXERCISE RESTRICTED REL/, 'nothing of the app');
}

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(undefined, {
    nations: ['XAA', 'XBB', 'XCC'],
    apps: ['cop-1', 'wiki-1', 'calendar-1'],
  });
  chiara = await Guest.at('chiara', 'cop-xaa', 'wiki-xbb');
  ingrid = await Guest.at('ingrid', 'cop-xaa', 'calendar-xcc');
  streams = [await chiara.watch(), await ingrid.watch()];
});

after(() => coalition?.end());

system('whoever is neither of the two is told who can do it, and changes nothing', async () => {
  const { code, output } = await isolate('XAA', 'XBB', 'XCC');
  assert.notEqual(code, 0);
  assert.match(output, /Aldoria \(XAA\)/);
  assert.match(output, /operator of Borealis \(XBB\) or of Cassia \(XCC\)/);
  for (const pair of [
    ['XBB', 'XBB'],
    ['XBB', 'XDD'],
    ['XDD', 'XDD'],
  ])
    assert.notEqual((await isolate('XBB', ...pair)).code, 0, pair.join(' '));
  assert.equal((await coalition.cli('XBB', 'partner', 'isolate', 'XCC', '--reason', kReason)).code, 2);
  assert.equal((await coalition.partner('XBB', 'XCC')).state, 'active');
  assert.equal((await chiara.look('wiki-xbb')).status, 302);
  assert.ok(served(await ingrid.look('calendar-xcc')));
});

system('a preview counts what would end, and ends nothing', async () => {
  const { code, output } = await coalition.cli('XBB', 'partner', 'isolate', 'XBB', 'XCC', '--preview');
  assert.equal(code, 0, output);
  assert.match(output, /^Would end now: 2 sessions \(XBB 1, XCC 1\)\. Nothing was changed\.$/);
  const counted = await coalition.ask('XBB', 'partner', 'suspend', 'XAA', '--preview');
  assert.deepEqual(counted.sessions_of, { XBB: 1 }, 'ingrid at the map');
  assert.match((await coalition.cli('XAA', 'partner', 'isolate', 'XBB', 'XCC', '--preview')).output, /at their own node/);
  assert.notEqual((await coalition.cli('XBB', 'partner', 'isolate', 'XBB', 'XDD', '--preview')).code, 0);
  for (const other of ['XAA', 'XCC']) assert.equal((await coalition.partner('XBB', other)).state, 'active');
  assert.equal((await chiara.look('wiki-xbb')).status, 302);
  assert.ok(served(await ingrid.look('calendar-xcc')));
});

system("both lose each other's apps at once, and keep XAA's over the same connections", async () => {
  const { code, output } = await isolate('XBB', 'XBB', 'XCC');
  assert.equal(code, 0, output);
  assert.match(output, /XBB and XCC are isolated from each other, 2 sessions ended/);
  await Promise.all([shutOut(chiara, 'wiki-xbb'), shutOut(ingrid, 'calendar-xcc')]);
  const before = streams.map(({ messages }) => messages);
  await until('tracks go on for both', () => streams.every(({ messages }, i) => messages > before[i] + 3));
  for (const guest of [chiara, ingrid]) assert.equal((await guest.look('cop-xaa')).status, 200);
  assert.equal((await coalition.partner('XBB', 'XCC')).state, 'isolated');
  assert.equal((await coalition.partner('XBB', 'XCC')).reason, kReason);
  assert.ok(!(await coalition.sessions('XBB')).some(({ partner: other }) => other === 'XCC'));
  await until('XCC has no session with XBB', async () =>
    (await coalition.sessions('XCC')).every(({ partner: other }) => other !== 'XBB'),
  );
});

system('it is recorded, and both lobbies say why', async () => {
  const { records } = await coalition.ask('XBB', 'ledger', 'show', '--last', '60');
  const leaf = records.findLast(({ class: kind }) => kind === 'partner.isolate');
  assert.ok(leaf.summary.includes(kReason) && leaf.summary.includes('partner=XCC'), leaf.summary);
  assert.ok(records.filter(({ class: kind }) => kind === 'ending').length >= 2);
  for (const guest of [chiara, ingrid]) {
    const page = await guest.lobby();
    assert.ok(page.body.includes(kReason), `the lobby of ${guest.person.nation}`);
    assert.match(page.body, /isolated from each other/);
    assert.doesNotMatch(page.body, /suspen/, 'that is another act');
  }
  const { code, output } = await coalition.cli('XCC', 'doctor');
  assert.notEqual(code, 0, output);
  assert.match(output, /Borealis \(XBB\) and Cassia \(XCC\) are isolated from each other: /);
});

system('signing in again, a node that comes back, a suspension that comes and goes: none lets anybody in', async () => {
  const tried = async () => {
    chiara = await Guest.at('chiara', 'cop-xaa'); // each open sends XBB a new, true statement
    ingrid = await Guest.at('ingrid', 'cop-xaa');
    for (const [guest, app] of [
      [chiara, 'wiki-xbb'],
      [ingrid, 'calendar-xcc'],
    ]) {
      const page = await guest.open(app);
      assert.notEqual(page.status, 200, app);
      assert.match(page.body, /isolated from each other/, app);
      await shutOut(guest, app);
    }
  };
  await tried();
  await coalition.stop('node-xbb', 'SIGKILL');
  await coalition.startAgain('node-xbb');
  await until('the links are back', async () => {
    const links = await Promise.all([coalition.partner('XBB', 'XCC'), coalition.partner('XBB', 'XAA'), coalition.partner('XAA', 'XBB')]);
    return links.every(({ link }) => link === 'both ways');
  });
  assert.equal((await coalition.partner('XBB', 'XCC')).state, 'isolated', 'also after a kill');
  await tried();
  await coalition.ask('XBB', 'partner', 'suspend', 'XCC', '--reason', 'exercise: more');
  assert.equal((await coalition.partner('XBB', 'XCC')).state, 'suspended');
  await coalition.ask('XBB', 'partner', 'resume', 'XCC', '--reason', 'exercise: less');
  assert.equal((await coalition.partner('XBB', 'XCC')).state, 'isolated', 'resuming ends a suspension alone');
  await tried();
});

system('rejoining brings nobody back by itself; who signs in again gets in', async () => {
  assert.notEqual((await coalition.cli('XAA', 'partner', 'rejoin', 'XBB', 'XCC', '--reason', kReason)).code, 0);
  await coalition.ask('XBB', 'partner', 'rejoin', 'XCC', 'XBB', '--reason', 'exercise: review finished');
  assert.equal((await coalition.partner('XBB', 'XCC')).state, 'active');
  assert.notEqual((await chiara.open('wiki-xbb')).status, 200, 'a sign-in from before');
  assert.match((await ingrid.lobby()).body, /data-app="calendar-xcc"[^]*?sign in again to open it/);
  const refused = await ingrid.open('calendar-xcc');
  assert.equal(refused.status, 403);
  assert.match(refused.body, /was shut out after you signed in[^]*data-action="sign-in"/);
  // For all else her sign-in is as good as it was.
  assert.equal((await ingrid.open('cop-xaa')).status, 200);
  await until('cards are back', async () => /wiki-xbb/.test((await (await Guest.at('chiara')).lobby()).body));
  await Guest.at('chiara', 'wiki-xbb');
  await Guest.at('ingrid', 'calendar-xcc');
});

system("another nation's word ends no sign-in at home", async () => {
  const guest = await Guest.at('ingrid', 'wiki-xbb');
  await wait(1100);
  await coalition.ask('XAA', 'partner', 'suspend', 'XBB', '--reason', 'exercise: a moment');
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: over');
  const refused = await until('XAA answers that she has to sign in again', async () => {
    const page = await guest.open('cop-xaa');
    return /[Ss]ign in again/.test(page.body) && page;
  });
  assert.equal(refused.status, 403);
  assert.ok(served(await guest.look('wiki-xbb')));
  assert.match((await guest.lobby()).body, /wiki-xbb/, 'still signed in');
  await Guest.at('ingrid', 'cop-xaa');
  for (const nation of ['XAA', 'XBB', 'XCC'])
    assert.match(await coalition.verify(nation), /chained, signed and complete/);
});
