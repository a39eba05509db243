// Somebody who may know of an app but not open it asks, the owner's officer answers, the page goes on, the grant is
// taken back; and whoever tries to answer, listen or press in another's place learns and changes nothing.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { after, before } from 'node:test';
import { toLoopback } from '../../demo/loopback.mjs';
import { Coalition, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

const kPurpose = 'exercise: how many stations are open';
let coalition, maren, konrad;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start();
  maren = await Visitor.in(coalition, 'maren');
  konrad = await Visitor.in(coalition, 'konrad');
});

after(() => coalition?.end());

const at = (visitor, path) => `${visitor.nation.lobby}${path}`;
const things = async (visitor) => (await visitor.go(at(visitor, '/things'))).body;

// As a browser sends the form that stands on their page, if there is one.
async function press(visitor, path, fields = {}, headers = {}) {
  const page = await things(visitor);
  const form = new RegExp(`action="${path}"[^]*?</form>`).exec(page)?.[0] ?? '';
  const seen = /name="seen" value="([^"]+)"/.exec(form)?.[1];
  const token = /name="token" value="([^"]+)"/.exec(page)?.[1] ?? '';
  return visitor.submit(at(visitor, path), { token, ...(seen && { seen }), ...fields }, headers);
}

async function asks(fields = {}) {
  const sent = await press(maren, '/requests', { app: 'cop-xaa', purpose: kPurpose, minutes: '60', ...fields });
  assert.equal(sent.status, 303, sent.body);
  return new URL(sent.headers.location).pathname.split('/').pop();
}

const state = async (id) =>
  /data-state="([a-z]+)"/.exec((await maren.go(at(maren, `/requests/${id}`))).body)?.[1];
// Told again as soon as a link is up.
const waits = (id) =>
  until('the request has come to its owner', async () => (await things(konrad)).includes(`data-answer="${id}"`), 40_000);

// Events of the lobby as they come.
function listen(visitor, headers = {}) {
  const address = at(visitor, '/events');
  const heard = { status: 0, text: '' };
  heard.call = request(address, {
    ca: coalition.ca,
    lookup: toLoopback,
    agent: false,
    headers: { cookie: visitor.cookies(address), accept: 'text/event-stream', ...headers },
  });
  heard.call.on('error', () => {});
  heard.call.on('response', (answer) => {
    heard.status = answer.statusCode;
    answer.on('data', (data) => (heard.text += data));
    answer.on('error', () => {});
  });
  heard.call.end();
  return heard;
}

system('the refusal says that it can be asked for, and on which terms', async () => {
  const refused = await maren.openApp();
  assert.equal(refused.status, 403);
  assert.match(refused.body, /data-action="ask"/);
  assert.match(refused.body, /One person would have to approve/);
  assert.match(refused.body, /<option value="240" selected>4 hours/);
  // The reason, what would change it, and who decides: of the rule that a grant satisfies.
  assert.match(refused.body, /Analysts may open the operational picture for as long as an officer lets them/);
  assert.match(refused.body, /Ask for it, with a word about what for/);
  assert.match(refused.body, /Aldoria(&#39;|')s officers/);
  assert.doesNotMatch(refused.body, /mission lead/);
  // Who may not know of the app is offered nothing.
  const jonas = await Visitor.in(coalition, 'jonas');
  const hidden = await jonas.openApp();
  assert.doesNotMatch(hidden.body, /data-action="ask"/);
  const sent = await press(jonas, '/requests', { app: 'cop-xaa', purpose: kPurpose, minutes: '60' });
  const nothing = await press(jonas, '/requests', { app: 'none-xaa', purpose: kPurpose, minutes: '60' });
  assert.equal(sent.status, 404);
  assert.equal(nothing.status, 404);
  assert.equal(sent.body.replaceAll(/value="[^"]+"/g, ''), nothing.body.replaceAll(/value="[^"]+"/g, ''));
});

system('an officer sees what approving opens, approves, and the page goes on by itself', async () => {
  const id = await asks();
  assert.equal(await asks(), id, 'pressing twice asks once');
  await waits(id);
  // Where one lands says that somebody waits, to whoever answers, and to nobody else.
  const home = async (visitor) => (await visitor.go(at(visitor, '/'))).body;
  assert.match(await home(konrad), /data-to-answer="1"[^]*1 request waits for your answer/);
  for (const visitor of [await Visitor.in(coalition, 'lena'), maren])
    assert.doesNotMatch(await home(visitor), /data-to-answer|data-home/);
  // Opened again while it waits, the app's page says so, and offers no second form.
  const waiting = await maren.openApp();
  assert.match(waiting.body, new RegExp(`Waiting for an answer[^]*href="/requests/${id}"`));
  assert.doesNotMatch(waiting.body, /data-action="ask"/);
  const otherwise = await press(maren, '/requests', { app: 'cop-xaa', purpose: 'exercise: other', minutes: '60' });
  assert.equal(otherwise.status, 409);
  assert.match(otherwise.body, /You wait for an answer[^<]*\. What would help: [^<]*\./);
  assert.match(otherwise.body, new RegExp(`href="[^"]*/requests/${id}"`));
  const page = await things(konrad);
  assert.match(page, /analyst, SECRET, of Borealis \(XBB\)/);
  assert.match(page, new RegExp(kPurpose));
  assert.match(page, /Approving opens Common operational picture to this person until/);
  const events = listen(maren);
  await until('the page listens', () => events.status === 200 && events.text.includes('id: '));
  const pressed = await press(konrad, `/requests/${id}/approve`);
  assert.equal(pressed.status, 303, pressed.body);
  await until('the page hears of it', () => /event: request\ndata: \{[^\n]*"granted"/.test(events.text));
  assert.ok(events.text.includes(id));
  events.call.destroy();
  // Away for a moment, it goes on after the last number it saw.
  const first = /id: (\d+)/.exec(events.text)[1];
  const again = listen(maren, { 'last-event-id': first });
  await until('what was missed comes', () => /event: request/.test(again.text));
  again.call.destroy();
  assert.equal(await state(id), 'granted');
  assert.equal((await maren.openApp()).status, 200);
  const stream = await maren.watch();
  await until('tracks arrive', () => stream.messages > 1);

  // Approved is approved: neither pressing again nor a replay does anything.
  const replayed = await press(konrad, `/requests/${id}/approve`);
  assert.equal(replayed.status, 409, replayed.body);

  // The officer takes it back: the stream ends, and the way in is closed.
  const before = performance.now();
  assert.equal((await press(konrad, `/grants/${id}/revoke`, { words: 'exercise: over' })).status, 303);
  await stream.closed;
  assert.ok(stream.lastAt < before + 5000);
  await until('the home knows', async () => (await state(id)) === 'revoked');
  assert.equal((await maren.openApp()).status, 403);
  for (const nation of ['XAA', 'XBB']) await coalition.verify(nation);
});

system('attack: nobody answers in another place, for themselves, or without the page', async () => {
  const id = await asks();
  await waits(id);
  // The asker at her own node, a colleague without the right at the owner's.
  assert.equal((await press(maren, `/requests/${id}/approve`)).status, 404);
  const lena = await Visitor.in(coalition, 'lena');
  assert.doesNotMatch(await things(lena), /data-answer=/);
  assert.equal((await press(lena, `/requests/${id}/approve`)).status, 404);
  assert.equal((await press(lena, `/grants/${id}/revoke`)).status, 404);
  // Forged by another page, or by one of an app.
  for (const headers of [{ origin: 'https://elsewhere.localhost' }, { origin: konrad.nation.app }])
    assert.equal((await press(konrad, `/requests/${id}/approve`, {}, headers)).status, 403);
  assert.equal((await press(konrad, `/requests/${id}/approve`, { token: 'x'.repeat(22) })).status, 403);
  assert.equal(await state(id), 'open');
  assert.equal((await maren.openApp()).status, 403);
  // Withdrawn: nothing is left to answer.
  assert.equal((await press(lena, `/requests/${id}/withdraw`)).status, 404);
  assert.equal((await press(maren, `/requests/${id}/withdraw`)).status, 303);
  await until('the owner knows', async () => !(await things(konrad)).includes(id));
  assert.equal((await press(konrad, `/requests/${id}/approve`)).status, 404);
});

system('attack: events are for the person whose page asks, and for no other origin', async () => {
  const lena = await Visitor.in(coalition, 'lena');
  const hers = listen(lena);
  await until('a colleague listens', () => hers.text.includes('id: '));
  for (const headers of [
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: konrad.nation.app },
  ]) {
    const refused = listen(konrad, headers);
    await until('it is answered', () => refused.status !== 0);
    assert.equal(refused.status, 403);
    assert.equal(refused.text, '');
  }
  const id = await asks();
  await waits(id);
  assert.equal((await press(konrad, `/requests/${id}/deny`, { words: 'exercise: not today' })).status, 303);
  await until('she is told', async () => (await state(id)) === 'denied');
  assert.match((await maren.go(at(maren, `/requests/${id}`))).body, /exercise: not today[^]*data-action="again"/);
  const again = await maren.openApp();
  assert.match(again.body, /Not granted\. The answer: exercise: not today[^]*data-action="ask"/, 'and may ask again');
  assert.doesNotMatch(hers.text, /event: (request|answer)/);
  hers.call.destroy();
});

const users = (page) => [...page.matchAll(/data-session="([^"]+)"/g)].map(([, id]) => id);

system("stop: an app's officer ends somebody's session, a person their own, and nobody another's", async () => {
  let ingrid = await Visitor.inside(coalition, 'ingrid');
  const [jonas, lena] = [await Visitor.in(coalition, 'jonas'), await Visitor.inside(coalition, 'lena')];
  const stream = await ingrid.watch();
  await until('tracks arrive', () => stream.messages > 1);
  const page = await things(konrad);
  assert.match(page, /Who uses what you answer for[^]*planner, CONFIDENTIAL, of Borealis \(XBB\)/);
  const inside = await coalition.sessions('XAA');
  const id = inside.find(({ partner, state }) => partner === 'XBB' && state === 'live').id;
  assert.ok(users(page).includes(id), 'who answers for an app sees who uses it');
  const [hers] = users(await things(ingrid));
  assert.equal(users(await things(lena)).length, 1, 'who does not sees their own alone');
  assert.ok(!users(await things(lena)).includes(id));

  // By the id alone, at either node: somebody who is inside as well, a colleague of hers, an analyst.
  for (const [visitor, session] of [[lena, id], [jonas, hers], [maren, hers], [ingrid, id]])
    assert.equal((await press(visitor, `/sessions/${session}/end`)).status, 404, visitor.person.login);
  // Forged by another page, or without the page's own word.
  for (const headers of [{ origin: 'https://elsewhere.localhost' }, { origin: konrad.nation.app }])
    assert.equal((await press(konrad, `/sessions/${id}/end`, {}, headers)).status, 403);
  assert.equal((await press(konrad, `/sessions/${id}/end`, { token: 'x'.repeat(22) })).status, 403);
  assert.equal((await press(konrad, '/sessions/nothing/end')).status, 404);
  const before = stream.messages;
  await until('she works on', () => stream.messages > before + 1);
  assert.equal(stream.socket.readyState, stream.socket.OPEN);

  assert.equal((await press(konrad, `/sessions/${id}/end`)).status, 303);
  await stream.closed;
  const told = await ingrid.go(`${ingrid.nation.app}/`);
  assert.equal(told.status, 403);
  assert.match(told.body, /owner ended the session/);
  assert.ok(!users(await things(konrad)).includes(id));
  assert.ok(users(await things(konrad)).length > 0, 'others stay inside');
  assert.equal((await press(konrad, `/sessions/${id}/end`)).status, 404, 'there is nothing left to stop');
  const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '50');
  assert.ok(records.some((record) => record.class === 'session.cut' && JSON.stringify(record).includes(id)));

  // Her own, at her own node.
  ingrid = await Visitor.inside(coalition, 'ingrid');
  const own = await ingrid.watch();
  const [mine] = users(await things(ingrid));
  assert.notEqual(mine, hers);
  assert.equal((await press(ingrid, `/sessions/${mine}/end`)).status, 303);
  await own.closed;
  assert.deepEqual(users(await things(ingrid)), []);
  const left = async () => (await coalition.sessions('XAA')).filter(({ partner, state }) => partner === 'XBB' && state === 'live');
  await until('the host knows', async () => (await left()).length === 0);
});

system('who uses an app is told to those who answer for it, as it changes; an app that nobody uses is listed, too', async () => {
  const officer = listen(konrad);
  await until('his page listens', () => officer.text.includes('id: '));
  const own = (page) => /data-own-app="cop-xaa"[^]*?<p>([^<]*)</.exec(page)?.[1];
  for (const { id } of await coalition.sessions('XAA'))
    await coalition.cli('XAA', 'session', 'cut', id, '--reason', 'exercise: everybody out');
  await until('nobody is left', async () => own(await things(konrad)) === 'Nobody else uses it now.');
  const heard = () => officer.text.split('event: sessions').length - 1;
  const [before, ingrid] = [heard(), await Visitor.inside(coalition, 'ingrid')];
  await until('he hears of it', () => heard() > before);
  assert.equal(own(await things(konrad)), 'One session of somebody else.');
  const hers = listen(ingrid);
  await until('her page listens', () => hers.text.includes('id: '));
  const inside = heard();
  const session = (await coalition.sessions('XAA')).find(({ partner, state }) => partner === 'XBB' && state === 'live');
  await coalition.ask('XAA', 'session', 'cut', session.id, '--reason', 'exercise: out again');
  await until('both hear of the end', () => heard() > inside && hers.text.includes('event: sessions'));
  const lena = await Visitor.in(coalition, 'lena');
  assert.doesNotMatch(await things(lena), /data-own-app/, 'who answers for nothing has no such list');
  for (const { call } of [officer, hers]) call.destroy();
});

// Their provider says other things of somebody from now on.
async function becomes(login, claims) {
  const path = coalition.file('people.json');
  const people = readJson(path);
  const person = people.people.find((one) => one.login === login);
  person.claims = { ...person.claims, ...claims };
  await coalition.stop('provider-xbb');
  writeJson(path, people);
  await coalition.startAgain('provider-xbb');
  return until('they can sign in again', async () => {
    const visitor = new Visitor(coalition, login);
    const page = await visitor.signIn().catch(() => undefined);
    return page?.status === 200 && visitor;
  });
}

system('approvers see who somebody is now, and answer what they read', async () => {
  const id = await asks();
  await waits(id);
  const [, seen] = /name="seen" value="([^"]+)"/.exec(await things(konrad));
  maren = await becomes('maren', { stilling: 'kontorist' });
  await until('the owner knows', async () => /clerk, SECRET, of Borealis/.test(await things(konrad)));
  // The page from before was about somebody else.
  const stale = await press(konrad, `/requests/${id}/approve`, { seen });
  assert.equal(stale.status, 409, stale.body);
  assert.match(stale.body, /access\.changed/);
  const page = await things(konrad);
  assert.match(page, /A grant would open nothing/);
  const mark = new RegExp(`action="/requests/${id}/deny"[^]*?name="seen" value="([^"]+)"`).exec(page)[1];
  const refused = await press(konrad, `/requests/${id}/approve`, { seen: mark });
  assert.equal(refused.status, 403, 'nor does it open anything when it is read');
  assert.equal(await state(id), 'open');
  maren = await becomes('maren', { stilling: 'analytikar' });
  await until('the owner knows', async () => /analyst, SECRET, of Borealis/.test(await things(konrad)));
  assert.equal((await press(konrad, `/requests/${id}/deny`)).status, 303);
  // Until then it is open at home, and asking again is the same request.
  await until('the home knows', async () => (await state(id)) === 'denied');
});

system('a request made while the owner is away comes to it later, and once', async () => {
  await coalition.stop('node-xaa', 'SIGKILL');
  const id = await asks();
  assert.equal(await state(id), 'open');
  await coalition.startAgain('node-xaa');
  konrad = await Visitor.in(coalition, 'konrad');
  await waits(id);
  // The asker's node forgets everything but its records.
  await coalition.stop('node-xbb', 'SIGKILL');
  assert.equal((await press(konrad, `/requests/${id}/approve`)).status, 303);
  await coalition.startAgain('node-xbb');
  maren = await Visitor.in(coalition, 'maren');
  await until('it learns of the answer', async () => (await state(id)) === 'granted');
  await until('and she is in', async () => (await maren.openApp()).status === 200);
});

system('a grant ends by its own time: the stream is closed, and her page says that it has ended', async () => {
  const [grant] = (await coalition.ask('XAA', 'grant', 'ls')).grants;
  assert.equal((await press(konrad, `/grants/${grant.id}/revoke`)).status, 303);
  await until('the home knows', async () => (await state(grant.id)) === 'revoked');
  const id = await asks({ minutes: '1' });
  await waits(id);
  assert.equal((await press(konrad, `/requests/${id}/approve`)).status, 303);
  await until('the home knows', async () => (await state(id)) === 'granted');
  await until('and she is in', async () => (await maren.openApp()).status === 200);
  konrad = await Visitor.inside(coalition, 'konrad');
  const [stream, others] = [await maren.watch(), await konrad.watch()];
  await until('tracks arrive', () => stream.messages > 1 && others.messages > 1);
  await stream.closed;
  const before = others.messages;
  await until("an officer's go on", () => others.messages > before + 2);
  others.socket.terminate();
  await until('her page says so', async () => (await state(id)) === 'ended');
  const page = (await maren.go(at(maren, `/requests/${id}`))).body;
  assert.match(page, /It was granted, and has ended\.[^]*<dt>Ended<\/dt>[^]*data-action="again"/);
  assert.doesNotMatch(page, /Open until|data-action="open"/);
  // Her old session says why it ended; opened anew, the app can be asked for again.
  const anew = await maren.follow(`${maren.nation.lobby}/enter?app=cop-xaa&path=%2F&bind=${'B'.repeat(43)}`);
  assert.equal(anew.status, 403);
  assert.match(anew.body, /as long as an officer lets them[^]*data-action="ask"/);
});
