// Releases on the page "Sealed objects": what an answer says of them, and what a page asks for and shows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askRelease, readAnswer, wishOf } from './tdf.js';
import { mayAsk, wishText } from './wishes.js';

const service = 'https://kas.xaa.localhost:8441';
const object = { manifest: { policyText: 'cG9saWN5', access: [{ service, sent: { kid: 'k' } }] } };
const kWish = { purpose: 'EXERCISE: berths', minutes: 60 };
const answer = (result) => ({
  status: 200,
  json: { responses: [{ results: [{ keyAccessObjectId: 'kao-0', ...result }] }] },
});
const refusal = (result) => readAnswer(answer(result), [0]).keys.get(0);

test('a refusal says whether a release may be asked for, or how one stands', () => {
  const said = (wish) => refusal({ status: 'fail', error: 'rpc error: code = PermissionDenied desc = No.', wish });
  assert.deepEqual(said(undefined), { refused: 'No.', wish: undefined, asked: false });
  assert.equal(said({ state: 'none' }).wish.state, 'none');
  const until = '2026-11-22T15:00:00.000Z';
  assert.deepEqual(said({ state: 'open', release: 'r-1', until }).wish, {
    state: 'open',
    release: 'r-1',
    words: '',
    until: Date.parse(until),
  });
  assert.ok([{ state: 'none' }, { state: 'denied' }, { state: 'over' }].every((wish) => mayAsk({ wish })));
  for (const wish of [undefined, { state: 'open' }, { state: 'granted' }]) assert.ok(!mayAsk({ wish }));
});

test('attack: what is no news of a release is none', () => {
  for (const wish of [
    null,
    'open',
    7,
    {},
    { state: 'open' },
    { state: 'denied', release: '' },
    { state: 'denied', release: 7 },
    { state: 'denied', release: 'r'.repeat(65) },
    { state: 'denied', release: '"]<b>' },
    { state: '<b>', release: 'r-1' },
    { state: 'constructor', release: 'r-1' },
  ])
    assert.equal(wishOf(wish), undefined, JSON.stringify(wish));
  const odd = wishOf({ state: 'granted', release: 'r-1', words: { a: 1 }, until: 'soon' });
  assert.deepEqual(odd, { state: 'granted', release: 'r-1', words: '', until: undefined });
  assert.ok(wishOf({ state: 'denied', release: 'r-1', words: 'x'.repeat(10_000) }).words.length <= 800);
});

test('a release is asked for by a request of its own, without a key of the file', async () => {
  const sent = [];
  const ask = async (...words) => {
    sent.push(words);
    return answer({ status: 'asked', release: 'r-1' });
  };
  const { asked, wish } = await askRelease(object, 0, ask, kWish);
  assert.deepEqual([asked, wish.state, wish.release], [true, 'open', 'r-1']);
  const [[to, text]] = sent;
  assert.equal(to, service);
  const { clientPublicKey, requests } = JSON.parse(text);
  assert.match(clientPublicKey, /BEGIN PUBLIC KEY/);
  assert.deepEqual(requests, [
    {
      policy: { id: 'policy', body: 'cG9saWN5' },
      action: 'open',
      keyAccessObjects: [{ keyAccessObjectId: 'kao-0', keyAccessObject: { kid: 'k' } }],
      release: kWish,
    },
  ]);
});

test('attack: an answer to a wish that is none, or gives a key', async () => {
  const said = (one) => askRelease(object, 0, async () => one, kWish);
  for (const one of [
    answer({ status: 'permit', kasWrappedKey: 'AQID', view: 'v1', until: 60 }),
    answer({ status: 'asked' }),
    answer({ status: 'asked', release: '<b>' }),
    answer({ status: 'asked', release: 'r-1', keyAccessObjectId: 'kao-1' }),
    { status: 200, json: {} },
    { status: 503, json: { message: 'Not now.' } },
  ]) {
    const { asked, refused } = await said(one);
    assert.equal(asked, false, JSON.stringify(one));
    assert.ok(refused.length > 0);
  }
});

test('how a wish stands, in words', () => {
  const text = (wish) => wishText(wish, 'Aldoria (XAA)');
  const until = Date.parse('2026-11-22T15:00:00Z');
  assert.match(text({ state: 'open', until }), /^You asked Aldoria \(XAA\) .* waits for an answer until .*2026/);
  assert.match(text({ state: 'granted', until }), /^Released by Aldoria \(XAA\) until .*: open it again\.$/);
  assert.equal(text({ state: 'denied', words: 'EXERCISE: no.' }), 'Aldoria (XAA) does not release it. They say: EXERCISE: no.');
  assert.equal(text({ state: 'revoked', words: '' }), 'Aldoria (XAA) took the release back.');
  assert.match(text({ state: 'over' }), /did not answer in time/);
});
