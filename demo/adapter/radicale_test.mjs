// A calendar for people of several nations: what radicale would read otherwise than the node, and one person who asks
// for more than their part.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AdapterUnderTest, kMarking } from './test_host.mjs';

const kHeld = 24;
let calendar, planner, other;

before(async () => {
  calendar = new AdapterUnderTest();
  const { said } = await calendar.start('calendar');
  assert.equal(said, undefined);
  planner = calendar.person('p-1', 'planner');
  other = calendar.person('p-2', 'planner', 'XAA');
});

after(() => calendar?.end());

const nameOf = async (person) => {
  const found = await person.ask('PROPFIND', '/', '<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>', {
    depth: '0',
  });
  assert.equal(found.status, 207, found.body);
  return /<current-user-principal><href>\/([^/<]+)\//.exec(found.body)[1];
};

test('a value that ends early, a second line, a body where none belongs do not reach the calendar', async () => {
  const own = await nameOf(planner);
  for (const path of [`/${own}/harbor-light/%00`, `/${own}/x%0d%0aWARNING%20forged`, `/${own}/%ff`, `/${own}/%1b[2J`])
    assert.equal((await planner.get(path)).status, 400, path);
  assert.equal((await planner.ask('GET', `/${own}/`, 'body')).status, 413);
  const chunked = await planner.begin('PUT', `/${own}/harbor-light/x.ics`, { 'transfer-encoding': 'chunked' });
  chunked.outgoing.end('x');
  assert.equal((await chunked.answered).statusCode, 411);
  assert.doesNotMatch(calendar.said, /forged/);
});

test('what people put in is a calendar, whatever a browser would make of it', async () => {
  const own = await nameOf(planner);
  const seen = await planner.get(`/${own}/harbor-light/convoy-briefing.ics`);
  assert.equal(seen.status, 200);
  assert.match(seen.headers['content-type'], /^text\/calendar/);
  assert.equal(seen.headers['x-content-type-options'], 'nosniff');
});

test('its first page is marked, and says before the form that nobody need sign in again', async () => {
  for (const path of ['/.web/', '/.web/index.html', '/.web/?x']) {
    const { status, headers, body } = await planner.get(path);
    assert.equal(status, 200, path);
    assert.match(headers['content-type'], /^text\/html/);
    assert.ok(body.indexOf(kMarking) > 0 && body.indexOf(kMarking) < body.indexOf('type="password"'), path);
    assert.match(body, /signed in already.*any name and no password/);
    assert.ok(body.trimEnd().endsWith('</section>'), 'the page is whole');
  }
  assert.doesNotMatch((await planner.get('/.web/fn.js')).body, /signed in already/);
});

test('one person does not stop the calendar', { timeout: 60_000 }, async () => {
  const own = await nameOf(planner);
  const held = [];
  for (let i = 0; i < kHeld; i += 1) {
    const one = await planner.begin('PUT', `/${own}/harbor-light/${i}.ics`, { 'content-length': 1000 });
    one.outgoing.write('BEGIN');
    held.push(one);
  }
  assert.match(await nameOf(other), /^xaa-/);
  assert.equal(await nameOf(planner), own);
  for (const { outgoing } of held) outgoing.destroy();
});
