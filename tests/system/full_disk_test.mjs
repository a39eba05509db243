// A full disk under a running node: what narrows still acts at once, says what is not yet durable, and becomes so.
// Apart from the other faults, since it needs the right to mount a small disk: without it, it is said to be skipped.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { after, before } from 'node:test';
import { Coalition, command, readJson, skip, system, until } from './coalition.mjs';
import { manifestOf } from './tdf_manifest.mjs';
import { Visitor } from './visitor.mjs';

const kDisk = '64m';
const kRoundsMax = 80; // what is kept free for endings is used up long before
let coalition, scratch;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start();
  scratch = mkdtempSync(join(tmpdir(), 'entente-full-'));
});

after(async () => {
  agent.destroy();
  await coalition?.end();
  if (scratch) rmSync(scratch, { recursive: true, force: true });
});

const opened = (login) => Visitor.insideAgain(coalition, login);

const kFull = 'exercise: the disk is full';

// With that folder of Aldoria's node on a disk of its own, small enough to be filled; then all is back as it was, with
// what was written meanwhile. `run` gets the node's life, and how to leave the disk without a byte.
async function onSmallDisk(context, folder, size, run) {
  const copy = join(scratch, 'before');
  await coalition.stop('node-xaa');
  cpSync(folder, copy, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    await coalition.startAgain('node-xaa');
    context.skip('needs the right to mount a small disk');
    return false;
  }
  const filler = join(folder, 'filler');
  const fill = () => {
    const { bavail, bsize } = statfsSync(folder);
    try {
      writeFileSync(filler, Buffer.alloc(bavail * bsize), { flag: 'a' });
      writeFileSync(filler, Buffer.alloc(1 << 20), { flag: 'a' });
    } catch (error) {
      assert.equal(error.code, 'ENOSPC');
    }
  };
  let running = false;
  const start = async () => {
    await coalition.startAgain('node-xaa');
    running = true;
  };
  const kill = async () => {
    await coalition.stop('node-xaa', 'SIGKILL');
    running = false;
  };
  try {
    cpSync(copy, folder, { recursive: true });
    await start();
    await run({ start, kill, fill, empty: () => rmSync(filler) });
  } finally {
    if (running) await kill();
    const kept = join(scratch, 'after');
    cpSync(folder, kept, { recursive: true });
    execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true, force: true });
    cpSync(kept, folder, { recursive: true });
    for (const one of [copy, kept]) rmSync(one, { recursive: true, force: true });
    await coalition.startAgain('node-xaa');
  }
  return true;
}

// Space is kept for endings; it is used up, too, until one acts that the disk does not take. Its answer.
async function suspendUntilFull(fill) {
  let answer;
  for (let round = 0; round < kRoundsMax && answer?.code !== 1; round += 1) {
    answer = await coalition.cli('XAA', 'partner', 'suspend', 'XBB', '--reason', kFull);
    fill();
  }
  assert.equal(answer.code, 1, answer.output);
  assert.match(answer.output, /fenced, not yet durable/);
  return answer.output;
}
const isDurable = () =>
  until('with space again it becomes durable', async () => {
    const { code } = await coalition.cli('XAA', 'partner', 'suspend', 'XBB', '--reason', kFull);
    return code === 0 && (await coalition.partner('XAA', 'XBB')).state === 'suspended';
  });

system('a full disk: a suspension still cuts at once, says what is not yet durable, and a node killed there starts', async (context) => {
  const ran = await onSmallDisk(context, coalition.nation('XAA').data, kDisk, async ({ start, kill, fill, empty }) => {
    const ingrid = await opened('ingrid');
    const konrad = await opened('konrad');
    fill();
    // Who is inside already opens streams without a disk.
    const streams = await Promise.all([ingrid.watch(), ingrid.watch()]);
    const ours = await konrad.watch();
    await until('tracks arrive', () => [...streams, ours].every(({ messages }) => messages > 1));
    // The fence needs no disk.
    const answer = await suspendUntilFull(fill);
    await Promise.all(streams.map(({ closed }) => closed));
    assert.notEqual((await ingrid.go(`${ingrid.nation.app}/`)).status, 200);
    const moved = ours.messages;
    await until('our own tracks go on', () => ours.messages > moved + 1);
    assert.ok(['fenced', 'suspended'].includes((await coalition.partner('XAA', 'XBB')).state));
    assert.equal(ours.socket.readyState, ours.socket.OPEN);
    ours.socket.terminate();
    context.diagnostic(`the last answer on the full disk: ${answer}`);
    // Killed and started with nothing left: it serves whoever was inside, suspends and cuts.
    await kill();
    fill();
    await start();
    assert.ok(['fenced', 'suspended'].includes((await coalition.partner('XAA', 'XBB')).state));
    const inside = async () => (await konrad.go(`${konrad.nation.app}/`)).status === 200;
    await until('our own person is inside as before', inside, 20_000);
    assert.notEqual((await ingrid.go(`${ingrid.nation.app}/`)).status, 200);
    const again = await coalition.cli('XAA', 'partner', 'suspend', 'XBB', '--reason', kFull);
    assert.ok(again.code === 0 || /fenced, not yet durable/.test(again.output), again.output);
    const widening = await coalition.cli('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: too early');
    assert.equal(widening.code, 1, widening.output);
    for (const { id } of await coalition.sessions('XAA'))
      await coalition.cli('XAA', 'session', 'cut', id, '--reason', 'exercise: out on a full disk');
    await until('whoever was cut is out', async () => !(await inside()));
    empty();
    await isDurable();
    await coalition.verify('XAA');
  });
  if (!ran) return;
  assert.equal((await coalition.partner('XAA', 'XBB')).state, 'suspended', 'after a kill and a start, too');
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: space again');
});

// What makes the ledger grow: to the operators' socket, as fast as it answers.
const agent = new Agent({ keepAlive: true, maxSockets: 4 });
async function call(method, path, body) {
  const { operators_socket: socketPath } = readJson(coalition.config('XAA'));
  const asked = request({ agent, socketPath, method, path, headers: { host: 'localhost', 'content-type': 'application/json' } });
  asked.end(body && JSON.stringify(body));
  const [answer] = await once(asked, 'response');
  return { status: answer.statusCode, body: await json(answer) };
}
const kLongest = 1000; // bytes of a reason
const kGrowMax = 8000;
async function growUntil(what, grow, isFull) {
  for (let calls = 0; calls < kGrowMax; calls += 4) {
    const answers = await Promise.all([1, 2, 3, 4].map(grow));
    if (answers.some(isFull)) return;
  }
  assert.fail(`not within ${kGrowMax} calls: ${what}`);
}

// The store has room: what the ledger does not take stands there, acts, and is owed.
system("a full disk of the ledger's alone: what narrows acts, and a node killed there starts and acts by it", async (context) => {
  const ran = await onSmallDisk(context, join(coalition.nation('XAA').data, 'ledger'), kDisk, async ({ start, kill, fill, empty }) => {
    await opened('ingrid');
    fill();
    const look = `/v1/partners/XBB/suspend/preview?reason=${'%41'.repeat(kLongest)}`;
    await growUntil('looks are in the ledger no more', () => call('GET', look), ({ body }) => body.unrecorded);
    const reason = 'A'.repeat(kLongest);
    const suspend = () => call('POST', '/v1/partners/XBB/suspend', { reason });
    await growUntil('nor is a suspension', suspend, ({ status }) => status === 507);
    await kill();
    fill();
    await start();
    assert.match(coalition.log('node-xaa'), /the ledger lacks what narrows here and acts/);
    assert.equal((await coalition.partner('XAA', 'XBB')).state, 'suspended');
    const widening = await coalition.cli('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: too early');
    assert.equal(widening.code, 1, widening.output);
    empty();
    await isDurable();
    await coalition.verify('XAA');
  });
  if (!ran) return;
  assert.equal((await coalition.partner('XAA', 'XBB')).state, 'suspended', 'after a kill and a start, too');
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: space again');
});

// Space is kept for what narrows alone: a key is no such thing.
const kWideDisk = '160m'; // with room for further segments once it is emptied, whatever the others wrote
const kLastMax = 5; // keys that still find room
system("a full disk of the ledger's: no key leaves without its record, and none counts as released that did not", async (context) => {
  const [report, sealed, out] = ['report.txt', 'report.tdf', 'report.out'].map((name) => join(scratch, name));
  const as = (...words) =>
    command([process.execPath, new URL('../../demo/as.mjs', import.meta.url).pathname, coalition.file('demo.json'), ...words]);
  let said;
  const opens = async (login) => {
    rmSync(out, { force: true });
    const { code, output } = await as(login, 'open', sealed, '-o', out);
    said = output;
    assert.equal(existsSync(out), code === 0, output);
    return code === 0;
  };
  writeFileSync(report, 'EXERCISE\n');
  const made = await as('konrad', 'seal', report, '--for', 'XBB', '-o', sealed);
  assert.equal(made.code, 0, made.output);
  const { uuid } = manifestOf(sealed).policy;
  const released = async () => (await coalition.ask('XAA', 'exposure', '--object', uuid)).releases;
  await onSmallDisk(context, join(coalition.nation('XAA').data, 'ledger'), kWideDisk, async ({ start, kill, fill, empty }) => {
    for (const login of ['konrad', 'ingrid']) await until(`${login} opens it`, () => opens(login));
    let counted = await released();
    const look = `/v1/partners/XBB/suspend/preview?reason=${'%41'.repeat(kLongest)}`;
    for (const login of ['konrad', 'ingrid']) {
      // Where a record still finds room, its key may leave, and counts.
      for (let round = 0, opened = true; opened; round += 1) {
        assert.ok(round < kLastMax, `${login} gets no key in the end`);
        fill();
        await growUntil('looks are in the ledger no more', () => call('GET', look), ({ body }) => body.unrecorded);
        opened = await opens(login);
        counted += opened ? 1 : 0;
        assert.equal(await released(), counted);
      }
    }
    await kill();
    fill();
    await start();
    await until('the link is back', async () => (await coalition.partner('XAA', 'XBB')).link === 'both ways');
    for (const login of ['konrad', 'ingrid']) assert.ok(!(await opens(login)), `${login} gets none after a start`);
    assert.equal(await released(), counted);
    empty();
    for (const login of ['konrad', 'ingrid'])
      await until(`${login} opens it again`, () => opens(login)).catch((error) => assert.fail(`${error.message}: ${said}`));
    assert.equal(await released(), counted + 2);
    await coalition.verify('XAA');
  });
});
