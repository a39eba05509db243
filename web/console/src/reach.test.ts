// Who reaches what, of lists as a node gives them: what the picture draws and the table says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppRow, Domain, Grant, Mission, Partner, Session } from './api.ts';
import { pictureOf, type Known } from './reach.ts';

const some = <T>(fields: Partial<T>) => fields as T;
const mission = some<Mission>({ id: 'harbor', name: 'Harbor Light', state: 'under way', partners: ['XAA', 'XBB', 'XCC'] });
const nation = (code: string, state: Partner['state'] = 'active') => some<Partner>({ code, name: `Nation ${code}`, state });
const map = some<AppRow>({ app: 'XAA/cop', name: 'Map', banner: 'EXERCISE', mission: 'harbor', offered_to: ['XBB'], state: 'served', end: '2027-01-01T00:00:00Z' });
const wiki = some<AppRow>({ app: 'XBB/wiki', name: 'Wiki', banner: 'EXERCISE', mission: 'harbor', offered_to: ['XAA', 'XCC'], state: 'offered to us', end: '2027-01-01T00:00:00Z' });
const inside = (app: string, partner: string) => some<Session>({ app, partner });
const grant = (app: string, partner: string, state = 'given') => some<Grant>({ app, partner, state });
const known = (more: Partial<Known> = {}): Known => ({
  partners: ['XAA', 'XBB', 'XCC'].map((code) => nation(code)),
  apps: [map, wiki],
  domains: [],
  sessions: [],
  grants: [],
  ...more,
});

const waysOf = (all: Known, of = mission) =>
  Object.fromEntries(pictureOf(of, all).reaches.map(({ nation: code, thing, way }) => [`${code} ${thing.id}`, way]));

test('an owner owns, those it is offered to may know, and nobody else has a way', () => {
  assert.deepEqual(waysOf(known()), {
    'XAA XAA/cop': 'owns',
    'XBB XAA/cop': 'may know',
    'XAA XBB/wiki': 'may know',
    'XBB XBB/wiki': 'owns',
    'XCC XBB/wiki': 'may know',
  });
});

test('a grant that is given shows, one that is over does not, and to be inside says more than either', () => {
  assert.equal(waysOf(known({ grants: [grant('XAA/cop', 'XBB')] }))['XBB XAA/cop'], 'granted');
  assert.equal(waysOf(known({ grants: [grant('XAA/cop', 'XBB', 'over')] }))['XBB XAA/cop'], 'may know');
  const both = known({ grants: [grant('XAA/cop', 'XBB')], sessions: [inside('XAA/cop', 'XBB'), inside('XAA/cop', 'XBB')] });
  const [reach] = pictureOf(mission, both).reaches.filter((one) => one.nation === 'XBB' && one.thing.id === 'XAA/cop');
  assert.deepEqual([reach?.way, reach?.sessions, reach?.grants], ['inside', 2, 1]);
});

test("what is another app's or another nation's counts for neither", () => {
  const all = known({ grants: [grant('XBB/wiki', 'XCC')], sessions: [inside('XBB/wiki', 'XAA')] });
  const ways = waysOf(all);
  assert.equal(ways['XBB XAA/cop'], 'may know');
  assert.equal(ways['XCC XBB/wiki'], 'granted');
  assert.equal(ways['XAA XBB/wiki'], 'inside');
});

test('a nation that is shut out reaches nothing, and nobody reaches what is its own', () => {
  for (const state of ['suspended', 'isolated', 'fenced'] as const) {
    const all = known({
      partners: [nation('XAA'), nation('XBB', state), nation('XCC')],
      sessions: [inside('XAA/cop', 'XBB')], // one that ends just now
    });
    assert.deepEqual(waysOf(all), {
      'XAA XAA/cop': 'owns',
      'XBB XAA/cop': 'shut out',
      'XAA XBB/wiki': 'shut out',
      'XBB XBB/wiki': 'shut out',
      'XCC XBB/wiki': 'shut out',
    });
  }
});

test('data that may be sealed for a nation stands beside apps, and what is of another mission does not', () => {
  const domains = [
    some<Domain>({ id: 'logistics', name: 'Logistics', owner: 'XAA', mission: 'harbor', partners: ['XCC'], highest: 'RESTRICTED' }),
    some<Domain>({ id: 'other', name: 'Other', owner: 'XAA', mission: 'quiet-hill', partners: ['XCC'], highest: 'SECRET' }),
  ];
  const all = known({ apps: [{ ...map, mission: 'quiet-hill' }], domains });
  const { things } = pictureOf(mission, all);
  assert.deepEqual(things.map(({ id, kind, marking }) => [id, kind, marking]), [['domain/logistics', 'data', 'up to RESTRICTED']]);
  assert.deepEqual(waysOf(all), { 'XAA domain/logistics': 'owns', 'XCC domain/logistics': 'may know' });
});

test('a nation of the mission that this node does not know is shown by its code', () => {
  const all = known({ partners: [nation('XAA'), nation('XBB')] });
  assert.deepEqual(pictureOf(mission, all).nations.at(-1), { code: 'XCC', name: 'XCC', state: 'active' });
});

test('of a mission that is over, and of an app that is withdrawn, nobody reaches anything', () => {
  const all = known({ sessions: [inside('XAA/cop', 'XBB')], grants: [grant('XBB/wiki', 'XCC')] });
  const over = waysOf(all, { ...mission, state: 'ended' });
  assert.deepEqual(new Set(Object.values(over)), new Set(['shut out']));
  const withdrawn = waysOf({ ...all, apps: [{ ...map, end: '2026-11-22T12:00:00Z' }, wiki], now: Date.parse('2026-11-22T12:00:00Z') });
  assert.deepEqual([withdrawn['XAA XAA/cop'], withdrawn['XBB XAA/cop']], ['shut out', 'shut out']);
  assert.equal(withdrawn['XCC XBB/wiki'], 'granted');
});
