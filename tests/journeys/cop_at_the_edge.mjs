// J1: a common operational picture at the edge. A planner of XBB opens XAA's map; a clerk of XBB cannot tell
// that it exists; an officer of XAA opens it through XAA's own door.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { visibleBrowser } from '../../demo/browser.mjs';
import { ask } from '../../demo/loopback.mjs';
import { comparable } from '../system/wire.mjs';

const kMarking = /^EXERCISE/;

// The command of `./dev demo --open`, with the screen left out.
export async function openedBrowserTrustsTheRun({ demo }) {
  const folder = mkdtempSync(join(tmpdir(), 'entente-open-'));
  try {
    const lobby = `${demo.nations.XBB.lobby}/`;
    const { command, env } = await visibleBrowser(folder, demo.authority, demo.publicKeyDigests, [lobby]);
    const [program, ...flags] = command;
    const { stdout } = await promisify(execFile)(program, ['--headless', '--dump-dom', ...flags], {
      env: { ...process.env, ...env },
      timeout: 60_000,
    });
    assert.match(stdout, /data-action="sign-in"/, 'the lobby, and no warning about a certificate');
    assert.ok(readdirSync(folder).includes('profile'), 'what it keeps lies in its own folder');
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export async function plannerOpensTheMap(stage) {
  const { stopwatch } = stage;
  const planner = await stage.visitor('ingrid');
  const began = stopwatch.mark();
  await planner.openLobby();
  await planner.page.waitForSelector('a[data-action="sign-in"]');
  stopwatch.note(
    'J1',
    'planner of XBB opens the lobby',
    'a way to sign in, no apps',
    stopwatch.mark() - began,
    1000,
  );
  assert.equal(
    await planner.page.locator('article[data-app]').count(),
    0,
    'nobody who is unknown sees an app',
  );
  await planner.shoot('j1-1-lobby');
  await planner.isAccessible('the lobby before signing in');

  await planner.signIn();
  await planner.page.waitForSelector(planner.card);
  stopwatch.note(
    'J1',
    "signs in at XBB's provider",
    "the map's card, with its nation and state",
    stopwatch.mark() - planner.submittedAt,
    1000,
  );
  const card = await planner.text(planner.card);
  assert.match(card, /XAA|Aldoria/, 'a card names the nation whose app it is');
  assert.ok((await planner.text(`${planner.card} [data-state]`)).length > 0, 'a card says how the app is');
  await planner.shoot('j1-2-card');
  await planner.isAccessible('the lobby with a card');
  await planner.openLobby(); // without what the check has loaded

  const times = await planner.openApp();
  assert.equal(times.carriedBy, 'h2');
  assert.deepEqual(times.handshakes, [200], 'the WebSocket opens over HTTP/2');
  await planner.shoot('j1-3-map');
  stopwatch.note('J1', 'opens the map', 'tracks', times.firstTrack, 2000);
  stopwatch.note('J1', '', 'tracks that move, since the click', times.moving, 2000);
  stopwatch.note('J1', '', 'first track, since the passphrase was sent', times.sinceSignIn, 2000);
  stopwatch.note('J1', '', 'clicks in all', `${planner.clicks}`, 'at most 3');
  assert.ok(planner.clicks <= 3, `${planner.clicks} clicks where 3 are enough`);
  assert.equal(
    new URL(planner.page.url()).host,
    new URL(planner.nation.app).host,
    "the browser never leaves XBB's door",
  );
  assert.match(await planner.text('[data-marking]'), kMarking);
  return planner;
}

// The app knows an identity made for it alone: no name, no national number, no national word for clearance.
export async function theMapKnowsOnlyAPseudonym(stage, planner) {
  await planner.page.click('.who summary');
  const panel = await planner.text('[data-identity]');
  await planner.shoot('j1-4-who-am-i');
  const { name, login, subject, claims } = planner.person;
  for (const secret of [
    name,
    login,
    subject,
    ...Object.values(claims).filter((value) => value !== 'Borealis'),
  ]) {
    assert.ok(!panel.includes(secret), `the app was told "${secret}"`);
  }
  const known = await planner.text('[data-subject]');
  assert.ok(known.length > 3 && known !== '...', 'the app knows the visitor by some name');
  stage.stopwatch.note('J1', 'looks at what the map knows of them', `a pseudonym: ${known.slice(0, 16)}...`);
}

async function probe(stage, nation, host, path, cookie) {
  const headers = { host, ...(cookie ? { cookie } : {}) };
  return comparable(await ask(`https://${host}${path}`, { ca: stage.authority, headers }), host);
}

async function cookieHeader(visitor) {
  const cookies = await visitor.context.cookies(`${visitor.nation.lobby}/`);
  return cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
}

export async function clerkCannotTellThatTheMapExists(stage) {
  const clerk = await stage.visitor('jonas');
  await clerk.openLobby();
  await clerk.signIn();
  await clerk.page.waitForLoadState('load');
  assert.equal(await clerk.page.locator(clerk.card).count(), 0, 'no card');
  const markup = await clerk.page.content();
  assert.ok(
    !markup.includes(stage.demo.app) && !markup.includes(new URL(clerk.nation.app).host),
    'not even in the markup',
  );
  await clerk.shoot('j1-5-clerk');

  const hidden = new URL(clerk.nation.app).host;
  // As long as the hidden name, so that a length gives nothing away in the comparison itself.
  const nothing = hidden.replace(/^cop-xaa/, 'abc-xyz');
  const cookie = await cookieHeader(clerk);
  for (const path of ['/', '/tracks', '/me', '/entente/anything']) {
    for (const [who, worn] of [
      ['the clerk', cookie],
      ['a stranger', undefined],
    ]) {
      const [real, none] = [
        await probe(stage, 'XBB', hidden, path, worn),
        await probe(stage, 'XBB', nothing, path, worn),
      ];
      assert.equal(real, none, `${who} can tell the hidden app from a name that does not exist at ${path}`);
    }
  }
  const typed = [];
  for (const host of [hidden, nothing]) {
    const answer = await clerk.page.goto(`https://${host}/`);
    typed.push({ status: answer.status(), shown: (await clerk.page.content()).replaceAll(host.split('.')[0], 'NAME') });
  }
  assert.deepEqual(typed[0], typed[1], 'in the browser, too');
  await clerk.shoot('j1-6-clerk-types-the-address');
  await clerk.isAccessible('the page of a name that is not there');
  stage.stopwatch.note(
    'J1',
    'clerk of XBB signs in and types the address',
    `the same answer as for a name that is not there (${typed[0].status})`,
  );
  await clerk.context.close();
}

// In, to the map and out again without a mouse; and each card of the lobby is marked.
export async function lobbyByKeyboard(stage) {
  const visitor = await stage.visitor('livia');
  await visitor.openLobby();
  await visitor.press('a[data-action="sign-in"]');
  await visitor.type('#login', visitor.person.login);
  await visitor.type('#passphrase', visitor.person.passphrase);
  await visitor.page.keyboard.press('Enter');
  await visitor.page.waitForSelector(visitor.card);
  const cards = await visitor.page.$$eval('article[data-app]', (all) =>
    all.map((card) => card.querySelector('[data-banner]')?.textContent ?? ''),
  );
  assert.ok(cards.length >= 2, 'cards of several apps');
  for (const banner of cards) assert.match(banner.trim(), kMarking, 'each card says how its app is marked');
  await visitor.press(`${visitor.card} a[data-action="open"]`);
  await visitor.page.waitForSelector('body[data-link="live"] [data-track]');
  await visitor.openLobby();
  await visitor.press('[data-action="sign-out"]');
  await visitor.page.waitForSelector('a[data-action="sign-in"]');
  assert.equal(await visitor.page.locator('article[data-app]').count(), 0);
  assert.equal(visitor.clicks, 0);
  stage.stopwatch.note('J1', 'logistics of XCC, with the keyboard alone', 'in, to the map, and out; every card is marked');
  await visitor.context.close();
}

// Known but not admitted: the card is there, the address refuses in words, with the verdict's id.
export async function analystMayKnowButNotOpen(stage) {
  const analyst = await stage.visitor('maren');
  await analyst.openLobby();
  await analyst.signIn();
  await analyst.page.waitForSelector(analyst.card);
  await analyst.page.goto(`${analyst.nation.app}/`);
  await analyst.page.waitForSelector('main[data-refusal="denied"]');
  assert.ok((await analyst.text('main[data-refusal] [data-verdict]')).length > 0, "the verdict's id");
  assert.equal(await analyst.page.locator('[data-map]').count(), 0);
  await analyst.shoot('j1-8-analyst-refused');
  await analyst.isAccessible('a refusal');
  stage.stopwatch.note('J1', 'analyst of XBB opens the map', 'that it is denied, why, and who decides');
  await analyst.context.close();
}

export async function officerUsesTheOwnDoor(stage) {
  const officer = await stage.visitor('konrad');
  await officer.openLobby();
  await officer.signIn();
  await officer.page.waitForSelector(officer.card);
  const times = await officer.openApp();
  assert.equal(new URL(officer.page.url()).host, new URL(officer.nation.app).host);
  await officer.shoot('j1-7-officer');
  stage.stopwatch.note(
    'J1',
    "officer of XAA opens the map at XAA's door",
    'tracks that move, since the click',
    times.moving,
    2000,
  );
  return officer;
}
