// A node's wall clock runs a day ahead and is put right: people are locked out until somebody who may says that it
// is right, then they come in anew; what ended meanwhile stays ended.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { after, before } from 'node:test';
import { Coalition, preload, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

const kDayS = 86_400;
const shim = process.env.ENTENTE_LEAPING_CLOCK; // tests/system/leaping_clock.cpp, built
const clocked = (name, run) => system(name, shim ? run : (test) => test.skip('ENTENTE_LEAPING_CLOCK names no library'));

let coalition;

const leap = (nation, seconds) =>
  writeFileSync(coalition.file(`clock-${nation.toLowerCase()}`), `${seconds}\n`, { mode: 0o600 });
const clock = (nation) => coalition.ask(nation, 'clock', 'show');

before(async () => {
  if (skip || !shim) return;
  coalition = await Coalition.start((plan) => {
    preload(plan, shim, 'ENTENTE_TEST_CLOCK=${folder}/clock-{nation}');
    const genesis = join(plan, 'genesis-xbb.json');
    const records = readJson(genesis);
    const operator = Object.values(records.records ?? records).find(({ uids }) => uids);
    operator.roles = ['auditor']; // reads everything and changes nothing
    operator.end = 'now+12h'; // by the day ahead their time is over
    writeJson(genesis, records);
    const host = join(plan, 'genesis-xaa.json');
    const led = readJson(host);
    const all = led.records ?? led;
    const { 'mission/harbor-light': harborLight } = readJson(join(plan, 'members.json'));
    all['mission/night-watch'] = { ...harborLight, name: 'Night Watch', partners: ['XAA'], end: 'now+12h' };
    writeJson(host, led);
  });
});

after(() => coalition?.end());

function copyOf(visitor) {
  const copy = new Visitor(coalition, visitor.person.login);
  copy.jar = structuredClone(visitor.jar);
  return copy;
}

const inside = async (visitor) => (await visitor.go(`${visitor.nation.app}/me`)).status === 200;

// Signed in anew and at the app's door: what it answers.
async function comesIn(login) {
  const visitor = new Visitor(coalition, login);
  await visitor.signIn();
  return { visitor, page: await visitor.openApp() };
}

const stepsSeen = (nation) => coalition.log(`node-${nation.toLowerCase()}`).split('exchange.clock-stepped').length;

// What operators look at, each thing that there is.
const kNames = { '/v1/missions/{}': 'harbor-light', '/v1/ledger/{}': '0' };
const looks = Object.entries(readJson(new URL('../../docs/openapi.json', import.meta.url)).paths)
  .filter(([path, calls]) => calls.get && !path.endsWith('/preview') && path !== '/v1/clock')
  .map(([path]) => path.replace(/\{[^}]*\}/, '{}'))
  .map((path) => path.replace('{}', kNames[path] ?? 'x'));

async function look(nation, path) {
  const { operators_socket: socketPath } = readJson(coalition.config(nation));
  const asked = request({ socketPath, path, headers: { host: 'localhost' } }).end();
  const [answer] = await once(asked, 'response');
  return { status: answer.statusCode, body: await json(answer) };
}

async function leapAndBack(nation) {
  const before = stepsSeen(nation);
  leap(nation, kDayS);
  await until('the node sees the day ahead', () => stepsSeen(nation) > before);
  leap(nation, 0);
  // Until it looks at the file again, operators whose time ends within the day are refused.
  await until('the node sees that the clock is right again', async () => {
    const { code, output } = await coalition.cli(nation, 'clock', 'show', '--json');
    return code === 0 && JSON.parse(output).ahead_s > kDayS / 2;
  });
}

clocked('nothing is to be accepted while the clock is right', async () => {
  const said = await coalition.cli('XAA', 'clock', 'accept', '--reason', 'exercise: nothing is wrong', '--json');
  assert.notEqual(said.code, 0);
  assert.match(said.output, /clock\.not-behind/);
});

clocked('a clock a day ahead is put right: locked out, accepted, in again, and what ended stays ended', async () => {
  const konrad = await Visitor.inside(coalition, 'konrad');
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  const kept = copyOf(konrad);
  await leapAndBack('XAA');
  assert.match(coalition.log('node-xaa'), /exchange\.clock-behind/);
  for (const visitor of [konrad, ingrid]) await until('what was open has ended', async () => !(await inside(visitor)));
  const shown = await kept.go(`${kept.nation.lobby}/`);
  assert.doesNotMatch(shown.body, /data-app|sign-out/, 'a sign-in that has ended by what was seen shows no cards');
  const refused = await comesIn('konrad');
  assert.equal(refused.page.status, 503, 'nobody comes in before somebody says so');
  assert.match(refused.page.body, /Nothing is wrong with your rights.*exchange\.clock-behind/s);
  assert.doesNotMatch((await refused.visitor.go(`${kept.nation.lobby}/`)).body, /sign-out/, 'nor is signed in');
  const over = await coalition.cli('XAA', 'mission', 'phase', 'night-watch', 'recovery', '--reason', 'exercise', '--json');
  assert.match(over.output, /mission\.over/, 'what had ended by then is over for operators, too');
  // Let in again in the time that was seen: that is not what they wait for once the clock is right.
  await coalition.ask('XAA', 'partner', 'suspend', 'XBB', '--reason', 'exercise: while the clock is ahead');
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: while the clock is ahead');
  const said = await coalition.ask('XAA', 'clock', 'accept', '--reason', 'exercise: the time server was wrong');
  assert.equal((await clock('XAA')).ahead_s, 0);
  const why = await coalition.cli('XAA', 'why', said.verdict);
  assert.match(why.output, /the time server was wrong/);
  for (const copy of [kept, refused.visitor]) {
    const page = await copy.follow(`${copy.nation.app}/`, (address) => address.startsWith(copy.nation.issuer));
    assert.ok(page.stopped || page.status !== 200, 'a sign-in from before is none');
  }
  const again = await comesIn('konrad');
  assert.equal(again.page.status, 200, again.page.body?.slice(0, 500));
  const guest = await comesIn('ingrid');
  assert.equal(guest.page.status, 200, "a partner's people come in too");
  // The ledger says so, and a restart takes the times of that day for no reason to end everything once more.
  const { records } = JSON.parse((await coalition.cli('XAA', 'ledger', 'show', '--last', '60', '--json')).output);
  const accepted = records.filter(({ class: kind }) => kind === 'clock.accepted');
  assert.equal(accepted.length, 2, 'before it acts, and once everything has ended');
  await coalition.stop('node-xaa', 'SIGKILL');
  await coalition.startAgain('node-xaa');
  await until('konrad goes on', () => inside(again.visitor).catch(() => false));
  await coalition.verify('XAA');
});

clocked('attack: an operator whom policies let change nothing accepts no clock', async () => {
  assert.equal((await coalition.cli('XBB', 'partner', 'list')).code, 0);
  await leapAndBack('XBB');
  const ended = await coalition.cli('XBB', 'partner', 'list', '--json');
  assert.match(ended.output, /operator\.denied/, 'an operator whose time had ended is none again by a clock set back');
  assert.ok(looks.length >= 16, 'each list, and what is in them');
  for (const path of looks) {
    const seen = await look('XBB', path);
    assert.equal(seen.body.error?.code, 'operator.denied', path);
    assert.deepEqual([seen.status, Object.keys(seen.body).filter((name) => name !== 'unrecorded')], [403, ['error']], path);
  }
  const said = await coalition.cli('XBB', 'clock', 'accept', '--reason', 'exercise: not mine to say', '--json');
  assert.notEqual(said.code, 0);
  assert.match(said.output, /operator\.denied/);
  assert.ok((await clock('XBB')).ahead_s > kDayS / 2);
  const ingrid = await comesIn('ingrid');
  assert.notEqual(ingrid.page.status, 200, 'nobody comes in');
  // Nor is it forgotten with the process: the next start ends what had ended, and says why nothing goes on.
  await coalition.stop('node-xbb', 'SIGKILL');
  await coalition.startAgain('node-xbb');
  assert.match(coalition.log('node-xbb'), /no session goes on.*this machine's clock went back/);
});
