// lobby.js with a page made of what it looks at: when it loads a list again by itself, and when it only says so.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';

const script = readFileSync(new URL('./lobby.js', import.meta.url), 'utf8');

// My things, or with `waiting` a request's page. `answers`: something waits on it; `writing`: a field has the focus.
function page({ waiting, home = false, answers = false, writing = false } = {}) {
  const field = {};
  const main = {
    dataset: waiting ? { waiting, state: 'open' } : {},
    hasAttribute: (name) => name === (home ? 'data-home' : 'data-things') && !waiting,
    contains: (one) => one === field,
  };
  const words = { textContent: 'Something changed.' };
  const news = { hidden: true, querySelector: () => words };
  const found = { main, '[data-news]': waiting || home ? null : news, '[data-answer]': answers ? {} : null };
  const seen = { loads: 0, kinds: new Map(), closed: 0, leaving: [], later: [] };
  class EventSource {
    static CLOSED = 2;
    addEventListener(kind, call) {
      seen.kinds.set(kind, call);
    }
    readyState = EventSource.CLOSED; // refused
    close() {
      seen.closed += 1;
    }
  }
  const globals = {
    EventSource,
    document: { querySelector: (name) => found[name] ?? null, activeElement: writing ? field : null },
    location: { reload: () => (seen.loads += 1), assign: () => {} },
    sessionStorage: { getItem: () => null, setItem: () => {}, removeItem: () => {} },
    addEventListener: (kind, call) => kind === 'pagehide' && seen.leaving.push(call),
    setTimeout: (call) => seen.later.push(call),
  };
  runInContext(script, createContext(globals));
  const hear = (kind, data = {}) => seen.kinds.get(kind)({ data: JSON.stringify(data) });
  return { hear, seen, said: () => (news.hidden ? undefined : words.textContent) };
}

const reminder = { app: 'Charts', since: '22 November, 09:05 UTC' };

test('a list that nobody is about to use is loaded again by itself', () => {
  for (const kind of ['answer', 'sessions', 'reload', 'request']) {
    const { hear, seen, said } = page();
    hear(kind, { id: 'r1' });
    assert.equal(seen.loads, 1, kind);
    assert.equal(said(), undefined);
  }
});

test('the apps of somebody who answers are loaded again when somebody asks, and for nothing else', () => {
  for (const [kind, loads] of [['answer', 1], ['reload', 1], ['reminder', 1], ['request', 0]]) {
    const { hear, seen } = page({ home: true });
    hear(kind, kind === 'reminder' ? reminder : { id: 'r1' });
    assert.equal(seen.loads, loads, kind);
  }
  assert.equal(page({ home: true }).seen.kinds.has('sessions'), false);
});

test('nothing moves where somebody is about to answer or writes: they are told', () => {
  for (const how of [{ answers: true }, { writing: true }])
    for (const kind of ['answer', 'sessions', 'reload']) {
      const { hear, seen, said } = page(how);
      hear(kind);
      assert.equal(seen.loads, 0, kind);
      assert.equal(said(), 'Something changed.');
    }
});

test('a reminder has words of its own: which app, and since when somebody waits', () => {
  for (const how of [{}, { answers: true }]) {
    const { hear, seen, said } = page(how);
    hear('reminder', reminder);
    assert.equal(said(), 'Somebody has waited since 22 November, 09:05 UTC for an answer about Charts.');
    assert.equal(seen.loads, 0, 'the list is what it was');
  }
});

test('a page that waits for its own request goes on with that alone', () => {
  const { hear, seen } = page({ waiting: 'r1' });
  for (const kind of ['answer', 'sessions', 'reload']) hear(kind);
  hear('reminder', reminder);
  hear('request', { id: 'r2' });
  assert.equal(seen.loads, 0);
  hear('request', { id: 'r1' });
  assert.equal(seen.loads, 1);
});

test('a page that is refused again and again listens anew, and leaves once', () => {
  const { hear, seen } = page();
  for (let times = 0; times < 3; times += 1) {
    hear('error');
    seen.later.shift()();
  }
  assert.equal(seen.leaving.length, 1);
  seen.leaving[0]();
  assert.equal(seen.closed, 1);
});
