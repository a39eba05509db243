// A running coalition for attacks: started here, steered from here (single processes stopped and started
// again), with what only these tests need changed in its plan.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeSmaller } from '../../demo/smaller.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const kCliMsMax = 45_000;
const kLoops = Number(process.env.ENTENTE_LOOPS ?? 2); // of each node: what goes between loops is attacked too

export const program = process.env.ENTENTE_PROGRAM;
export const skip = program ? false : 'ENTENTE_PROGRAM names no built entente';
export const system = (name, run) => test(name, { skip }, run);

export function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

export function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
}

// In a plan: the limits of a nation's node.
export function setLimits(plan, nation, limits) {
  const path = join(plan, `node-${nation.toLowerCase()}.json`);
  writeJson(path, { ...readJson(path), limits });
}

// In a plan: every node starts with a library before its own, and a setting for that; {nation} stands for its nation.
export function preload(plan, library, setting) {
  const path = join(plan, 'plan.json');
  const whole = readJson(path);
  const start = whole.steps.find((step) => step.start === 'node-{nation}');
  start.command = ['env', `LD_PRELOAD=${library}`, setting, ...start.command];
  writeJson(path, whole);
}

// Runs a command to its end. Answers { code, output }.
export async function command(words, options = {}) {
  const child = spawn(words[0], words.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: kCliMsMax,
    killSignal: 'SIGKILL',
    ...options,
  });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => output.push(data));
  const [code] = await once(child, 'close');
  return { code, output: Buffer.concat(output).toString('utf8').trim() };
}

// Asks until `done` answers something true, or fails with `what` after a bounded time.
export async function until(what, done, msMax = 15_000) {
  const end = performance.now() + msMax;
  for (;;) {
    const found = await done();
    if (found) return found;
    assert.ok(performance.now() < end, `not within ${msMax / 1000} s: ${what}`);
    await wait(50);
  }
}

export class Coalition {
  // change(folder) may edit the copied demo/coalition before anything starts. Two nations and one app, unless
  // a test needs more.
  static async start(change, { nations = ['XAA', 'XBB'], apps = ['cop-1'] } = {}) {
    const plan = mkdtempSync(join(tmpdir(), 'entente-system-'));
    cpSync(join(here, '../../demo/coalition'), plan, { recursive: true });
    makeSmaller(plan, nations, apps);
    for (const code of nations) {
      const path = join(plan, `node-${code.toLowerCase()}.json`);
      writeJson(path, { ...readJson(path), loops: kLoops });
    }
    change?.(plan);
    const args = [join(here, '../../demo/launch.mjs'), '--json', '--steer', '--entente', program];
    const launcher = spawn(process.execPath, [...args, '--coalition', plan], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const coalition = new Coalition(plan, launcher);
    try {
      return await coalition.#ready(apps);
    } catch (error) {
      await coalition.end();
      throw error;
    }
  }

  constructor(plan, launcher) {
    Object.assign(this, { plan, launcher });
    this.lines = createInterface(launcher.stdout)[Symbol.asyncIterator]();
  }

  async #ready(apps) {
    const { value } = await this.lines.next();
    if (!value) throw new Error('the coalition did not start; what it said is above');
    this.demo = readJson(JSON.parse(value).demo);
    this.folder = this.demo.folder;
    this.ca = readFileSync(this.demo.authority);
    const codes = Object.keys(this.demo.nations);
    await until('links and connectors are up', async () => {
      let up = 0;
      for (const code of codes) {
        const { partners } = await this.ask(code, 'partner', 'list');
        if (partners.some(({ code: other, link }) => codes.includes(other) && other !== code && link !== 'both ways'))
          return false;
        const { connectors } = await this.ask(code, 'connector', 'list');
        up += connectors.filter(({ state }) => state === 'up').length;
      }
      return up >= apps.length;
    });
    return this;
  }

  nation(code) {
    return this.demo.nations[code];
  }

  person(login) {
    return this.demo.people.find((person) => person.login === login);
  }

  file(...parts) {
    return join(this.folder, ...parts);
  }

  config(code) {
    return this.file('coalition', `node-${code.toLowerCase()}.json`);
  }

  // The process that runs by this configuration.
  processOf(configuration) {
    const pid = readdirSync('/proc').find((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        return words[0] === this.demo.entente && words.includes(configuration);
      } catch {
        return false;
      }
    });
    assert.ok(pid > 1, `nothing runs by ${configuration}`);
    return Number(pid);
  }

  // A verb as the nation's operator: { code, output }.
  cli(nation, ...verb) {
    return command(this.nation(nation).cli.flatMap((word) => (word === '{}' ? verb : [word])));
  }

  // The same with --json; answers what it says, and fails unless it is done.
  async ask(nation, ...verb) {
    const { code, output } = await this.cli(nation, ...verb, '--json');
    assert.equal(code, 0, output);
    return JSON.parse(output);
  }

  // An operator's answer to a request or a release, as it reads at that moment.
  async answer(nation, kind, verb, id, ...words) {
    const { seen } = await this.ask(nation, kind, 'show', id);
    return this.ask(nation, kind, verb, id, '--seen', seen, ...words);
  }

  async sessions(nation) {
    return (await this.ask(nation, 'session', 'ls')).sessions;
  }

  async partner(nation, other) {
    return (await this.ask(nation, 'partner', 'list')).partners.find(({ code }) => code === other);
  }

  // The ledger of a node that runs may be read in the middle of a write: then once more.
  async verify(nation) {
    let said;
    await until(
      `the ledger of ${nation} verifies`,
      async () => {
        said = await this.cli(nation, 'ledger', 'verify');
        return said.code === 0;
      },
      3000,
    ).catch((error) => assert.fail(`${error.message}: ${said.output}`));
    return said.output;
  }

  async #steer(order) {
    this.launcher.stdin.write(`${JSON.stringify(order)}\n`);
    const { value } = await this.lines.next();
    const answer = JSON.parse(value ?? '{"error":"the coalition has ended"}');
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  stop(name, signal = 'SIGTERM') {
    return this.#steer({ stop: name, signal });
  }

  startAgain(name) {
    return this.#steer({ start: name });
  }

  log(name) {
    const path = this.file('log', `${name}.log`);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  async end() {
    this.launcher.kill('SIGTERM');
    if (this.launcher.exitCode === null && this.launcher.signalCode === null)
      await once(this.launcher, 'exit');
    rmSync(this.plan, { recursive: true, force: true });
  }
}
