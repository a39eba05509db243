// What the console calls live: a stream that speaks, whatever the browser says of its connection.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

mock.timers.enable({ apis: ['setTimeout'] });

class Stream extends EventTarget {
  static readonly CLOSED = 2;
  static last: Stream;
  static opened = 0;
  readyState = 1;
  readonly path: string;
  constructor(path: string) {
    super();
    this.path = path;
    Stream.last = this;
    Stream.opened += 1;
  }
  says(name: string) {
    this.dispatchEvent(new Event(name));
  }
}
Object.assign(globalThis, { EventSource: Stream });
const { changed, isConnected, listen } = await import('./stream.ts');
let looks = 0;
changed.addEventListener('changed', () => (looks += 1));

test('a stream that beats is live for as long as it does, and no longer', () => {
  listen();
  assert.equal(Stream.last.path, '/events');
  assert.equal(isConnected(), false, 'nothing was heard yet');
  Stream.last.says('open');
  assert.equal(isConnected(), true);
  for (let beats = 0; beats < 20; beats += 1) {
    mock.timers.tick(5000);
    Stream.last.says('beat');
    assert.equal(isConnected(), true);
  }
  mock.timers.tick(11_999);
  assert.equal(isConnected(), true);
  looks = 0;
  mock.timers.tick(1);
  assert.equal(isConnected(), false, 'the connection stands, and nobody speaks');
  assert.equal(looks, 1, 'what is shown is asked for again');
});

test('the first word after a silence makes it live again', () => {
  Stream.last.says('beat');
  assert.equal(isConnected(), true);
  mock.timers.tick(12_000);
  assert.equal(isConnected(), false);
  looks = 0;
  Stream.last.says('changed');
  assert.equal(isConnected(), true);
  assert.ok(looks > 0);
});

test('a beat is no reason to look again', () => {
  looks = 0;
  Stream.last.says('beat');
  assert.equal(looks, 0);
});

test('a connection that broke is not live, and one that is given up is opened anew', () => {
  Stream.last.says('error');
  assert.equal(isConnected(), false);
  listen();
  assert.equal(Stream.opened, 1, 'the browser connects again by itself');
  Stream.last.readyState = Stream.CLOSED;
  Stream.last.says('error');
  mock.timers.tick(5000);
  assert.equal(Stream.opened, 2);
  Stream.last.says('open');
  assert.equal(isConnected(), true);
});
