// Faults: nodes killed in mid stream, a ledger and a store that somebody touched, a configuration
// that is wrong. What was acknowledged holds; what was touched is found; what is wrong does not start.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, command, program, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

let coalition, scratch;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start();
  scratch = mkdtempSync(join(tmpdir(), 'entente-faults-'));
});

after(async () => {
  await coalition?.end();
  if (scratch) rmSync(scratch, { recursive: true, force: true });
});

const opened = (login) => Visitor.insideAgain(coalition, login);

system(
  'a host node killed in mid stream: streams end, nothing acknowledged is lost, all is back',
  async (context) => {
    const [ingrid, konrad] = [await opened('ingrid'), await opened('konrad')];
    const streams = [await ingrid.watch(), await konrad.watch()];
    await until('tracks arrive', () => streams.every(({ messages }) => messages > 1));
    const { sessions } = await coalition.ask('XAA', 'session', 'ls');
    await coalition.stop('node-xaa', 'SIGKILL');
    await Promise.all(streams.map(({ closed }) => closed));
    const refused = await ingrid.go(`${ingrid.nation.app}/`);
    assert.notEqual(refused.status, 200);
    const unanswered = await coalition.cli('XAA', 'partner', 'list');
    assert.equal(unanswered.code, 3, `a node that does not answer has a code of its own: ${unanswered.output}`);
    const unverified = await coalition.cli('XAA', 'ledger', 'verify');
    assert.ok(unverified.code === 0 || unverified.code === 5, `killed, not tampered with: ${unverified.output}`);
    const begun = performance.now();
    const since = () => Math.round(performance.now() - begun);
    const serving = until('the door serves', () =>
      new Visitor(coalition, 'konrad').go(`${konrad.nation.lobby}/`).then(since, () => undefined),
    );
    const linked = until('link and connector are back', async () => {
      const [partners, connectors] = [
        await coalition.cli('XAA', 'partner', 'list', '--json'),
        await coalition.cli('XAA', 'connector', 'list', '--json'),
      ];
      return (
        partners.code === 0 &&
        /"both ways"/.test(partners.output) &&
        /"state": *"up"/.test(connectors.output) &&
        since()
      );
    });
    await coalition.startAgain('node-xaa');
    context.diagnostic(
      `after kill -9: serving ${await serving} ms, link and connector back ${await linked} ms after the start (targets 1000, 2000)`,
    );
    for (const login of ['konrad', 'ingrid']) {
      const stream = await (await opened(login)).watch();
      await until(`${login} sees tracks`, () => stream.messages > 1);
      stream.socket.terminate();
    }
    assert.equal((await coalition.partner('XAA', 'XBB')).link, 'both ways');
    await coalition.verify('XAA');
    for (const { verdict } of sessions) {
      const why = await coalition.cli('XAA', 'why', verdict);
      assert.equal(why.code, 0, `a verdict from before the kill: ${why.output}`);
    }
  },
);

system('a suspension that was answered holds after a kill, at once and on both sides', async () => {
  await opened('ingrid');
  const answer = await coalition.ask(
    'XAA',
    'partner',
    'suspend',
    'XBB',
    '--reason',
    'exercise: before a kill',
  );
  await coalition.stop('node-xaa', 'SIGKILL');
  await coalition.startAgain('node-xaa');
  assert.equal(answer.durable, true);
  await coalition.verify('XAA');
  const held = await coalition.partner('XAA', 'XBB');
  assert.equal(held.state, 'suspended');
  assert.equal(held.reason, 'exercise: before a kill');
  const ingrid = await Visitor.in(coalition, 'ingrid');
  for (let i = 0; i < 10; i += 1) {
    assert.notEqual((await ingrid.openApp()).status, 200);
    await wait(150);
  }
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: after the kill');
  await wait(1100); // a sign-in is stamped in whole seconds
  await opened('ingrid');
});

system('killed again and again amid changes, each answered change is there', async () => {
  const last = 2;
  for (let round = 0; round <= last; round += 1) {
    const reason = `exercise: round ${round}`;
    const killed = coalition.cli('XAA', 'partner', 'suspend', 'XBB', '--reason', reason, '--json');
    await wait(15 * round);
    const answer = await (round === last ? killed : Promise.race([killed, wait(40)]));
    if (round === last) assert.equal(answer.code, 0, `one at least is answered: ${answer.output}`);
    await coalition.stop('node-xaa', 'SIGKILL');
    await killed;
    await coalition.startAgain('node-xaa');
    await coalition.verify('XAA');
    if (answer?.code === 0) assert.equal((await coalition.partner('XAA', 'XBB')).state, 'suspended', reason);
    await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: next');
  }
});

system(
  'a home node killed: its people are outside at the host too, and come back by signing in',
  async () => {
    await opened('ingrid');
    await coalition.stop('node-xbb', 'SIGKILL');
    await until('the host lets nobody of theirs live on', async () => {
      const { sessions } = await coalition.ask('XAA', 'session', 'ls');
      return !sessions.some(({ partner: nation, state }) => nation === 'XBB' && state === 'live');
    });
    await coalition.startAgain('node-xbb');
    await opened('ingrid');
    await coalition.verify('XBB');
  },
);

system('a killed connector and a killed app are back by themselves', async () => {
  const konrad = await opened('konrad');
  for (const name of ['connector-cop-1', 'cop-1']) {
    await coalition.stop(name, 'SIGKILL');
    const page = await konrad.go(`${konrad.nation.app}/me`);
    assert.ok(page.status === 502 || page.status === 503, `${name}: ${page.status}`);
    assert.match(page.body, /data-refusal="app-down"/);
    await coalition.startAgain(name);
    await opened('konrad');
  }
});

function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function flip(path, at) {
  const bytes = readFileSync(path);
  bytes[at] ^= 0x01;
  writeFileSync(path, bytes);
}

// The node on a copy of its data that somebody touched: neither verified nor started.
async function touched(change) {
  const data = join(scratch, `touched-${Math.random().toString(36).slice(2)}`);
  cpSync(coalition.nation('XAA').data, data, { recursive: true });
  await change(data);
  const config = readJson(coalition.config('XAA'));
  const path = `${data}.json`;
  const socket = join(scratch, 'touched.sock');
  writeJson(path, { ...config, data, operators_socket: socket, door: { ...config.door, port: 0 } });
  const verified = await command([program, 'ledger', 'verify', '--config', path]);
  const started = await command([program, 'node', 'run', '--config', path], { timeout: 3000 });
  const listens = existsSync(socket);
  rmSync(data, { recursive: true, force: true });
  rmSync(socket, { force: true });
  return { verified, started, listens };
}

system('whoever touches the ledger or the store is found, and the node does not start', async () => {
  const { DatabaseSync } = await import('node:sqlite');
  await coalition.stop('node-xaa');
  const older = join(scratch, 'older');
  cpSync(coalition.nation('XAA').data, older, { recursive: true });
  const seen = join(scratch, 'seen.note');
  await coalition.startAgain('node-xaa');
  await coalition.ask('XAA', 'partner', 'suspend', 'XBB', '--reason', 'exercise: newer than the copy');
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: newer than the copy');
  await coalition.stop('node-xaa');
  const put = (part) => (data) => {
    rmSync(join(data, part), { recursive: true });
    cpSync(join(older, part), join(data, part), { recursive: true });
  };
  try {
    const newest = await coalition.cli('XAA', 'ledger', 'verify', '--checkpoint-out', seen);
    assert.equal(newest.code, 0, newest.output);
    const clean = await touched(() => {});
    assert.equal(clean.verified.code, 0, clean.verified.output);
    assert.equal(clean.started.code, null, `untouched it runs until it is stopped: ${clean.started.output}`);

    // A whole folder put back is right in itself: only a checkpoint that was kept elsewhere shows it.
    const path = `${older}.json`;
    writeJson(path, { ...readJson(coalition.config('XAA')), data: older });
    const alone = await command([program, 'ledger', 'verify', '--config', path]);
    assert.equal(alone.code, 0, alone.output);
    const against = await command([program, 'ledger', 'verify', '--config', path, '--remembered', seen]);
    assert.equal(against.code, 4, against.output);
    assert.match(against.output, /rolled-back/);

    const segment = (data, kind) => join(data, 'ledger', kind, '00000000.seg');
    const used = (path) => readFileSync(path).findLastIndex((byte) => byte !== 0) + 1;
    const sql = (statement) => (data) => {
      const database = new DatabaseSync(join(data, 'store', 'store.db'));
      database.exec(statement);
      database.close();
    };
    const cases = {
      'the store put back to an older copy': put('store'),
      'the ledger put back to an older copy': put('ledger'),
      'the store deleted': (data) => rmSync(join(data, 'store'), { recursive: true }),
      "the store's database emptied": (data) => writeFileSync(join(data, 'store', 'store.db'), ''),
      'the log deleted': (data) => rmSync(join(data, 'ledger', 'log'), { recursive: true }),
      'one byte flipped early in the log': (data) => flip(segment(data, 'log'), 200),
      'one byte flipped in the middle of the log': (data) =>
        flip(segment(data, 'log'), Math.floor(used(segment(data, 'log')) / 2)),
      "one byte flipped in the owner's plain text": (data) =>
        flip(segment(data, 'own'), Math.floor(used(segment(data, 'own')) / 2)),
      'the checkpoint rewritten': (data) => {
        const path = join(data, 'ledger', 'checkpoint');
        const lines = readFileSync(path, 'utf8').split('\n');
        lines[1] = String(Number(lines[1]) - 1);
        writeFileSync(path, lines.join('\n'));
      },
      'the log cut off': (data) => {
        const path = segment(data, 'log');
        writeFileSync(path, readFileSync(path).fill(0, Math.floor(used(path) / 2)));
      },
      'a row slipped into the store': sql(
        "insert into records (key, value, rev) select 'operator/mallory', value, rev from records where key = 'operator/lena.brandtner'",
      ),
      'a row changed': sql(
        "update records set value = replace(value, 'Lena', 'Lina') where key = 'operator/lena.brandtner'",
      ),
      'a row removed': sql("delete from records where key = 'policy/home/people'"),
    };
    const faults = [];
    for (const [name, change] of Object.entries(cases)) {
      const { verified, started, listens } = await touched(change);
      if (verified.code !== 4) faults.push(`${name}: verify ends with ${verified.code}: ${verified.output}`);
      if (started.code !== 1 || listens)
        faults.push(`${name}: the node starts (${started.code}): ${started.output}`);
    }
    assert.deepEqual(faults, []);
  } finally {
    await coalition.startAgain('node-xaa');
  }
});

// The openssl program backdates only where it plays an authority.
function expiredCertificate(key, certificate) {
  const settings = {
    ca: { default_ca: 'house' },
    house: {
      database: 'index',
      new_certs_dir: '.',
      default_md: 'sha256',
      policy: 'names',
      rand_serial: 'yes',
    },
    names: { commonName: 'supplied' },
  };
  const lines = Object.entries(settings).flatMap(([name, pairs]) => [
    `[${name}]`,
    ...Object.entries(pairs).map((pair) => pair.join('=')),
  ]);
  writeFileSync(join(scratch, 'authority.cnf'), `${lines.join('\n')}\n`);
  writeFileSync(join(scratch, 'index'), '');
  const openssl = (line, ...more) =>
    execFileSync('openssl', [...line.split(' '), ...more], { cwd: scratch, stdio: 'ignore' });
  openssl(
    'req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=old -out old.csr -keyout',
    key,
  );
  const time = '-startdate 20200101000000Z -enddate 20200201000000Z';
  openssl(
    `ca -selfsign -batch -notext -config authority.cnf ${time} -in old.csr -keyfile`,
    key,
    '-out',
    certificate,
  );
}

// One that the system gives to nobody else for a while.
async function unusedPort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const refusesToConnect = (port) =>
  new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('error', () => done(true)).once('connect', () => (socket.destroy(), done(false)));
  });

system(
  'a wrong configuration: one line that says where and what would be right, and nothing starts',
  async () => {
    const good = readJson(coalition.config('XAA'));
    const port = await unusedPort();
    const old = join(scratch, 'old.pem');
    const key = join(scratch, 'old-key.pem');
    expiredCertificate(key, old);
    const door = { ...good.door, port };
    const cases = {
      'an unknown key': [{ ...good, door, colour: 'blue' }, /colour/],
      'an unknown key inside': [{ ...good, door: { ...door, prot: 1 } }, /prot/],
      'a wrong type': [{ ...good, door: { ...door, port: 'many' } }, /port|number/],
      'a number out of range': [{ ...good, door: { ...door, port: 70_000 } }, /65535/],
      'a missing key': [{ ...good, door, data: undefined }, /data/],
      'a file that is not there': [{ ...good, door: { ...door, certificate: '/nowhere.pem' } }, /nowhere/],
      'an expired certificate': [{ ...good, door: { ...door, certificate: old, key } }, /ended/],
      'a limit that is none': [{ ...good, door, limits: { half_open_max: 0 } }, /half_open_max|4/],
      'another certificate\'s key': [{ ...good, door: { ...door, key } }, /not that of the certificate/],
      'a name that is not the certificate\'s': [{ ...good, door: { ...door, name: 'other.localhost' } }, /other\.localhost/],
    };
    const path = join(scratch, 'node.json');
    for (const [name, [config, says]] of Object.entries(cases)) {
      writeJson(path, config);
      // Whoever has to suspend a partner is kept from it by none of this: the node runs.
      const asked = await command([program, 'partner', 'list', '--config', path], { timeout: 5000 });
      assert.equal(asked.code, 0, `${name}: ${asked.output}`);
      for (const verb of [
        ['node', 'run'],
        ['node', 'check'],
      ]) {
        const { code, output } = await command([program, ...verb, '--config', path], { timeout: 5000 });
        assert.equal(code, 1, `${name}: ${output}`);
        assert.equal(output.split('\n').length, 1, `${name}: ${output}`);
        assert.match(output, /node\.json:\d+:\d+/, name);
        assert.match(output, says, name);
        assert.match(output, /\(.+\)/, `${name}: what would be right: ${output}`);
      }
      assert.ok(await refusesToConnect(port), `${name}: nothing listens`);
    }
    for (const text of ['', '{', '{"partner": "XAA",}', '[1]', '{"a":1}{']) {
      writeFileSync(path, text);
      const { code, output } = await command([program, 'node', 'run', '--config', path], { timeout: 5000 });
      assert.equal(code, 1, output);
      assert.match(output, /node\.json:\d+:\d+/, JSON.stringify(text));
    }
    // An audit asks for the data alone; what is mistyped is no sign that somebody touched it.
    const verify = async (config, ...more) => {
      writeJson(path, config);
      return (await command([program, 'ledger', 'verify', '--config', path, ...more])).code;
    };
    const ended = { ...good, door: { ...door, certificate: old, key } };
    await until('an audit does not need the door', async () => (await verify(ended)) === 0);
    assert.equal(await verify({ ...good, data: join(scratch, 'nowhere') }), 1);
    assert.equal(await verify(good, '--remembered', join(scratch, 'nowhere.note')), 1);
  },
);

system('a wrong configuration of a connector: one line, and nothing starts', async () => {
  const good = readJson(join(dirname(coalition.config('XAA')), 'connector-cop-1.json'));
  const [target] = good.targets;
  const cases = {
    'an unknown key': [{ ...good, colour: 'blue' }, /colour/],
    'an address without a port': [{ ...good, node: { ...good.node, address: '127.0.0.1' } }, /port/],
    'no thumbprint': [{ ...good, node: { ...good.node, thumbprint: 'x' } }, /thumbprint/],
    'an app twice': [{ ...good, targets: [target, { ...target, socket: 'other.sock' }] }, /twice/],
    'no app': [{ ...good, targets: [] }, /at least one/],
  };
  const path = join(scratch, 'connector.json');
  for (const [name, [config, says]] of Object.entries(cases)) {
    const data = join(scratch, 'connector-data');
    writeJson(path, { ...config, data });
    const { code, output } = await command([program, 'connector', 'run', '--config', path], { timeout: 5000 });
    assert.equal(code, 1, `${name}: ${output}`);
    assert.match(output, /connector\.json:\d+:\d+/, name);
    assert.match(output, says, name);
    assert.ok(!existsSync(data), `${name}: no key was made`);
  }
});
