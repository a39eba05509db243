// Starts the demonstration's processes, each in a group of its own, waits until they serve, and ends them
// all.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const kReadyMsMax = 20_000;
const kRunMsMax = 20_000;
const kGraceMs = 3000; // from asking a process to end until it is made to
const kPollMs = 40;
const kTailLines = 20;
const kLogBytesMax = 32 * 1024 * 1024;

const here = dirname(fileURLToPath(import.meta.url));

function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It ended in the meantime.
  }
}

const opens = (target) =>
  new Promise((resolve) => {
    const socket = connect(target);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

// How a process shows that it serves: a line of output that matches, a file or socket that is there, a port
// that accepts.
const signs = {
  line: (pattern) => ({ output: new RegExp(pattern) }),
  file: (path) => ({ poll: () => existsSync(path) }),
  socket: (path) => ({ poll: () => opens({ path }) }),
  port: (port) => ({ poll: () => opens({ host: '127.0.0.1', port: Number(port) }) }),
};

class Child {
  tail = [];
  logged = 0;
  lines = [];

  constructor(name, command, logPath, env) {
    this.name = name;
    this.logPath = logPath;
    const options = { detached: true, stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } };
    this.process = spawn(command[0], command.slice(1), options);
    this.process.stdin.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.process.once('error', (error) => resolve(`could not be started (${error.code ?? error.message})`));
      this.process.once('exit', (code, signal) =>
        resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`),
      );
    });
    this.#keep(this.process.stdout, (line) => this.#offer(line));
    this.#keep(this.process.stderr, () => {});
  }

  get running() {
    return (
      this.process.pid !== undefined && this.process.exitCode === null && this.process.signalCode === null
    );
  }

  #keep(stream, also) {
    createInterface(stream).on('line', (line) => {
      this.tail.push(line);
      if (this.tail.length > kTailLines) this.tail.shift();
      this.logged += line.length + 1;
      if (this.logged < kLogBytesMax) appendFileSync(this.logPath, `${line}\n`);
      also(line);
    });
  }

  #offer(line) {
    if (this.onLine) this.onLine(line);
    else if (this.lines.length < kTailLines) this.lines.push(line);
  }

  // Resolves with the first line of standard output that matches.
  line(pattern) {
    return new Promise((resolve) => {
      const look = (line) => pattern.test(line) && resolve(line);
      this.onLine = look;
      this.lines.forEach(look);
    });
  }

  said() {
    return this.tail.map((line) => `    ${line}`).join('\n');
  }
}

export class Supervisor {
  #children = [];
  #staying = new Map(); // name -> how it was started, and the process that runs under that name now
  #ending;
  #warden;

  // onLoss(message) is called when a process ends that nobody asked to end, onAgain(message) when it is one
  // that is started again.
  constructor({ folder, keep, onLoss, onAgain = () => {} }) {
    this.logs = join(folder, 'log');
    this.onLoss = onLoss;
    this.onAgain = onAgain;
    mkdirSync(this.logs, { recursive: true, mode: 0o700 });
    this.#warden = spawn(process.execPath, [join(here, 'warden.mjs')], {
      detached: true,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    this.#warden.stdin.on('error', () => {});
    if (!keep) this.#note({ folder });
  }

  #note(note) {
    this.#warden.stdin.write(`${JSON.stringify(note)}\n`);
  }

  #spawn(name, command, env) {
    if (this.#ending) throw new Error('the demonstration is ending');
    const child = new Child(name, command, join(this.logs, `${name}.log`), env);
    if (child.process.pid) {
      this.#children.push(child);
      this.#note({ started: child.process.pid });
    }
    child.ended.then(() => {
      // Its group may hold children of its own still; what is left of it ends with it.
      if (child.process.pid) signalGroup(child.process, 'SIGKILL');
      if (child.process.pid) this.#note({ ended: child.process.pid });
    });
    return child;
  }

  // Starts a process that is to stay. Answers the line or true that showed it to be ready. With
  // `againAfterS`, as a service manager would: lost, it is started again after so many seconds.
  async start(name, command, ready, { env = {}, mayEnd = false, againAfterS } = {}) {
    const child = this.#spawn(name, command, env);
    this.#staying.set(name, { child, command, ready, options: { env, mayEnd, againAfterS } });
    let serving = false;
    child.ended.then(async (how) => {
      if (!serving || mayEnd || child.stopped || this.#ending) return;
      const lost = `${name} ${how}. It last said:\n${child.said()}`;
      if (againAfterS === undefined) return this.onLoss(lost);
      this.onAgain(`${name} ${how}; it is started again in ${againAfterS} s`);
      await wait(againAfterS * 1000, undefined, { ref: false });
      if (this.#ending || this.#known(name).child !== child) return;
      await this.again(name).catch((error) => this.#ending || this.onLoss(error.message));
    });
    const shown = await this.#ready(child, ready);
    serving = true;
    return shown;
  }

  async #ready(child, ready) {
    const [[kind, value]] = Object.entries(ready ?? { line: '"ready":true' });
    const { output, poll } = signs[kind](value);
    const patience = new AbortController();
    const lost = child.ended.then((how) => {
      throw new Error(`${child.name} ${how} before it was ready. It said:\n${child.said()}`);
    });
    const late = wait(kReadyMsMax, undefined, { signal: patience.signal }).then(() => {
      throw new Error(`${child.name} was not ready after ${kReadyMsMax / 1000} s. It said:\n${child.said()}`);
    });
    late.catch(() => {});
    lost.catch(() => {});
    const polled = async () => {
      while (!patience.signal.aborted && !(await poll())) await wait(kPollMs);
      return true;
    };
    try {
      return await Promise.race([output ? child.line(output) : polled(), lost, late]);
    } finally {
      patience.abort();
    }
  }

  // Ends one process on purpose, with a signal, and waits until it is gone.
  async stop(name, signal = 'SIGTERM') {
    const { child } = this.#known(name);
    child.stopped = true;
    if (child.running) signalGroup(child.process, signal);
    return child.ended;
  }

  // Starts a stopped process again, the way it was started before.
  async again(name) {
    const { child, command, ready, options } = this.#known(name);
    if (child.running) throw new Error(`${name} still runs`);
    return this.start(name, command, ready, options);
  }

  #known(name) {
    const found = this.#staying.get(name);
    if (!found)
      throw new Error(`no process is called ${name}; there are: ${[...this.#staying.keys()].join(', ')}`);
    return found;
  }

  // Runs a command to its end. Answers its standard output; throws if it fails.
  async run(name, command, { env = {} } = {}) {
    const child = this.#spawn(name, command, env);
    const output = [];
    child.onLine = (line) => output.push(line);
    child.lines.forEach(child.onLine);
    child.process.stdin.end();
    const timer = setTimeout(() => signalGroup(child.process, 'SIGKILL'), kRunMsMax);
    const closed = once(child.process, 'close').catch(() => {});
    const how = await child.ended;
    if (child.process.pid) await closed;
    clearTimeout(timer);
    if (how !== 'ended with code 0')
      throw new Error(`${name}: ${command.join(' ')} ${how}. It said:\n${child.said()}`);
    return output.join('\n');
  }

  // Ends everything in the opposite order of starting; afterwards no process of ours is left.
  end() {
    this.#ending ??= this.#endAll();
    return this.#ending;
  }

  async #endAll() {
    const living = this.#children.filter((child) => child.running).reverse();
    for (const child of living) {
      signalGroup(child.process, 'SIGTERM');
      child.process.stdin.end();
    }
    const timer = setTimeout(
      () => living.forEach((child) => signalGroup(child.process, 'SIGKILL')),
      kGraceMs,
    );
    await Promise.all(living.map((child) => child.ended));
    clearTimeout(timer);
    this.#note({ dismissed: true });
    this.#warden.stdin.end();
    await once(this.#warden, 'exit');
  }
}
