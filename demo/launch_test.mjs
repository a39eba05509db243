// The launcher brings a coalition up as its plan says, and takes all of it down again however it ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { firstLine } from './lifeline.mjs';

const launcherPath = join(dirname(fileURLToPath(import.meta.url)), 'launch.mjs');
const kGoneMsMax = 20_000; // when waiting for the end of everything is given up

// Stands where `entente node` stands: says it is ready, starts a child of its own that ignores signals, and
// notes both.
const nodeStandIn = `
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const deaf = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)';
const obstinate = spawn(process.execPath, ['-e', deaf], { stdio: 'ignore' });
writeFileSync(settings.data + '/pids', JSON.stringify([process.pid, obstinate.pid]));
console.log('serving on ' + settings.port);
setInterval(() => {}, 1000);
`;

let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'entente-launch-test-'));
  writeFileSync(join(folder, 'node.mjs'), nodeStandIn);
  writeFileSync(join(folder, 'token.mjs'), 'console.log(JSON.stringify({ token: { value: "once-only" } }))');
});
after(() => rmSync(folder, { recursive: true, force: true }));

function coalition(name, changes = {}) {
  const source = join(folder, name);
  mkdirSync(join(source, 'policies'), { recursive: true });
  copyFileSync(join(dirname(launcherPath), 'coalition/people.json'), join(source, 'people.json'));
  const plan = {
    nations: ['XAA', 'XBB'],
    certificates: { 'connector-cop': ['connector-cop.xaa.localhost'] },
    client: {
      client_id: '{nation}',
      redirect_uris: ['${{nation}.lobby}/entente/callback'],
      jwks: '${{nation}.data}/client.jwks',
    },
    apps: [
      {
        id: 'cop-1',
        app: 'cop',
        nation: 'xaa',
        program: 'cop/server.mjs',
        settings: {
          seed: 46,
          audience: 'cop',
          issuer: '${xaa.lobby}/',
          keys: { file: '${folder}/host.jwks' },
          marking: 'EXERCISE RESTRICTED REL XAA XBB',
        },
      },
    ],
    cli: ['${entente}', '{}'],
    steps: [
      {
        start: 'node-xaa',
        command: ['${entente}', join(folder, 'node.mjs'), '${coalition}/node-xaa.json'],
        ready: { line: '^serving on' },
      },
      { run: 'token', command: ['${entente}', join(folder, 'token.mjs')], keep: { token: '/token/value' } },
      {
        start: 'node-xbb',
        command: ['${entente}', join(folder, 'node.mjs'), '${coalition}/node-xbb.json'],
        ready: { line: '^serving on' },
      },
    ],
    ...changes,
  };
  writeFileSync(join(source, 'plan.json'), JSON.stringify(plan));
  writeFileSync(
    join(source, 'node-xaa.json'),
    JSON.stringify({ port: '${xaa.port}', data: '${xaa.data}', key: '${xaa.key}' }),
  );
  writeFileSync(
    join(source, 'node-xbb.json'),
    JSON.stringify({ port: '${xbb.port}', data: '${xbb.data}', token: '${token}' }),
  );
  writeFileSync(join(source, 'policies', 'a.cedar'), 'permit(principal, action, resource);');
  return source;
}

const launch = (source, ...args) => start(source, '--json', ...args);

function start(source, ...args) {
  const command = [launcherPath, '--entente', process.execPath, '--coalition', source, ...args];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.said = '';
  child.stderr.on('data', (data) => {
    child.said += data;
  });
  return child;
}

async function ready(child) {
  return JSON.parse(readFileSync(JSON.parse(await firstLine(child)).demo, 'utf8'));
}

const lives = (pid) => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

// Every process whose command line names the demonstration's folder, and those that the stand-ins noted.
function processesOf(demo) {
  const noted = Object.values(demo.nations).flatMap((nation) =>
    JSON.parse(readFileSync(join(nation.data, 'pids'), 'utf8')),
  );
  const named = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(demo.folder);
      } catch {
        return false;
      }
    });
  return [...new Set([...noted, ...named])];
}

async function untilGone(pids, path) {
  const until = Date.now() + kGoneMsMax;
  while ((pids.some(lives) || existsSync(path)) && Date.now() < until) await wait(50);
  assert.deepEqual(pids.filter(lives), [], 'no process is left');
  assert.equal(existsSync(path), false, 'no file is left');
}

test('the plan is followed: templates filled, answers kept, passphrases made', async () => {
  const child = launch(coalition('good'));
  const demo = await ready(child);
  const written = (name) => JSON.parse(readFileSync(join(demo.folder, 'coalition', name), 'utf8'));
  assert.equal(written('node-xbb.json').token, 'once-only');
  assert.equal(typeof written('node-xaa.json').port, 'number');
  assert.ok(existsSync(join(demo.folder, 'coalition/policies/a.cedar')));
  assert.equal(demo.nations.XBB.app, `https://cop-xaa.xbb.localhost:${demo.nations.XBB.port}`);
  assert.equal(demo.people.length, 8);
  assert.equal(new Set(demo.people.map((person) => person.passphrase)).size, 8);
  const pids = processesOf(demo);
  assert.ok(pids.length >= 7, 'two nodes with a child each, two providers, the app');
  child.kill('SIGINT');
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  await untilGone(pids, demo.folder);
});

test('the introduction says where to go, who to be, and how to suspend a partner', async () => {
  const child = start(coalition('introduced'));
  child.stdout.setEncoding('utf8');
  let text = '';
  for await (const more of child.stdout) {
    text += more;
    if (text.includes('Ctrl-C ends everything')) break;
  }
  assert.match(text, /^ {2}XBB {2}https:\/\/lobby\.xbb\.localhost:\d+\/$/m);
  assert.match(text, /partner suspend XBB --reason 'exercise: [^']+'/);
  assert.match(text, /lena: https:\/\/console\.xaa\.localhost:\d+\/$/m);
  child.kill('SIGINT');
  await once(child, 'exit');
});

test('a launcher that is killed leaves no process and no file', async () => {
  const child = launch(coalition('killed'));
  const demo = await ready(child);
  const pids = processesOf(demo);
  child.kill('SIGKILL');
  await untilGone(pids, demo.folder);
});

test('the demonstration ends when whoever started it is gone', async () => {
  const source = coalition('orphaned');
  const words = [launcherPath, '--entente', process.execPath, '--coalition', source, '--json'];
  const starter = `const { spawn } = require('node:child_process');
    spawn(process.execPath, ${JSON.stringify(words)},
      { stdio: ['ignore', 'inherit', 'inherit'] }); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', starter], { stdio: ['ignore', 'pipe', 'inherit'] });
  const demo = await ready(child);
  const pids = processesOf(demo);
  child.kill('SIGKILL');
  await untilGone(pids, demo.folder);
});

test('--keep leaves the folder, and refuses one that holds something', async () => {
  const kept = join(folder, 'kept');
  const child = launch(coalition('keep'), '--keep', kept);
  const demo = await ready(child);
  const pids = processesOf(demo);
  child.kill('SIGTERM');
  await once(child, 'exit');
  assert.deepEqual(pids.filter(lives), []);
  assert.ok(existsSync(join(kept, 'log/node-xaa.log')));
  const again = launch(coalition('keep'), '--keep', kept);
  const [code] = await once(again, 'exit');
  assert.equal(code, 2);
  assert.match(again.said, /--keep .*holds files already/);
});

test('a process that does not come up is named, with its last words, and nothing stays', async () => {
  writeFileSync(
    join(folder, 'broken.mjs'),
    'console.error("config: /door/port: a number belongs here"); process.exit(3);',
  );
  const steps = [
    {
      start: 'node-xaa',
      command: ['${entente}', join(folder, 'broken.mjs'), '${folder}'],
      ready: { line: 'ready' },
    },
  ];
  const child = launch(coalition('broken', { steps }));
  const [code] = await once(child, 'exit');
  assert.equal(code, 1);
  assert.match(child.said, /node-xaa ended with code 3 before it was ready.*\n.*config: \/door\/port/);
});

test('a process that is lost later ends the demonstration and is named', async () => {
  const child = launch(coalition('lost'));
  const demo = await ready(child);
  const pids = processesOf(demo);
  const [nodePid] = JSON.parse(readFileSync(join(demo.nations.XBB.data, 'pids'), 'utf8'));
  process.kill(nodePid, 'SIGKILL');
  const [code] = await once(child, 'exit');
  assert.equal(code, 1);
  assert.match(child.said, /node-xbb was ended by SIGKILL/);
  await untilGone(pids, demo.folder);
});

test('a process that is to be started again when it is lost is, and the demonstration goes on', async () => {
  const source = coalition('again');
  const plan = JSON.parse(readFileSync(join(source, 'plan.json'), 'utf8'));
  plan.steps.find(({ start }) => start === 'node-xbb').again_after_s = 1;
  writeFileSync(join(source, 'plan.json'), JSON.stringify(plan));
  const child = launch(source);
  const demo = await ready(child);
  const pids = () => JSON.parse(readFileSync(join(demo.nations.XBB.data, 'pids'), 'utf8'));
  const [lost] = pids();
  process.kill(lost, 'SIGKILL');
  const end = Date.now() + 20_000;
  while (pids()[0] === lost && Date.now() < end) await wait(50);
  assert.notEqual(pids()[0], lost);
  assert.match(child.said, /demo: node-xbb was ended by SIGKILL; it is started again in 1 s/);
  assert.equal(child.exitCode, null);
  const all = processesOf(demo);
  child.kill('SIGINT');
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  await untilGone(all, demo.folder);
});

test('a name that nobody knows is one line with file and place', async () => {
  const steps = [{ start: 'node-xaa', command: ['${entente}', '${xaa.prot}'] }];
  const child = launch(coalition('misnamed', { steps }));
  const [code] = await once(child, 'exit');
  assert.equal(code, 1);
  assert.match(
    child.said,
    /^demo: .*plan\.json: \/steps\/0\/command\/1: \$\{xaa\.prot\} is not known here; known: /,
  );
});
