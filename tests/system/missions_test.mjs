// A mission as an object: its phase and threat, said by the nation that leads it, give and take access at the node
// that says it and at the one that hears of it; nobody else's word counts; its end leaves nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Coalition, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { HostileNode, makeNation } from './hostile_node.mjs';
import { Visitor } from './visitor.mjs';

const kWhy = ['--reason', 'exercise: as planned'];
let coalition, folder, cassia, konrad, ingrid, maren, lena;

// A second mission beside the first: Borealis's wiki, and Aldoria's logistics staff, are in it alone.
function twoMissions(plan) {
  const edit = (name, change) => {
    const path = join(plan, name);
    const genesis = readJson(path);
    change(genesis.records);
    writeJson(path, genesis);
  };
  for (const name of ['genesis-xaa.json', 'genesis-xbb.json'])
    edit(name, (records) => {
      records['mission/night-watch'] = { ...records['mission/harbor-light'], name: 'Night Watch' };
      delete records['mission/night-watch'].lead;
      records['segment/staff'].mission = 'night-watch';
    });
  edit('genesis-xbb.json', (records) => {
    records['app/wiki'].mission = 'night-watch';
    records['partner/XCC'] = cassia.record;
    records['mission/harbor-light'].partners.push('XCC');
    records['mission/tide-watch'] = { ...records['mission/harbor-light'], name: 'Tide Watch', lead: 'XCC' };
  });
  edit('genesis-xaa.json', (records) => {
    const rule = records['crosswalk/main'].rules.find(({ to }) => to === 'missions');
    rule.table.versorgung = 'night-watch';
    // Planners have no part in recovery, at Aldoria's node.
    records['mission/harbor-light'].roles = { planner: ['planning', 'execution', 'stand-down'] };
  });
}

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'entente-missions-'));
  cassia = makeNation('XCC', folder);
  coalition = await Coalition.start(twoMissions, { nations: ['XAA', 'XBB'], apps: ['cop-1', 'wiki-1'] });
  konrad = await Visitor.inside(coalition, 'konrad');
  ingrid = await Visitor.inside(coalition, 'ingrid');
  maren = await Visitor.in(coalition, 'maren');
  lena = await Visitor.in(coalition, 'lena');
});

after(async () => {
  await coalition?.end();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const say = (...verb) => coalition.ask('XAA', 'mission', ...verb, ...kWhy);
const mission = (nation, name = 'Harbor Light') => coalition.ask(nation, 'mission', 'show', name);
const heard = (word) =>
  until('Borealis has heard it, and Aldoria knows', async () => {
    const there = await mission('XBB');
    return Object.entries(word).every(([key, value]) => there[key] === value) && (await mission('XAA')).known_by.includes('XBB');
  });
const refused = async (nation, ...verb) => {
  const { code, output } = await coalition.cli(nation, 'mission', ...verb, ...kWhy, '--json');
  assert.equal(code, 1, output);
  return JSON.parse(output).error.code;
};
const wiki = () => lena.follow(`${lena.nation.apps['wiki-xbb']}/`);

// A session that is being asked again answers 503 for a moment.
const shut = (visitor) =>
  until('it is refused', async () => {
    const page = await visitor.openApp();
    assert.notEqual(page.status, 200);
    return page.status === 403 && page;
  });

async function cut(stream, verb) {
  await until('something arrives', () => stream.messages > 1);
  const answer = await say(...verb);
  assert.equal(answer.durable, true);
  await stream.closed;
  return answer;
}

system('operators see missions; only the lead says a phase, and only words', async () => {
  const { missions } = await coalition.ask('XBB', 'mission', 'ls');
  assert.deepEqual(
    missions.map(({ id, lead, phase, state }) => [id, lead, phase, state]),
    [
      ['harbor-light', 'XAA', 'planning', 'under way'],
      ['night-watch', '', 'planning', 'under way'],
      ['tide-watch', 'XCC', 'planning', 'under way'],
    ],
  );
  assert.equal(await refused('XBB', 'phase', 'Harbor Light', 'execution'), 'mission.not-lead');
  assert.equal(await refused('XBB', 'threat', 'harbor-light', 'high'), 'mission.not-lead');
  assert.equal(await refused('XAA', 'phase', 'Harbor', 'execution'), 'api.not-found');
  assert.equal(await refused('XAA', 'phase', 'Harbor Light', 'Execution now'), 'field.value');
  assert.equal(await refused('XAA', 'phase', 'Harbor Light', 'planning'), 'mission.unchanged');
  // A slip of the keyboard is said, and changes nothing.
  assert.equal(await refused('XAA', 'threat', 'Harbor Light', 'hihg'), 'mission.unknown-word');
  assert.equal(await refused('XAA', 'phase', 'Harbor Light', 'executoin'), 'mission.unknown-word');
  assert.deepEqual([(await mission('XAA')).threat, (await mission('XAA')).phase], ['low', 'planning']);
  assert.equal((await coalition.cli('XAA', 'mission', 'phase', 'Harbor Light', 'execution')).code, 2);
  // A mission that nobody leads is each node's own.
  await coalition.ask('XBB', 'mission', 'phase', 'Night Watch', 'execution', ...kWhy);
  assert.equal((await mission('XAA', 'Night Watch')).phase, 'planning');
});

system('a phase lets in whom policies name, a threat cuts them, and nobody else', async () => {
  assert.equal((await maren.openApp()).status, 403);
  const answer = await say('phase', 'Harbor Light', 'execution');
  assert.match(answer.text, /Harbor Light is in phase execution, threat low/);
  await heard({ phase: 'execution' });
  assert.equal((await maren.openApp()).status, 200);
  const [theirs, others] = [await maren.watch(), await ingrid.watch()];
  assert.match((await cut(theirs, ['threat', 'harbor-light', 'high'])).text, /1 session ended/);
  const before = others.messages;
  await until("a planner's tracks go on", () => others.messages > before + 2);
  assert.match((await shut(maren)).body, /threat is high/);
  await heard({ threat: 'high' });
  await say('threat', 'Harbor Light', 'low');
  await until('she gets in again', async () => (await maren.openApp()).status === 200);
  const again = await maren.watch();
  await cut(again, ['phase', 'Harbor Light', 'planning']);
  await shut(maren);
  const { records } = await coalition.ask('XAA', 'ledger', 'show', '--last', '60');
  assert.ok(records.some(({ class: kind, fields }) => kind === 'mission.word' && fields.phase === 'planning'));
  others.socket.terminate();
});

system('who hears of a phase decides by their own policies', async () => {
  const [away, stays] = [await ingrid.watch(), await konrad.watch()];
  await cut(away, ['phase', 'Harbor Light', 'stand-down']);
  assert.match((await shut(ingrid)).body, /stands down/);
  const before = stays.messages;
  await until("the owner's own officer goes on", () => stays.messages > before + 2);
  const { records } = await coalition.ask('XBB', 'ledger', 'show', '--last', '60');
  assert.ok(records.some(({ class: kind, fields }) => kind === 'mission.told' && fields.partner === 'XAA'));
  stays.socket.terminate();
});

system('a role counts in its phases alone: who rested on it is cut, and told why', async () => {
  await say('phase', 'Harbor Light', 'execution');
  await heard({ phase: 'execution' });
  await until('she gets in again', async () => (await ingrid.openApp()).status === 200);
  const [away, stays] = [await ingrid.watch(), await konrad.watch()];
  await cut(away, ['phase', 'Harbor Light', 'recovery']);
  assert.match((await shut(ingrid)).body, /Your role \(planner\) does not count while Harbor Light is in phase recovery/);
  const before = stays.messages;
  await until("an officer's tracks go on", () => stays.messages > before + 2);
  stays.socket.terminate();
  assert.deepEqual((await mission('XAA')).roles, { planner: ['planning', 'execution', 'stand-down'] });
});

system('what was said while a partner was away reaches it when it is back', async () => {
  await coalition.stop('node-xbb', 'SIGKILL');
  await say('phase', 'Harbor Light', 'planning');
  await coalition.startAgain('node-xbb');
  await heard({ phase: 'planning' });
  ingrid = await Visitor.inside(coalition, 'ingrid');
  maren = await Visitor.in(coalition, 'maren');
});

system('attack: a partner that does not lead says a phase, in vain', async () => {
  const before = await mission('XBB');
  const node = new HostileNode(cassia, coalition.nation('XBB').port);
  node.epoch = Math.floor(performance.now());
  await node.dial();
  await node.control();
  const end = new Date(Date.now() - 60_000).toISOString();
  const body = { phase: 'stand-down', threat: 'high', end, number: 1_000 };
  node.say({ kind: 'told', topic: 'mission', id: 'harbor-light', body });
  node.say({ kind: 'told', topic: 'mission', id: 'night-watch', body });
  node.say({ kind: 'told', topic: 'mission-known', id: 'harbor-light', body: { number: 1_000 } });
  // What is said on one link is heard in order: an answer to this means that all before it was.
  node.say({ kind: 'told', topic: 'look', id: 'nothing', body: {} });
  await until('the node has heard it', () => node.heard.some(({ kind, id }) => kind === 'told' && id === 'nothing'));
  assert.deepEqual(await mission('XBB'), before);
  assert.equal((await mission('XBB', 'Night Watch')).state, 'under way');
  node.hangUp();
});

system('attack: a lead that talks without end writes little, and its clock ahead keeps no mission open', async () => {
  const node = new HostileNode(cassia, coalition.nation('XBB').port);
  node.epoch = Math.floor(performance.now());
  await node.dial();
  await node.control();
  const { end } = readJson(coalition.file('coalition/genesis-xbb.json')).records['mission/tide-watch'];
  const began = performance.now();
  for (let number = 1; number <= 300; number += 1) {
    const body = { phase: number % 2 ? 'stand-down' : 'execution', threat: 'low', end, number };
    node.say({ kind: 'told', topic: 'mission', id: 'tide-watch', body });
  }
  const saying = { phase: 'planning', threat: 'low', end: new Date(Date.now() + 30_000).toISOString(), number: 1_000 };
  await until('its end is now', async () => {
    node.say({ kind: 'told', topic: 'mission', id: 'tide-watch', body: saying });
    return (await mission('XBB', 'Tide Watch')).state === 'ended';
  });
  const seconds = Math.ceil((performance.now() - began) / 1000);
  const { records } = await coalition.ask('XBB', 'ledger', 'show', '--last', '400');
  const told = records.filter(({ class: kind }) => kind === 'mission.told').length;
  assert.ok(told > 1 && told <= 12 + seconds, `${told} words were written in ${seconds} s`);
  node.hangUp();
});

system('the end of a mission leaves nothing of it, and other missions as they are', async () => {
  assert.equal((await wiki()).status, 200);
  const id = await maren.asksFor('cop-xaa', 'exercise');
  await until('it waits', async () => (await coalition.ask('XAA', 'request', 'ls')).requests.length === 1);
  await coalition.answer('XAA', 'request', 'approve', id);
  assert.equal((await maren.openApp()).status, 200);
  const streams = await Promise.all([maren, ingrid, konrad].map((visitor) => visitor.watch()));
  await until('all see tracks', () => streams.every(({ messages }) => messages > 0));
  assert.match((await say('end', 'Harbor Light')).text, /Harbor Light has ended/);
  await Promise.all(streams.map(({ closed }) => closed));
  const { state, sessions, requests, grants } = await mission('XAA');
  assert.deepEqual({ state, sessions, requests, grants }, { state: 'ended', sessions: 0, requests: 0, grants: 0 });
  assert.deepEqual((await coalition.ask('XAA', 'grant', 'ls')).grants, []);
  await heard({ state: 'ended', sessions: 0 });
  const asked = await coalition.ask('XAA', 'request', 'ls', '--all');
  assert.ok(asked.requests.every(({ state: how }) => how !== 'open' && how !== 'granted'));
  await until('her page knows', async () =>
    /data-state="(revoked|withdrawn)"/.test((await maren.go(`${maren.nation.lobby}/requests/${id}`)).body),
  );
  for (const visitor of [maren, ingrid, konrad]) {
    const page = await visitor.openApp();
    assert.equal(page.status, 403);
    assert.match(page.body, /The mission Harbor Light has ended/, visitor.person.login);
    assert.doesNotMatch((await visitor.go(`${visitor.nation.lobby}/`)).body, /data-app="cop-xaa"/);
  }
  assert.equal((await lena.go(`${lena.nation.apps['wiki-xbb']}/home`)).status < 400, true, 'the other mission goes on');
  assert.equal((await wiki()).status, 200);
  assert.equal(await refused('XAA', 'phase', 'Harbor Light', 'execution'), 'mission.over');
  assert.equal(await refused('XBB', 'end', 'Harbor Light'), 'mission.over');
  for (const nation of ['XAA', 'XBB']) await coalition.verify(nation);
});
