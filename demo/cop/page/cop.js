// The page: who you are to this app, the live picture, and what its connection is doing.
import { Link } from './link.js';
import { BayMap, drawGlobe } from './map.js';

const kKnotsPerMetrePerSecond = 1.944;
const kAgeEveryMs = 250;
const kStillMs = 5000; // each ship is heard of twice a second
const one = (selector) => document.querySelector(selector);
const factNames = {
  sub: 'Known here as',
  iss: 'Vouched for by',
  nation: 'Nation',
  mission: 'Mission',
  role: 'Role',
  clearance: 'Clearance',
};

const rows = new Map();
let lastUpdate; // by performance.now()
let lastUpdateClock = '';
let updates = 0;

function element(name, text, attributes = {}) {
  const made = Object.assign(document.createElement(name), { textContent: text });
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

async function showIdentity() {
  const answer = await fetch('/me', { redirect: 'manual', cache: 'no-store' });
  if (!answer.ok) return;
  const { subject, issuer, facts } = await answer.json();
  one('[data-subject]').textContent = subject;
  const lines = [['sub', subject], ['iss', issuer], ...facts];
  one('[data-identity]').replaceChildren(
    ...lines.flatMap(([name, value]) => [
      element('dt', factNames[name] ?? name),
      element('dd', value, { 'data-fact': name }),
    ]),
  );
}

function addRow(map, track) {
  const row = document.createElement('tr');
  const name = element('td', '');
  const choose = element('button', track.name, { type: 'button', title: 'Show on the map' });
  choose.addEventListener('click', () => map.choose(track.id));
  choose.append(element('small', track.word));
  name.append(choose);
  const [course, speed] = [element('td', ''), element('td', '')];
  row.append(name, element('td', track.nation), course, speed);
  one('[data-tracks]').append(row);
  rows.set(track.id, { course, speed });
  fillRow(track.id, track.course, track.speed);
}

function fillRow(id, course, speed) {
  const row = rows.get(id);
  if (!row) return;
  row.course.textContent = speed ? String(course).padStart(3, '0') : '';
  row.speed.textContent = speed ? (speed * kKnotsPerMetrePerSecond).toFixed(0) : '';
}

function showPicture(map, picture) {
  map.clear();
  rows.clear();
  one('[data-tracks]').replaceChildren();
  map.define(picture.symbols);
  map.draw();
  for (const track of picture.tracks) {
    map.add(track);
    addRow(map, track);
  }
  one('[data-count]').textContent = `(${picture.tracks.length})`;
  one('[data-rate]').textContent = `Exercise clock ×${picture.rate}`;
  heard();
}

function showMoves(map, { moves }) {
  for (const [id, lon, lat, course, speed] of moves) {
    map.move(id, lon, lat);
    fillRow(id, course, speed);
  }
  heard();
}

function heard() {
  lastUpdate = performance.now();
  lastUpdateClock = new Date().toLocaleTimeString('en-GB');
  updates += 1;
  document.body.dataset.updates = updates;
  if (document.body.dataset.link === 'still') showState('live');
}

function showAge() {
  if (lastUpdate === undefined) return;
  const age = performance.now() - lastUpdate;
  one('[data-age]').textContent = `Last update ${(age / 1000).toFixed(1)} s ago`;
  if (age > kStillMs && document.body.dataset.link === 'live') showState('still');
}

const words = {
  live: () => 'Live',
  reading: (every) =>
    `Not live: you are given no live connection, as where a grant is to read only. The picture is asked for every ${every / 1000} s`,
  still: () => `No news for more than ${kStillMs / 1000} s: the picture stands still`,
  asking: () => 'Connection lost; asking whether it may be opened again',
  waiting: (wait) => `Connection lost; trying again in ${Math.round(wait / 1000)} s`,
  ended: () => 'Connection ended',
};

function showState(name, detail) {
  const state = one('[data-state]');
  document.body.dataset.link = name;
  state.dataset.state = name;
  state.textContent = words[name](detail);
  one('[data-ended]').hidden = name !== 'ended';
  if (name === 'ended') {
    const old = lastUpdateClock && ` The picture below is from ${lastUpdateClock} and no longer moves.`;
    one('[data-ended-why]').textContent = `${detail}${old}`;
  }
}

function themeSwitch() {
  const { documentElement: root } = document;
  const prefersLight = window.matchMedia('(prefers-color-scheme: light)').matches;
  root.dataset.theme = localStorage.getItem('theme') ?? (prefersLight ? 'light' : 'dark');
  one('[data-action="theme"]').addEventListener('click', () => {
    root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
    localStorage.setItem('theme', root.dataset.theme);
  });
}

async function load(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function main() {
  themeSwitch();
  showIdentity();
  const drawn = load('/bay.json').then((bay) => new BayMap(one('[data-map]'), bay));
  const link = new Link({
    picture: async (message) => showPicture(await drawn, message),
    moves: async (message) => showMoves(await drawn, message),
    state: showState,
  });
  link.open(); // while the coast is on its way
  const map = await drawn;
  one('[data-action="retry"]').addEventListener('click', () => link.retry());
  setInterval(showAge, kAgeEveryMs);
  const [[west, south], [east, north]] = map.bay.frame.coordinates;
  drawGlobe(one('[data-globe]'), await load('/land.json'), [(west + east) / 2, (south + north) / 2]);
}

main().catch(() => {
  showState('ended', 'The map could not be loaded whole.');
  one('[data-action="retry"]').addEventListener('click', () => window.location.reload());
});
