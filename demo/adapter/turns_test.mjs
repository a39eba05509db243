// Turns and room: one person's share, order, roles side by side, and those who leave while they wait.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { Room, Turns } from './turns.mjs';

const limits = { atOnce: 3, ofOne: 2, waiting: 6, waitingOfOne: 3 };

class Response extends EventEmitter {
  destroyed = false;

  leave() {
    this.destroyed = true;
    this.emit('close');
  }
}

// Whoever asks, in a list of those who were let in.
function doorOf(turns) {
  const inside = [];
  const ends = new Map();
  const ask = async (who, { name = who, roles = 'planner', response = new Response() } = {}) => {
    const end = await turns.take(who, roles, response);
    if (!end) return false;
    inside.push(name);
    ends.set(name, end);
    return true;
  };
  return { inside, ask, end: (name) => ends.get(name)() };
}
const settled = () => new Promise((done) => setImmediate(done));

test("one person's requests leave a turn to others, whatever the order they come in", async () => {
  const { inside, ask, end } = doorOf(new Turns(limits));
  for (const name of ['a1', 'a2', 'a3', 'a4']) ask('a', { name });
  ask('b');
  await settled();
  assert.deepEqual(inside, ['a1', 'a2', 'b']);
  end('b');
  await settled();
  assert.deepEqual(inside, ['a1', 'a2', 'b'], 'the third turn is not for a third request of one person');
  end('a2');
  await settled();
  assert.deepEqual(inside, ['a1', 'a2', 'b', 'a3']);
});

test('who comes later does not overtake, and what is too much is refused at once', async () => {
  const { inside, ask, end } = doorOf(new Turns(limits));
  for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) ask('a', { name });
  assert.equal(await ask('a', { name: 'a6' }), false, 'three of one person wait');
  for (const name of ['b1', 'b2', 'b3', 'b4']) ask('b', { name });
  assert.equal(await ask('c'), false, 'six wait');
  end('a1');
  end('b1');
  await settled();
  assert.deepEqual(inside, ['a1', 'a2', 'b1', 'a3', 'b2']);
});

test('whoever leaves while waiting is never let in, and holds up nobody', async () => {
  const { inside, ask, end } = doorOf(new Turns(limits));
  const response = new Response();
  for (const name of ['a1', 'a2']) ask('a', { name });
  const left = ask('a', { name: 'gone', response });
  ask('a', { name: 'a4' });
  response.leave();
  assert.equal(await left, false);
  end('a1');
  await settled();
  assert.deepEqual(inside, ['a1', 'a2', 'a4']);
  assert.equal(await ask('b', { response }), false, 'nor who had left before');
});

test('what one person asks in different roles never runs side by side', async () => {
  const { inside, ask, end } = doorOf(new Turns(limits));
  ask('a', { name: 'as planner' });
  ask('a', { name: 'as analyst', roles: 'analyst' });
  ask('a', { name: 'as planner again' });
  ask('b', { name: 'analyst of others', roles: 'analyst' });
  await settled();
  end('analyst of others');
  await settled();
  assert.deepEqual(inside, ['as planner', 'analyst of others'], 'nor does a later one overtake');
  end('as planner');
  await settled();
  assert.deepEqual(inside, ['as planner', 'analyst of others', 'as analyst']);
});

test('room is for all and for one, and comes back', () => {
  const room = new Room({ all: 10, ofOne: 4 });
  const first = room.take('a', 3);
  assert.equal(room.take('a', 2), undefined);
  assert.ok(room.take('a', 1));
  assert.ok(room.take('b', 4));
  assert.equal(room.take('c', 3), undefined);
  assert.ok(room.take('c', 2));
  first();
  assert.equal(room.take('c', 3), undefined, 'more than its own part');
  assert.ok(room.take('d', 3));
});
