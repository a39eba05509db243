// A coalition on this machine: identity providers, nodes, a connector and an app, all on loopback, all gone
// when this ends.
//   launch.mjs [--entente PROGRAM] [--coalition FOLDER] [--open] [--story [--shots FOLDER]] [--keep FOLDER]
//              [--port-base N] [--json] [--steer]
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { visibleBrowser } from './browser.mjs';
import { makeCertificates } from './certificates.mjs';
import { peopleForThisRun, personId, table } from './people.mjs';
import { Names, Plan } from './plan.mjs';
import { pairwiseSubject, secretsIn } from './providers/keys.mjs';
import { SettingsError } from './settings.mjs';
import { Supervisor } from './supervisor.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const kParentPollMs = 250;
const nationFiles = { XAA: 'aldoria.json', XBB: 'borealis.json', XCC: 'cassia.json' };

function readArguments() {
  const options = {
    entente: { type: 'string', default: join(here, '../build/release/src/cli/entente') },
    coalition: { type: 'string', default: join(here, 'coalition') },
    open: { type: 'boolean' },
    story: { type: 'boolean' },
    shots: { type: 'string' },
    keep: { type: 'string' },
    'port-base': { type: 'string' },
    json: { type: 'boolean' },
    steer: { type: 'boolean' },
  };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new SettingsError(
      `${error.message.split('\n')[0]} Known: ${Object.keys(options)
        .map((name) => `--${name}`)
        .join(' ')}`,
    );
  }
}

function makeFolder(keep) {
  if (!keep) return mkdtempSync(join(tmpdir(), 'entente-demo-'));
  const folder = resolve(keep);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (readdirSync(folder).length > 0)
    throw new SettingsError(`--keep ${folder}: holds files already; name a new or empty folder`);
  return folder;
}

function portIsFree(port) {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once('error', failed).listen(port, '127.0.0.1', () => {
      const { port: found } = server.address();
      server.close(() => done(found));
    });
  });
}

async function freePorts(count, base) {
  const wanted = Array.from({ length: count }, (_, index) => (base ? Number(base) + index : 0));
  try {
    const ports = new Set();
    while (ports.size < count) ports.add(await portIsFree(wanted[ports.size]));
    return [...ports];
  } catch (error) {
    throw new SettingsError(
      `--port-base ${base}: ${count} free ports from there on are needed (${error.message})`,
    );
  }
}

// The key by which a nation signs what it seals. It is the nation's and not its node's: here it lies with the run.
function makeOriginator(file) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return { file, key: publicKey.export({ type: 'spki', format: 'pem' }) };
}

class Demonstration {
  constructor(args, folder, supervisor) {
    this.args = args;
    this.folder = folder;
    this.supervisor = supervisor;
    this.names = new Names();
  }

  async #nameEverything() {
    const { folder, names, args } = this;
    this.plan = new Plan(resolve(args.coalition), join(folder, 'coalition'), names);
    this.nations = this.plan.content.nations;
    const ports = await freePorts(this.nations.length * 2, args['port-base']);
    const hosts = { ...this.plan.content.certificates };
    for (const code of this.nations) {
      const low = code.toLowerCase();
      // A nation's people reach every nation's key service through their own door, under its own name.
      const services = this.nations.map((other) => `kas.${other.toLowerCase()}.localhost`);
      hosts[low] = [`*.${low}.localhost`, ...services.filter((name) => !name.endsWith(`.${low}.localhost`))];
      hosts[`${low}-idp`] = [`idp.${low}.localhost`];
      const [port, idpPort] = [ports.shift(), ports.shift()];
      const data = join(folder, `node-${low}`);
      mkdirSync(data, { mode: 0o700 });
      names.add({
        [low]: {
          port,
          data,
          lobby: `https://lobby.${low}.localhost:${port}`,
          idp: { port: idpPort, issuer: `https://idp.${low}.localhost:${idpPort}` },
          originator: makeOriginator(join(folder, `originator-${low}.pem`)),
        },
      });
    }
    this.certificates = await makeCertificates(join(folder, 'certificates'), hosts);
    const { authority, publicKeyDigests, ...leaves } = this.certificates;
    names.add({
      ...leaves,
      authority,
      folder,
      coalition: join(folder, 'coalition'),
      entente: resolve(args.entente),
    });
    names.add({ uid: process.getuid(), console: join(here, '../web/console/dist') });
  }

  // Who people will be at their own nation's node: operators' records name them so.
  async #namePeople() {
    const person = {};
    for (const code of this.nations) {
      const low = code.toLowerCase();
      const { subject: type, algorithm } = JSON.parse(readFileSync(join(here, 'providers', nationFiles[code])));
      const secrets = await secretsIn(join(this.folder, `provider-${low}`), code, algorithm);
      const sector = new URL(this.names.fill(`\${${low}.lobby}`, 'launch')).host;
      const issuer = this.names.fill(`\${${low}.idp.issuer}`, 'launch');
      for (const { login, subject } of this.people.people.filter(({ nation }) => nation === code)) {
        const told = type === 'pairwise' ? pairwiseSubject(secrets, sector, subject) : subject;
        person[login] = personId(code, issuer, told);
      }
    }
    this.names.add({ person });
  }

  #writeJson(name, value) {
    const path = join(this.folder, name);
    writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
    return path;
  }

  #startScript(name, script, settings) {
    const path = this.#writeJson(`${name}.json`, settings);
    return this.supervisor.start(name, [process.execPath, join(here, script), path]);
  }

  #startProvider(code) {
    const low = code.toLowerCase();
    return this.#startScript(`provider-${low}`, 'providers/provider.mjs', {
      nation: join(here, 'providers', nationFiles[code]),
      host: `idp.${low}.localhost`,
      port: this.names.fill(`\${${low}.idp.port}`, 'launch'),
      tls: {
        certificate: this.certificates[`${low}-idp`].certificate,
        key: this.certificates[`${low}-idp`].key,
      },
      data: join(this.folder, `provider-${low}`),
      people: join(this.folder, 'people.json'),
      clients: [this.plan.part('client', { nation: low })],
      authority: this.certificates.authority,
    });
  }

  #startApp({ id, program, settings }) {
    return this.#startScript(id, program, { socket: join(this.folder, `${id}.sock`), ...settings });
  }

  async start() {
    await this.#nameEverything();
    this.people = peopleForThisRun(join(this.args.coalition, 'people.json'));
    await this.#namePeople();
    this.#writeJson('people.json', this.people);
    await Promise.all([
      ...this.nations.map((code) => this.#startProvider(code)),
      ...this.plan.part('apps').map((app) => this.#startApp(app)),
    ]);
    for (const group of this.plan.groups) {
      const ready = group.map((one) => this.plan.ready(one));
      await Promise.all(ready.map((step) => this.#take(step)));
    }
    return this.#describe();
  }

  async #take({ start, run, command, ready, env, again_after_s: againAfterS, keep = {} }) {
    if (start) {
      await this.supervisor.start(start, command, ready, { env, againAfterS });
      return;
    }
    const output = await this.supervisor.run(run, command, { env });
    for (const [name, pointer] of Object.entries(keep)) {
      const found = pointer
        .split('/')
        .slice(1)
        .reduce((value, key) => value?.[key], pointer ? JSON.parse(output) : output.trim());
      if (found === undefined) throw new SettingsError(`${run}: ${pointer} is not in its answer: ${output}`);
      this.names.add({ [name]: found });
    }
  }

  // What the journeys need to know; written to demo.json.
  #describe() {
    const name = (text) => this.names.fill(text, 'launch');
    const apps = [...new Set(this.plan.content.apps.map(({ app, nation }) => `${app}-${nation}`))];
    const nations = this.nations.map((code) => {
      const low = code.toLowerCase();
      const [lobby, port] = [name(`\${${low}.lobby}`), name(`\${${low}.port}`)];
      const address = (app) => `https://${app}.${low}.localhost:${port}`;
      const facts = {
        lobby,
        port,
        data: name(`\${${low}.data}`),
        originator: name(`\${${low}.originator.file}`),
        issuer: name(`\${${low}.idp.issuer}`),
        cli: this.plan.part('cli', { nation: low }),
        console: address('console'),
        app: address('cop-xaa'),
        apps: Object.fromEntries(apps.map((app) => [app, address(app)])),
      };
      return [code, facts];
    });
    const demo = {
      folder: this.folder,
      authority: this.certificates.authority,
      publicKeyDigests: this.certificates.publicKeyDigests,
      entente: name('${entente}'),
      app: 'cop-xaa',
      nations: Object.fromEntries(nations),
      ...this.people,
    };
    const described = this.#writeJson('demo.json', demo);
    // For the newcomer's hands: `./as ingrid open report.tdf -o report.txt`.
    const quoted = [process.execPath, join(here, 'as.mjs'), described].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
    writeFileSync(join(this.folder, 'as'), `#!/bin/sh\nexec ${quoted.join(' ')} "$@"\n`, { mode: 0o700 });
    return demo;
  }
}

// A verb of the command line, for a shell.
function commandOf(cli, ...verb) {
  const words = cli.flatMap((word) => (word === '{}' ? verb : [word]));
  return words.map((word) => (/^[\w./:=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}

function introduce(demo) {
  const rows = demo.people.map((person) => [
    person.nation,
    person.login,
    person.passphrase,
    `${person.name}, ${person.post}`,
    person.may,
  ]);
  const lobbies = Object.entries(demo.nations).map(([code, nation]) => `  ${code}  ${nation.lobby}/`);
  const { cli, console: desk } = demo.nations.XAA;
  const suspend = commandOf(cli, 'partner', 'suspend', 'XBB', '--reason', 'exercise: keys under review');
  process.stdout.write(`
EXERCISE. Mission ${demo.mission}: the coalition is up, on this machine only.

Open a lobby:
${lobbies.join('\n')}

Sign in as:
${table(['nation', 'name', 'passphrase', 'who', 'what they can do'], rows)}

End all sharing with Borealis while its people watch the map (to take it back: resume instead of suspend):
  ${suspend}
or do it at Aldoria's console, as lena: ${desk}/

Seal a report, share it, take it back (docs/tutorial.md, section 13):
  cd ${demo.folder} && echo "EXERCISE: ten tents, two doctors" > report.txt
  ./as konrad seal report.txt --for XBB -o report.tdf
  ./as ingrid open report.tdf -o read.txt      or, as ingrid in a browser: Sealed objects, in her lobby

The certificates are signed by an authority made for this run (${demo.authority}).
--open brings a browser that trusts it. Ctrl-C ends everything.
`);
}

async function openBrowser(demo, supervisor) {
  const lobbies = Object.values(demo.nations).map((nation) => `${nation.lobby}/`);
  const folder = join(demo.folder, 'browser');
  const { command, env } = await visibleBrowser(
    folder,
    demo.authority,
    demo.publicKeyDigests,
    lobbies.reverse(),
  );
  await supervisor.start('browser', command, { file: join(folder, 'profile') }, { env, mayEnd: true });
}

// Plays the journeys in a headless browser that `closers` learns to close.
async function playStory(demo, shots, closers) {
  process.env.TMPDIR = demo.folder; // the headless browser's profile goes with the rest
  const { stageFor } = await import('../tests/journeys/stage.mjs');
  const { story } = await import('../tests/journeys/story.mjs');
  const stage = await stageFor(demo, shots && resolve(shots));
  closers.push(() => stage.close());
  return story(stage);
}

// --steer: tests stop and start single processes. One JSON line each on standard input, answered by one line:
// {"stop": "node-xaa", "signal": "SIGKILL"} or {"start": "node-xaa"}.
async function steer(supervisor) {
  for await (const line of createInterface(process.stdin)) {
    let answer;
    try {
      const { stop, signal, start } = JSON.parse(line);
      answer = start ? { said: await supervisor.again(start) } : { how: await supervisor.stop(stop, signal) };
    } catch (error) {
      answer = { error: error.message };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

async function main() {
  const args = readArguments();
  const folder = makeFolder(args.keep);
  const closers = [];
  let ending;
  const end = (code, message) => {
    ending ??= (async () => {
      if (message) process.stderr.write(`demo: ${message}\n`);
      await Promise.allSettled(closers.map((close) => close()));
      await supervisor.end();
      if (!args.keep) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
      process.exit(code);
    })();
    return ending;
  };
  const supervisor = new Supervisor({
    folder,
    keep: Boolean(args.keep),
    onLoss: (message) => end(1, message),
    onAgain: (message) => process.stderr.write(`demo: ${message}\n`),
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(0));
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && end(0), kParentPollMs).unref();
  try {
    const demo = await new Demonstration(args, folder, supervisor).start();
    if (args.json)
      process.stdout.write(`${JSON.stringify({ ready: true, demo: join(folder, 'demo.json') })}\n`);
    else if (!args.story) introduce(demo);
    if (args.steer) steer(supervisor);
    if (args.open) await openBrowser(demo, supervisor);
    if (!args.story) return;
    const { passed, text } = await playStory(demo, args.shots, closers);
    if (!ending) process.stdout.write(text);
    await end(passed ? 0 : 1);
  } catch (error) {
    if (!ending) await end(1, error.message);
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`demo: ${error.message}\n`);
  process.exit(2);
}
