// Each program of the benchmarks once, as small as it goes: that it runs to its end and measures what it says. Its
// figures say nothing here and are not looked at.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const kRunMsMax = 60_000;
const kPolicies = fileURLToPath(new URL('../demo/coalition/policies', import.meta.url));
const programs = process.env.ENTENTE_BENCH;
const skip = programs ? false : 'ENTENTE_BENCH names no folder of built benchmarks';
const named = (name) => join(programs, `bench_${name}`);
const smoke = (name, run) => test(name, { skip }, run);
const ended = [];
let folder;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'entente-smoke-'));
});

after(async () => {
  for (const end of ended) await end();
  rmSync(folder, { recursive: true, force: true });
});

// Runs one to its end; it fails the test if it fails. Answers the line of JSON, or the document, that it prints.
async function run(name, ...words) {
  const { stdout } = await promisify(execFile)(named(name), words.map(String), { timeout: kRunMsMax });
  return JSON.parse(stdout);
}

// libbenchmark ends with 0 whatever a benchmark says of itself.
async function measures(name, ...words) {
  const { benchmarks } = await run(name, '--benchmark_format=json', '--benchmark_min_time=0.001', ...words);
  for (const each of benchmarks) {
    assert.ok(!each.error_occurred, `${each.name}: ${each.error_message}`);
    assert.ok(each.cpu_time > 0, each.name);
  }
  return benchmarks.map((each) => each.name);
}

smoke('a decision is a permit', async () => {
  assert.deepEqual(await measures('decide', '--benchmark_filter=/1$', kPolicies), ['decide/request_of_a_partner/1']);
});

smoke('a label is read and covered, in each form', async () => {
  assert.deepEqual(await measures('label'), ['from_xml', 'from_json_text', 'from_marking', 'from_memory']);
});

smoke('an object is sealed and opened', async () => {
  assert.deepEqual(await measures('seal'), ['cipher', 'seal', 'open']);
});

smoke('a change is committed beside others', async () => {
  const told = await run('commit', kPolicies, join(folder, 'commit'), 10, 2);
  for (const what of ['in_memory', 'store', 'store_and_ledger', 'sqlite', 'fdatasync']) assert.ok(told[what].wall_us > 0, what);
  assert.equal(told.entities, 10);
});

smoke('what was released is told whole, to each question, first and again', async () => {
  const told = await run('exposure', kPolicies, join(folder, 'exposure'), 2000);
  assert.equal(told.entries, 4000);
  const releases = { all: 2000, partner: 400, person: 2, device: 2, object: 1 };
  for (const [question, count] of Object.entries(releases))
    assert.deepEqual([told[question].releases, told[question].incomplete], [count, 0], question);
});

smoke('a question is answered whole above what there is room for', async () => {
  const told = await run('exposure', kPolicies, join(folder, 'room'), 2000, 300_000);
  assert.ok(told.all.incomplete > 500, 'it says how many it left out');
  assert.equal(told.all.releases + told.all.incomplete, 2000);
  for (const [question, count] of Object.entries({ partner: 400, person: 2, device: 2, object: 1 }))
    assert.deepEqual([told[question].releases, told[question].incomplete], [count, 0], question);
});

// The program itself looks at each answer: a permit that is denied ends it with 1.
smoke('keys are released and denied, with new tokens and known ones', async () => {
  const told = await run('rewrap', kPolicies, 1);
  for (const row of ['rsa', 'ec', 'denied', 'rsa-new', 'ec-new', 'denied-new']) assert.ok(told[`${row}.ours_us`] > 0, row);
  assert.ok(told.half_load.per_second > 0);
  assert.equal(told.recorded_half_load.appends, 2, 'an attempt and a release, each durable');
});

async function listening(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ended.push(() => new Promise((done) => server.close(done)));
  return server.address().port;
}

// So many live connections: { ready, done }.
async function crowd(port, kind, count, seconds) {
  const child = spawn(named('crowd'), [port, 'localhost', count, '/dev/null', kind].map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ready = JSON.parse((await lines.next()).value);
  await new Promise((done) => setTimeout(done, seconds * 1000));
  child.stdin.end();
  const done = JSON.parse((await lines.next()).value);
  return { ready, done };
}

smoke('a crowd and an even pace reach the app, over TLS', async () => {
  const socket = join(folder, 'app.sock');
  const app = spawn(named('app'), [socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  ended.push(() => app.kill());
  await once(createInterface({ input: app.stdout }), 'line');
  const made = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'.split(' ');
  const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') };
  execFileSync('openssl', [...made, '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
  const pair = { key: readFileSync(files.key), cert: readFileSync(files.cert) };

  // In the place of door, link and connector.
  const open = new Set();
  const door = createServer(pair, (near) => {
    const far = connect(socket);
    for (const [from, to] of [[near, far], [far, near]]) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
    }
  });
  ended.push(() => open.forEach((each) => each.destroy()));
  const port = await listening(door);
  const paced = await run('pace', port, 'localhost', '/dev/null', 50, 1, 2);
  assert.equal(paced.failed, 0);
  assert.ok(paced.count > 0);
  const quiet = await crowd(port, 0, 3, 0);
  assert.deepEqual([quiet.ready.standing, quiet.ready.failed, quiet.done.standing], [3, 0, 3]);
  const live = await crowd(port, 1, 3, 1.5);
  assert.deepEqual([live.ready.standing, live.ready.failed, live.done.standing], [3, 0, 3]);
  assert.ok(live.done.frames > 0 && live.done.newest_stamp > 0, 'the app speaks to each once a second');

  const door2 = createSecureServer(pair, (request, response) => response.end('e'.repeat(1024)));
  const h2 = await crowd(await listening(door2), 2, 3, 0);
  assert.deepEqual([h2.ready.standing, h2.ready.failed], [3, 0]);
});
