// A node killed with SIGKILL around a key that it gives out: whatever it had told anybody by then is in its ledger, and
// what it had not is not.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { ask } from '../../demo/loopback.mjs';
import { Coalition, command, preload, skip, system, until } from './coalition.mjs';
import { manifestOf } from './tdf_manifest.mjs';
import { keyService } from './token.mjs';
import { join } from 'node:path';

const shim = process.env.ENTENTE_HELD_DISK; // tests/system/held_disk.cpp, built
const held = (name, run) => system(name, shim ? run : (test) => test.skip('ENTENTE_HELD_DISK names no library'));
const kRoundTrips = 20; // of the node while its disk is held: what does not wait for it has come by then
let coalition, uuid;

const file = (name) => join(coalition.folder, name);
const disk = (nation) => file(`disk-${nation.toLowerCase()}`);
const node = (nation) => `node-${nation.toLowerCase()}`;
const as = (...words) =>
  command([process.execPath, new URL('../../demo/as.mjs', import.meta.url).pathname, file('demo.json'), ...words]);

before(async () => {
  if (skip || !shim) return;
  coalition = await Coalition.start((plan) => preload(plan, shim, 'ENTENTE_TEST_DISK=${folder}/disk-{nation}'));
  writeFileSync(file('report.txt'), 'EXERCISE\n');
  const sealed = await as('konrad', 'seal', file('report.txt'), '--for', 'XBB', '-o', file('report.tdf'));
  assert.equal(sealed.code, 0, sealed.output);
  ({ uuid } = manifestOf(file('report.tdf')).policy);
});
after(() => coalition?.end());

async function open(login) {
  rmSync(file('report.out'), { force: true });
  const answer = await as(login, 'open', file('report.tdf'), '-o', file('report.out'));
  assert.equal(existsSync(file('report.out')), answer.code === 0, answer.output);
  return answer;
}

// How many of each class a nation's ledger has.
async function recorded(nation) {
  const { records } = await coalition.ask(nation, 'ledger', 'show', '--last', '1000');
  const kinds = records.map((record) => record.class);
  return (kind) => kinds.filter((one) => one === kind).length;
}
const exposed = async () => (await coalition.ask('XAA', 'exposure', '--object', uuid)).releases;

// Who asks, whose node dies where, and what its ledger has more then.
const points = [
  ['konrad', 'XAA', 'before key.attempt', { 'key.attempt': 0, 'key.release': 0 }],
  ['konrad', 'XAA', 'after key.attempt', { 'key.attempt': 1, 'key.release': 0 }],
  ['konrad', 'XAA', 'before key.release', { 'key.attempt': 1, 'key.release': 0 }],
  ['konrad', 'XAA', 'after key.release', { 'key.attempt': 1, 'key.release': 1 }],
  ['ingrid', 'XAA', 'before key.release', { 'key.attempt': 1, 'key.release': 0 }],
  ['ingrid', 'XBB', 'before key.passed', { 'key.attempt': 1, 'key.passed': 0 }],
];
for (const [login, nation, point, more] of points) {
  held(`attack: ${nation}'s node is killed ${point}, while ${login} asks: no key without its record`, async () => {
    await until('the link is up', async () => (await coalition.partner('XBB', 'XAA')).link === 'both ways');
    const [before, keys] = [await recorded(nation), await exposed()];
    let answer;
    const asked = async () => {
      writeFileSync(disk(nation), point);
      answer = await open(login);
    };
    const asking = asked();
    await until('the disk is held', () => existsSync(`${disk(nation)}.held`));
    for (let i = 0; i < kRoundTrips; i += 1) {
      const known = await ask(`${keyService(coalition, nation)}/kas_public_key?v=2`, { ca: coalition.ca });
      assert.equal(known.status, 200);
    }
    assert.ok(!existsSync(file('report.out')), 'nothing opens while the disk is held');
    await coalition.stop(node(nation), 'SIGKILL');
    await asking;
    assert.notEqual(answer.code, 0, 'nor later');
    writeFileSync(disk(nation), '');
    rmSync(`${disk(nation)}.held`);
    await coalition.startAgain(node(nation));
    await until('its ledger is read', async () => (await coalition.cli(nation, 'partner', 'list')).code === 0);
    const now = await recorded(nation);
    for (const [kind, count] of Object.entries(more)) assert.equal(now(kind) - before(kind), count, kind);
    // What another nation's node released was released, whatever became of it then.
    const released = nation === 'XAA' ? more['key.release'] : 1;
    assert.equal(await exposed(), keys + released, 'an attempt is no exposure; a release is one, sent or not');
    await coalition.verify(nation);
    await until('it opens again', async () => (await open(login)).code === 0, 40_000);
    assert.equal(readFileSync(file('report.out'), 'utf8'), 'EXERCISE\n');
    assert.ok((await exposed()) > keys + released);
  });
}
