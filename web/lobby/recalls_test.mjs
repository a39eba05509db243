// An author's recall on the page "Sealed objects": to whom it is offered, what is asked for, what counts as done.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownShare } from './recalls.js';
import { askRecall, readAnswer } from './tdf.js';

const service = 'https://kas.xaa.localhost:8441';
const object = { manifest: { policyText: 'cG9saWN5', access: [{ service: 'x' }, { service, sent: { kid: 'k' } }] } };
const answer = (result, id = 'kao-1') => ({
  status: 200,
  json: { responses: [{ results: [{ keyAccessObjectId: id, ...result }] }] },
});
const said = (result) => readAnswer(answer(result), [1]).keys.get(1);

test('it is offered to whom the node says it is theirs, whether it opens to them or not', () => {
  assert.equal(said({ status: 'fail', error: 'No.', recall: true }).recall, true);
  assert.equal(said({ status: 'permit', kasWrappedKey: 'AAAA', recall: true }).recall, true);
  for (const recall of [undefined, false, 1, 'true', {}, null])
    for (const one of [{ status: 'fail', error: 'No.' }, { status: 'permit', kasWrappedKey: 'AAAA' }])
      assert.equal(said({ ...one, recall }).recall, undefined, JSON.stringify(recall));
  assert.equal(ownShare([{ index: 0 }, { index: 1, recall: true }]).index, 1);
  assert.equal(ownShare([{ index: 0 }, { index: 1, recall: undefined }]), undefined);
});

test('it is asked for by a request of its own, to the own nation alone, without a key of the file', async () => {
  const sent = [];
  const ask = async (...words) => {
    sent.push(words);
    return answer({ status: 'recalled', durable: true });
  };
  assert.deepEqual(await askRecall(object, 1, ask, 'EXERCISE: wrong times'), { recalled: true, durable: true });
  assert.equal(sent.length, 1);
  const [[to, text]] = sent;
  assert.equal(to, service);
  const [request, ...more] = JSON.parse(text).requests;
  assert.equal(more.length, 0);
  assert.deepEqual(request.recall, { reason: 'EXERCISE: wrong times' });
  assert.deepEqual([request.action, request.release, request.policy.body], [undefined, undefined, 'cG9saWN5']);
  assert.equal(request.keyAccessObjects.length, 1);
});

test('attack: what is no word that it is recalled is none', async () => {
  const heard = (one) => askRecall(object, 1, async () => one, 'EXERCISE');
  for (const one of [
    answer({ status: 'permit', kasWrappedKey: 'AAAA' }),
    answer({ status: 'fail', error: 'rpc error: code = PermissionDenied desc = This does not say so.' }),
    answer({ status: 'recalled' }, 'kao-0'),
    answer({ status: ['recalled'] }),
    { ...answer({ status: 'recalled' }), status: 403 },
    { status: 200, json: null },
    { status: 200, json: { responses: {} } },
    { status: 503, json: { message: 'Busy.' } },
  ]) {
    const { recalled, refused } = await heard(one);
    assert.equal(recalled, false, JSON.stringify(one));
    assert.ok(refused.length > 0);
  }
  assert.match((await heard({ status: 503, json: { message: 'Busy.' } })).refused, /Busy/);
  assert.equal((await heard(answer({ status: 'recalled', durable: 'yes' }))).durable, false);
});
