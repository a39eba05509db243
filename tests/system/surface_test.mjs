// What of a running coalition can be reached at all: every socket that any of its processes listens on, as the
// kernel lists them. Each nation has its door; nothing else of the product listens to a network.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { after, before } from 'node:test';
import { Coalition, skip, system } from './coalition.mjs';

const kLoopback = '0100007F'; // 127.0.0.1 as /proc/net/tcp writes it
const kListen = '0A';
const kAcceptsUnix = 0x10000; // __SO_ACCEPTCON
const apps = ['cop-1', 'cop-2', 'wiki-1', 'calendar-1'];
let coalition;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(undefined, { nations: ['XAA', 'XBB', 'XCC'], apps });
});

after(() => coalition?.end());

const lines = (path) => readFileSync(path, 'utf8').trim().split('\n').slice(1);

// inode -> what listens there; UDP has no listening, so whatever is bound counts.
function listening() {
  const found = new Map();
  for (const kind of ['tcp', 'tcp6', 'udp', 'udp6'])
    for (const line of lines(`/proc/net/${kind}`)) {
      const words = line.trim().split(/\s+/);
      const [address, port] = words[1].split(':');
      if (kind.startsWith('udp') || words[3] === kListen)
        found.set(words[9], { kind, address, port: parseInt(port, 16) });
    }
  for (const line of lines('/proc/net/unix')) {
    const [, , , flags, , , inode, ...path] = line.trim().split(/\s+/);
    if (parseInt(flags, 16) & kAcceptsUnix) found.set(inode, { kind: 'unix', path: path.join(' ') });
  }
  return found;
}

// A process may end while it is looked at.
function orNothing(read, nothing) {
  try {
    return read();
  } catch {
    return nothing;
  }
}

// Every process that the launcher started, and theirs: { pid, name }. A name is that of the settings it was given.
function processes() {
  const parents = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const stat = orNothing(() => readFileSync(`/proc/${pid}/stat`, 'utf8'), '');
    parents.set(Number(pid), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const isOurs = (pid) => pid === coalition.launcher.pid || (pid > 1 && isOurs(parents.get(pid) ?? 0));
  return [...parents.keys()].filter(isOurs).map((pid) => {
    const words = orNothing(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'), '').split('\0');
    const settings = words.find((word) => word.startsWith(coalition.folder) && word.endsWith('.json'));
    return { pid, name: settings ? basename(settings, '.json') : basename(words[1] || words[0]) };
  });
}

// [{ name, kind, ... }], one for each socket and process that holds it.
function surface() {
  const sockets = listening();
  return processes().flatMap(({ pid, name }) => {
    const links = orNothing(() => readdirSync(`/proc/${pid}/fd`), []).map((fd) =>
      orNothing(() => readlinkSync(`/proc/${pid}/fd/${fd}`), ''),
    );
    const inodes = links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]);
    return inodes.filter((inode) => sockets.has(inode)).map((inode) => ({ name, ...sockets.get(inode) }));
  });
}

system('each nation has one open port, its door; connectors and apps have none', (context) => {
  const names = processes().map(({ name }) => name);
  for (const name of ['node-xaa', 'node-xbb', 'node-xcc', ...apps, ...apps.map((id) => `connector-${id}`)])
    assert.ok(names.includes(name), `${name} is looked at: ${names.join(' ')}`);
  const all = surface();
  const network = all.filter(({ kind }) => kind !== 'unix');
  const of = (name) => network.filter((one) => one.name === name);
  for (const code of ['XAA', 'XBB', 'XCC']) {
    const { port } = coalition.nation(code);
    assert.deepEqual(of(`node-${code.toLowerCase()}`), [
      { name: `node-${code.toLowerCase()}`, kind: 'tcp', address: kLoopback, port },
    ]);
  }
  for (const id of apps) assert.deepEqual([...of(id), ...of(`connector-${id}`)], [], id);

  // What else listens is no part of a node: the nations' providers, and the calendar program behind its adapter.
  const others = network.filter(({ name }) => !name.startsWith('node-'));
  const providers = ['provider-xaa', 'provider-xbb', 'provider-xcc'].flatMap(of);
  assert.equal(providers.length, 3);
  const said = coalition.log('calendar-1').split('\n').find((line) => line.includes('"ready"'));
  const { port: calendar } = JSON.parse(said);
  const rest = others.filter((one) => !providers.includes(one));
  assert.ok(rest.length > 0);
  for (const one of rest) assert.equal(one.port, calendar, JSON.stringify(one));
  context.diagnostic(`attack surface: 1 network listener for each nation, ${all.length} sockets listen in all`);
});

system('nothing listens beyond this machine, nothing on UDP or IPv6, and no socket has a name without an owner', () => {
  const all = surface();
  for (const one of all.filter(({ kind }) => kind !== 'unix')) {
    assert.equal(one.kind, 'tcp', JSON.stringify(one));
    assert.equal(one.address, kLoopback, JSON.stringify(one));
  }
  const local = all.filter(({ kind }) => kind === 'unix');
  for (const { path, name } of local) {
    assert.ok(path.startsWith(`${coalition.folder}/`), `${name}: ${path}`); // an abstract name would start with @
    const mode = statSync(path).mode & 0o077;
    assert.ok(mode === 0 || (statSync(coalition.folder).mode & 0o077) === 0, `${path} is for its owner alone`);
  }
  const operators = local.filter(({ name }) => name.startsWith('node-')).map(({ path }) => path);
  assert.deepEqual(operators.sort(), ['xaa', 'xbb', 'xcc'].map((low) => coalition.file(`operators-${low}.sock`)));
  assert.deepEqual(local.filter(({ name }) => name.startsWith('connector-')), []);
});
