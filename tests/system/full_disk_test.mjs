// A full disk under a running node: what narrows still acts at once, says what is not yet durable, and becomes so.
// Apart from the other faults, since it needs the right to mount a small disk: without it, it is said to be skipped.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Coalition, skip, system, until } from './coalition.mjs';
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
  await coalition?.end();
  if (scratch) rmSync(scratch, { recursive: true, force: true });
});

const opened = (login) => Visitor.insideAgain(coalition, login);

const kFull = 'exercise: the disk is full';

system('a full disk: a suspension still cuts at once, says what is not yet durable, and a node killed there starts', async (context) => {
  const data = coalition.nation('XAA').data;
  await coalition.stop('node-xaa');
  const copy = join(scratch, 'before-full');
  cpSync(data, copy, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kDisk},mode=0700`, 'tmpfs', data], {
      stdio: 'ignore',
    });
  } catch {
    await coalition.startAgain('node-xaa');
    return context.skip('needs the right to mount a small disk');
  }
  let running = false;
  try {
    cpSync(copy, data, { recursive: true });
    await coalition.startAgain('node-xaa');
    running = true;
    const ingrid = await opened('ingrid');
    const konrad = await opened('konrad');
    const filler = join(data, 'filler');
    const fill = () => {
      const { bavail, bsize } = statfsSync(data);
      try {
        writeFileSync(filler, Buffer.alloc(bavail * bsize), { flag: 'a' });
        writeFileSync(filler, Buffer.alloc(1 << 20), { flag: 'a' });
      } catch (error) {
        assert.equal(error.code, 'ENOSPC');
      }
    };
    fill();
    // Who is inside already opens streams without a disk.
    const streams = await Promise.all([ingrid.watch(), ingrid.watch()]);
    const ours = await konrad.watch();
    await until('tracks arrive', () => [...streams, ours].every(({ messages }) => messages > 1));
    // Space is kept for endings; use it up, too, then suspend: the fence needs no disk.
    let answer;
    for (let round = 0; round < kRoundsMax && answer?.code !== 1; round += 1) {
      answer = await coalition.cli('XAA', 'partner', 'suspend', 'XBB', '--reason', kFull);
      fill();
    }
    await Promise.all(streams.map(({ closed }) => closed));
    assert.notEqual((await ingrid.go(`${ingrid.nation.app}/`)).status, 200);
    assert.equal(answer.code, 1, answer.output);
    assert.match(answer.output, /fenced, not yet durable/);
    const moved = ours.messages;
    await until('our own tracks go on', () => ours.messages > moved + 1);
    assert.ok(['fenced', 'suspended'].includes((await coalition.partner('XAA', 'XBB')).state));
    assert.equal(ours.socket.readyState, ours.socket.OPEN);
    ours.socket.terminate();
    context.diagnostic(`the last answer on the full disk ends with ${answer.code}: ${answer.output}`);
    // Killed and started with nothing left: it serves whoever was inside, suspends and cuts.
    await coalition.stop('node-xaa', 'SIGKILL');
    running = false;
    fill();
    await coalition.startAgain('node-xaa');
    running = true;
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
    rmSync(filler);
    await until('with space again it becomes durable', async () => {
      const { code } = await coalition.cli('XAA', 'partner', 'suspend', 'XBB', '--reason', kFull);
      return code === 0 && (await coalition.partner('XAA', 'XBB')).state === 'suspended';
    });
    await coalition.verify('XAA');
    await coalition.stop('node-xaa', 'SIGKILL');
    running = false;
  } finally {
    if (running) await coalition.stop('node-xaa', 'SIGKILL');
    const kept = join(scratch, 'after-full');
    cpSync(data, kept, { recursive: true });
    execFileSync('umount', [data]);
    rmSync(data, { recursive: true, force: true });
    cpSync(kept, data, { recursive: true });
    await coalition.startAgain('node-xaa');
  }
  assert.equal((await coalition.partner('XAA', 'XBB')).state, 'suspended', 'after a kill and a start, too');
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: space again');
});
