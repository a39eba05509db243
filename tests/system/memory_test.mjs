// What a program needs in memory to seal and open a file larger than that by far: the most it ever held, as the
// system counted it (wait4's maximum resident set), never how long it took.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, existsSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { command, program, skip, system } from './coalition.mjs';

const kMiB = 1 << 20;
const kPlainBytes = 1024 * kMiB; // what is sealed; sparse, so that it costs no disk
const kRunMsMax = 100_000;
const kPromisedKiB = 64 * 1024;
// Runs a command to its end and says, last, the most that it held at once, in KiB.
const measured = `
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
`;
let folder;
const file = (name) => join(folder, name);

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'entente-memory-'));
  for (const words of [
    ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file('reader.pem')],
    ['pkey', '-in', file('reader.pem'), '-pubout', '-out', file('reader.pub')],
  ])
    assert.equal((await command(['openssl', ...words])).code, 0);
});
after(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
});

// Zeros with a mark at three places, without a block on the disk in between.
function makeSparse(path, size) {
  const to = openSync(path, 'wx');
  ftruncateSync(to, size);
  for (const at of [0, Math.floor(size / 2), size - 9]) writeSync(to, 'EXERCISE\n', at);
  closeSync(to);
}

async function digest(path) {
  const sum = createHash('sha256');
  for await (const part of createReadStream(path, { highWaterMark: kMiB })) sum.update(part);
  return sum.digest('hex');
}

// Of `entente` with these words: KiB. Its standard input is that file, where one is named.
async function most(words, input) {
  const stdin = input ? openSync(input, 'r') : 'ignore';
  const run = ['python3', '-c', measured, program, ...words];
  const { code, output } = await command(run, { stdio: [stdin, 'pipe', 'pipe'], timeout: kRunMsMax });
  if (input) closeSync(stdin);
  assert.equal(code, 0, output);
  const [, kib] = /(?:^|\n)(\d+)$/.exec(output);
  return Number(kib);
}

const to = () => ['--to', file('reader.pub')];

system('the measure itself sees what a program holds', async () => {
  const held = 256;
  const run = ['python3', '-c', measured, 'python3', '-c', `held = b"x" * (${held} << 20)`];
  const { code, output } = await command(run);
  assert.equal(code, 0, output);
  assert.ok(Number(output) > held * 1024, output);
});

system('a file many times larger is sealed and opened in at most 64 MiB', async (t) => {
  makeSparse(file('large'), kPlainBytes);
  const sealing = await most(['seal', file('large'), ...to(), '-o', file('large.tdf')]);
  assert.ok(statSync(file('large.tdf')).size > kPlainBytes);
  const opening = await most(['open', file('large.tdf'), '--key', file('reader.pem'), '-o', file('large.out')]);
  rmSync(file('large.tdf'));
  t.diagnostic(`of ${kPlainBytes / kMiB} MiB: sealing held ${sealing} KiB at most, opening ${opening} KiB`);
  assert.equal(await digest(file('large.out')), await digest(file('large')));
  assert.ok(sealing <= kPromisedKiB, `sealing held ${sealing} KiB`);
  assert.ok(opening <= kPromisedKiB, `opening held ${opening} KiB`);
  for (const name of ['large', 'large.out']) rmSync(file(name));
});

system('so is a stream whose size nobody says beforehand', async (t) => {
  const size = 256 * kMiB;
  makeSparse(file('stream'), size);
  const held = await most(['seal', '-', ...to(), '-o', file('stream.tdf')], file('stream'));
  t.diagnostic(`of ${size / kMiB} MiB: sealing held ${held} KiB at most`);
  assert.ok(statSync(file('stream.tdf')).size > size);
  assert.ok(held <= kPromisedKiB, `sealing held ${held} KiB`);
});

system('and what is opened from a file is refused in no more, where its last segment is another', async () => {
  const changed = openSync(file('stream.tdf'), 'r+');
  writeSync(changed, 'EXERCISE', 255 * kMiB);
  closeSync(changed);
  const run = ['python3', '-c', measured, program, 'open', file('stream.tdf'), '--key', file('reader.pem'), '-o', file('never')];
  const { code, output } = await command(run);
  assert.match(output, /data\.segment/);
  assert.ok(code !== 0 && !existsSync(file('never')), output);
  const [, kib] = /(?:^|\n)(\d+)(?:\n|$)/.exec(output);
  assert.ok(Number(kib) <= kPromisedKiB, output);
});
