// An app behind two connectors, one of them far away: the nearer one, as the node measures it, is asked; when the
// other is the nearer one, that.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Coalition, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';
import { Witness } from './witness.mjs';

const kFarMs = 500; // more each way than a busy machine adds by itself
const kEarlyMs = 10; // a timer may fire a little before its time: the way is longer than what is measured has to be
const kRequests = 8;
let coalition, witnesses, far, konrad;

// Passes bytes on to the node's door, each piece later by the same time.
class FarAway {
  sockets = new Set();

  constructor(port) {
    this.server = createServer((near) => {
      const farther = connect(port, '127.0.0.1');
      for (const [from, to] of [[near, farther], [farther, near]]) {
        this.sockets.add(from);
        from.setNoDelay(true);
        from.on('data', (bytes) => setTimeout(() => to.write(bytes), kFarMs + kEarlyMs));
        from.on('error', () => {}).on('close', () => to.destroy());
      }
    });
  }

  async listen() {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
    return this;
  }

  get address() {
    return `127.0.0.1:${this.server.address().port}`;
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((done) => this.server.close(done));
  }
}

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(
    (plan) => {
      const path = join(plan, 'plan.json');
      const whole = readJson(path);
      const add = whole.steps.find(({ run }) => run === 'expect-{id}');
      add.command.push('{for}');
      for (const one of whole.apps) one.for = one.id === 'cop-1' ? '--for=XBB' : '--';
      writeJson(path, whole);
    },
    { apps: ['cop-1', 'cop-2'] },
  );
  far = await new FarAway(coalition.nation('XAA').port).listen();
  for (const id of ['cop-1', 'cop-2']) await coalition.stop(id);
  witnesses = await Promise.all(['cop-1', 'cop-2'].map((id) => new Witness(coalition.file(`${id}.sock`)).listen()));
});

after(async () => {
  await far?.close();
  await Promise.all((witnesses ?? []).map((witness) => witness.close()));
  await coalition?.end();
});

const connectors = async () => (await coalition.ask('XAA', 'connector', 'list')).connectors;
const find = async (number) => (await connectors()).find(({ id }) => id === `cop-${number}`);
// Of one that is up and was measured; else no number, which is neither near nor far.
const tripMs = (connector) =>
  connector?.state === 'up' ? Number.parseFloat(connector.round_trip?.replace('< ', '') ?? 'none') : Number.NaN;
const counts = () => witnesses.map(({ seen }) => seen.length);

// A connector starts again over that address.
async function moves(number, address) {
  const name = `connector-cop-${number}`;
  await coalition.stop(name);
  const path = coalition.file('coalition', `${name}.json`);
  const config = readJson(path);
  writeJson(path, { ...config, node: { ...config.node, address } });
  await coalition.startAgain(name);
}

const straight = () => `127.0.0.1:${coalition.nation('XAA').port}`;
const isFar = async (number) => tripMs(await find(number)) >= 2 * kFarMs;
const isNear = async (number) => tripMs(await find(number)) < kFarMs;
const measured = (near, away) =>
  until(`${near} is measured near, ${away} far`, async () => (await isNear(near)) && (await isFar(away)), 30_000);

// Answers how many requests came to each instance.
async function asked(visitor) {
  const before = counts();
  for (let i = 0; i < kRequests; i += 1) assert.equal((await visitor.go(`${visitor.nation.app}/in`)).status, 200);
  return counts().map((count, index) => count - before[index]);
}

system('the list shows what was measured, and people are sent to the nearer one', async () => {
  await moves(2, far.address);
  await until('the far one is up and measured, and was never shown as near before', async () => {
    const { state, round_trip: shown } = await find(2);
    if (state !== 'up') return false;
    if (shown !== null) assert.ok(Number.parseFloat(shown) >= 2 * kFarMs, `${shown} of one that is far away`);
    return shown !== null;
  });
  await measured(1, 2);
  konrad = await Visitor.inside(coalition, 'konrad');
  assert.deepEqual(await asked(konrad), [kRequests, 0]);
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  assert.deepEqual(await asked(ingrid), [kRequests, 0], 'of the partner, too');
});

system('a session that is with the farther one goes over to the nearer one, and stays there', async () => {
  await coalition.stop('connector-cop-1');
  await until('it is gone', async () => (await find(1)).state === 'down');
  assert.deepEqual(await asked(konrad), [0, kRequests], 'the farther one is better than none');
  await coalition.startAgain('connector-cop-1');
  await measured(1, 2);
  await until('his requests come to the nearer one', async () => {
    const [near, away] = await asked(konrad);
    return near === kRequests && away === 0;
  });
});

system('which is nearer is measured, not written down: with distances changed, the other is asked', async () => {
  await moves(1, far.address);
  await moves(2, straight());
  await measured(2, 1);
  const visitor = await Visitor.inside(coalition, 'konrad');
  assert.deepEqual(await asked(visitor), [0, kRequests]);
});

system('a nation that has a connector of its own is sent to that, though it is the farther one; and away, to the other', async () => {
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  assert.deepEqual(await asked(ingrid), [kRequests, 0]);
  await coalition.stop('connector-cop-1');
  await until('it is gone', async () => (await find(1)).state === 'down');
  assert.deepEqual(await asked(ingrid), [0, kRequests]);
});
