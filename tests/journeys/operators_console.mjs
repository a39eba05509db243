// The console of Aldoria's operator, with the keyboard alone: she gets in by her own lobby, sees a session appear,
// suspends a partner and sees it go, sees who reaches what, and has the ledger verified by her browser, which
// says so loudly when a byte that it is served has been flipped.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { as, atObjects, choose, place } from './object_recalled.mjs';

const kReason = 'exercise: seen from the console';
const kPurpose = 'exercise: count the open berths';
const kPages = ['sessions', 'requests', 'releases', 'partners', 'missions', 'map', 'ledger'];

const press = (visitor, selector) => visitor.press(selector);

async function goTo(operator, name) {
  if ((await operator.page.locator(`main[data-page="${name}"]`).count()) > 0) return;
  await press(operator, `nav a[href="#/${name}"]`);
  await operator.page.waitForSelector(`main[data-page="${name}"] h1:focus`);
}

// Opens the dialog of a change, writes its reason, and waits until the node has said what was done.
async function change(operator, verb, says, button = `[data-act="${verb}"]`) {
  await press(operator, button);
  await operator.page.waitForSelector('dialog[open] input:focus');
  await operator.page.keyboard.type(kReason);
  if (verb === 'suspend') {
    await operator.page.waitForSelector('dialog[open] [data-counted]:has-text("Would end now")');
    assert.match(await operator.text('dialog[open] [data-counted]'), /^Would end now: [1-9]\d* sessions? \(.*XBB [1-9].* Nothing was changed\.$/);
    await operator.shoot('console-4-suspend');
    await operator.isAccessible('the console: a change that asks for its reason');
  }
  if (verb === 'cut') await operator.page.waitForSelector('dialog[open] [data-counted]:has-text("Would end now: 1 session (XBB 1). Nothing was changed.")');
  await operator.page.keyboard.press('Enter');
  await operator.page.waitForFunction(
    (wanted) => document.activeElement?.matches('[data-said]') && document.activeElement.textContent.includes(wanted),
    says,
  );
}

export async function operatorOpensTheConsole(stage) {
  const operator = await stage.visitor('lena');
  await operator.openLobby();
  await operator.signIn();
  await press(operator, 'a[data-action="console"]');
  await operator.page.waitForSelector('main[data-page="sessions"]');
  await operator.page.waitForSelector('[data-live="true"]');
  assert.equal(new URL(operator.page.url()).origin, operator.nation.console);
  for (const name of kPages.slice(1)) await goTo(operator, name);
  stage.stopwatch.note('Console', 'operator of XAA signs in at her lobby', 'the console, live; a link to it stands in nobody else\'s lobby');
  return operator;
}

export async function aSessionAppears(stage, operator, planner) {
  await goTo(operator, 'sessions');
  await planner.openLobby();
  if ((await planner.page.locator('a[data-action="sign-in"]').count()) > 0) await planner.signIn();
  const opened = performance.now();
  await planner.openApp();
  const row = '[data-session]:has-text("of Borealis (XBB)"):has-text("XAA/cop")';
  await operator.page.waitForSelector(row);
  stage.stopwatch.note('Console', 'planner of XBB opens the map', 'their session is in the list, by itself', performance.now() - opened, 5000);
  const shown = await operator.text(row);
  assert.match(shown, /planner, /, 'who, as their nation says');
  assert.doesNotMatch(shown, /Ingrid|Solvang/, "another nation's person keeps their name");
  assert.match(shown, /Planners|officers|mission/i, 'why it is permitted');
  await operator.shoot('console-1-sessions');
  await goTo(operator, 'map');
  await operator.page.waitForSelector('[data-reach="XBB XAA/cop"][data-way="inside"]');
  const lines = await operator.page.locator('.drawing .way').count();
  assert.equal(await operator.page.locator('[data-reach]').count(), lines, 'the table says what the picture says');
  await operator.shoot('console-2-who-reaches-what');
}

// What a phase would end is said once it is written, and the mission stays in the one it is in.
export async function aPhaseIsForeseen(operator) {
  await goTo(operator, 'missions');
  const was = await operator.text('[data-phase]');
  await press(operator, '[data-act="set-phase"]');
  await operator.page.waitForSelector('dialog[open] :is(input, select):focus');
  assert.equal(await operator.text('dialog[open] [data-counted]'), '', 'nothing is asked of the phase it is in');
  await operator.page.selectOption('dialog[open] select[name="phase"]', 'stand-down');
  await operator.page.keyboard.press('Tab');
  await operator.page.waitForSelector('dialog[open] [data-counted]:has-text("Nothing was changed.")');
  await operator.page.keyboard.press('Escape');
  await operator.page.waitForSelector('dialog[open]', { state: 'detached' });
  assert.equal(await operator.text('[data-phase]'), was);
}

// A request comes, and she sees what approving opens before she presses.
export async function operatorApproves(stage, operator) {
  await goTo(operator, 'requests');
  const analyst = await stage.visitor('maren');
  await analyst.openLobby();
  await analyst.signIn();
  await analyst.page.goto(`${analyst.nation.app}/`);
  await analyst.page.fill('#purpose', kPurpose);
  await analyst.click('[data-action="ask"]');
  await analyst.page.waitForSelector('main[data-waiting][data-state="open"]');
  await operator.page.waitForSelector('[data-request]');
  await operator.page.waitForSelector('nav a[href="#/requests"] [data-due="1"]');
  assert.match(await operator.text('nav a[href="#/requests"]'), /^Requests\s+1\s+for your answer$/, 'also for who hears it');
  const shown = await operator.text('[data-request]');
  assert.ok(shown.includes(kPurpose), 'the purpose');
  assert.match(shown, /analyst, SECRET, of Borealis/);
  assert.match(await operator.text('[data-opens]'), /XAA\/cop for this person until 2/);
  await operator.shoot('console-3-request');
  await operator.isAccessible('the console: a request to answer');
  const pressed = performance.now();
  await change(operator, 'approve', 'granted: XAA/cop is open to this person of XBB');
  await analyst.page.waitForSelector('body[data-link="live"] [data-track]');
  stage.stopwatch.note('Console', 'operator approves a request', "the analyst's page is the map, by itself", performance.now() - pressed, 2000);
  await operator.page.waitForFunction(() => !document.querySelector('[data-request]'));
  await operator.page.waitForFunction(() => !document.querySelector('[data-due]'));
  await goTo(operator, 'sessions');
  await operator.page.waitForSelector('[data-act="cut"][data-on*="analyst"]');
  await change(operator, 'cut', 'the session is cut', '[data-act="cut"][data-on*="analyst"]');
  await analyst.page.waitForFunction(() => document.body.dataset.link !== 'live');
  await operatorTakesTheGrantBack(operator, analyst);
}

// A planner of Borealis needs a release first, and asks for it on her page; it comes to the console by itself, and the
// answers come to her page by themselves.
export async function operatorReleases(stage, operator) {
  await goTo(operator, 'releases');
  writeFileSync(place(stage, 'berths.txt'), 'EXERCISE EXERCISE EXERCISE\n\nBerths 4 to 6 are open at dusk.\n');
  const sealed = await as(stage, 'konrad', 'seal', 'berths.txt', '--orcon', '-o', 'berths.tdf');
  assert.equal(sealed.code, 0, sealed.output);
  const planner = await stage.visitor('ingrid');
  await atObjects(planner);
  await choose(planner, place(stage, 'berths.tdf'), 'refused');
  await planner.page.fill('#release-purpose', kPurpose);
  await planner.shoot('object-release-ask');
  const asked = performance.now();
  await planner.click('[data-action="ask-release"]');
  await operator.page.waitForSelector('[data-release][data-state="open"]');
  stage.stopwatch.note('Console', 'planner of XBB asks for a release', 'it is in the list, by itself', performance.now() - asked, 5000);
  const shown = await operator.text('[data-release]');
  assert.ok(shown.includes(kPurpose), 'the purpose');
  assert.match(shown, /EXERCISE RESTRICTED.* to a person of XBB/);
  assert.match(shown, /handling orcon/);
  assert.match(await operator.text('[data-who]'), /^planner, .* of Borealis \(XBB\)$/);
  assert.doesNotMatch(shown, /Ingrid|Solvang/, "another nation's person keeps their name");
  await operator.shoot('console-3-release');
  await operator.isAccessible('the console: a release to answer');
  const pressed = performance.now();
  await change(operator, 'approve', 'released: ');
  await planner.page.waitForSelector('[data-wish="granted"]');
  stage.stopwatch.note('Console', 'operator approves a release', "the planner's page says so, by itself", performance.now() - pressed, 2000);
  await planner.click('[data-action="open-again"]');
  await planner.page.waitForSelector('main[data-state="open"]');
  await operator.page.waitForSelector('[data-release][data-state="granted"]');
  await change(operator, 'take-back', 'is taken back');
  await planner.page.waitForSelector('[data-wish="revoked"]');
  await planner.page.waitForSelector('main[data-state="shut"]');
  assert.ok((await planner.text('[data-wish="revoked"]')).includes(kReason), 'with the word of whoever took it back');
  await planner.isAccessible('the page of objects: a release taken back');
  await planner.context.close();
}

export async function everyPageIsMarkedAndAccessible(stage, operator) {
  for (const name of kPages) {
    await goTo(operator, name);
    await operator.page.waitForFunction(() => !document.querySelector('main[aria-busy="true"]'));
    const banners = await operator.page.locator('.banner').allInnerTexts();
    assert.ok(banners.length > 0 && banners.every((text) => text.startsWith('EXERCISE')), `${name}: ${banners}`);
    await operator.isAccessible(`the console: ${name}`);
    await operator.shoot(`console-3-${name}`);
  }
}

export async function operatorSuspendsAndResumes(stage, operator, planner) {
  await goTo(operator, 'partners');
  const began = performance.now();
  await change(operator, 'suspend', 'XBB is suspended', '[data-act="suspend"][data-on="XBB"]');
  await operator.page.waitForSelector('[data-partner="XBB"][data-state="suspended"]');
  await planner.page.waitForFunction(() => document.body.dataset.link !== 'live');
  stage.stopwatch.note('Console', 'operator suspends XBB', "its state, and the end of XBB's map", performance.now() - began);
  await operator.shoot('console-5-suspended');
  await goTo(operator, 'sessions');
  await operator.page.waitForFunction(() => {
    const rows = [...document.querySelectorAll('[data-session]')];
    return document.querySelector('main h1') && rows.every((row) => !row.textContent.includes('of Borealis'));
  });
  await goTo(operator, 'map');
  await operator.page.waitForSelector('[data-reach="XBB XAA/cop"][data-way="shut out"]');
  await operator.shoot('console-6-shut-out');
  await goTo(operator, 'partners');
  await change(operator, 'resume', 'XBB is active again');
  await operator.page.waitForSelector('[data-partner="XBB"][data-state="active"]');
}

// Somebody else is quicker: the dialog stays where it is, and says what became of its session.
export async function aSessionIsGoneMeanwhile(stage, operator) {
  const planner = await stage.visitor('livia');
  await planner.openLobby();
  await planner.signIn();
  await planner.openApp();
  await goTo(operator, 'sessions');
  const row = '[data-session]:has-text("logistics,"):has-text("of Cassia (XCC)")';
  await operator.page.waitForSelector(row);
  const id = await operator.page.getAttribute(row, 'data-session');
  await press(operator, `[data-session="${id}"] [data-act="cut"]`);
  await operator.page.waitForSelector('dialog[open] input:focus');
  await operator.page.keyboard.type(kReason);
  const heard = operator.page.waitForResponse((answer) => answer.url().endsWith('/hello'));
  assert.equal((await stage.cli('XAA', 'session', 'cut', id, '--reason', kReason)).code, 0);
  await planner.page.waitForFunction(() => document.body.dataset.link !== 'live');
  await heard; // the page was told, and would have asked for its list again
  await operator.page.keyboard.press('Enter');
  await operator.page.waitForSelector('dialog[open] [role="alert"]');
  const said = await operator.text('dialog[open] [role="alert"]');
  assert.match(said, /no such session now\s+What would help: look at the list again\./);
  assert.doesNotMatch(said, /`/, 'nothing of the command line');
  await press(operator, 'dialog[open] button.plain');
  await operator.page.waitForFunction((gone) => !document.querySelector(`[data-session="${gone}"]`), id);
  return planner;
}

// The word of the commander, over the one that is there.
async function sayWord(operator, word, value) {
  await goTo(operator, 'missions');
  await press(operator, `[data-act="set-${word}"]`);
  await operator.page.waitForSelector(`dialog[open] [name="${word}"]:focus`);
  await operator.page.keyboard.press('Control+A');
  await operator.page.keyboard.type(value);
  await operator.type('dialog[open] input[name="reason"]', kReason);
  await operator.page.keyboard.press('Enter');
  await operator.page.waitForFunction(
    ([name, wanted]) => document.querySelector(`[data-${name}]`)?.textContent === wanted,
    [word, value],
  );
  assert.match(await operator.text('[data-said]'), new RegExp(`${word} ${value}`));
}

// J7 as it is pressed: the phase lets an analyst in, the threat cuts her, and calm gives back nothing but the phase's.
export async function commanderSetsPhaseAndThreat(stage, operator) {
  const analyst = await stage.visitor('maren');
  await analyst.openLobby();
  await analyst.signIn();
  await sayWord(operator, 'phase', 'execution');
  await analyst.openLobby();
  await analyst.openApp();
  const pressed = performance.now();
  await sayWord(operator, 'threat', 'high');
  await analyst.page.waitForFunction(() => document.body.dataset.link !== 'live');
  stage.stopwatch.note('Console', 'commander sets the threat to high', "the analyst's map has ended", performance.now() - pressed);
  await operator.shoot('console-4-threat');
  await sayWord(operator, 'threat', 'low');
  await sayWord(operator, 'phase', 'planning');
  await analyst.context.close();
}

export async function operatorIsolatesAndRejoins(stage, operator, planner) {
  await planner.openLobby();
  await planner.openApp();
  await goTo(operator, 'partners');
  await change(operator, 'isolate', 'isolated from each other', '[data-act="isolate"][data-on="XCC"]');
  await operator.page.waitForSelector('[data-partner="XCC"][data-state="isolated"]');
  await planner.page.waitForFunction(() => document.body.dataset.link !== 'live');
  assert.equal(await operator.page.getAttribute('[data-partner="XBB"]', 'data-state'), 'active', 'the third nation stays');
  await change(operator, 'rejoin', 'may meet again', '[data-act="rejoin"][data-on="XCC"]');
  await operator.page.waitForSelector('[data-partner="XCC"][data-state="active"]');
  await planner.context.close();
}

// What was given is there to be taken back, from whom the operator sees.
async function operatorTakesTheGrantBack(operator, analyst) {
  await goTo(operator, 'requests');
  await operator.page.waitForSelector('[data-grant]');
  assert.ok((await operator.text('[data-grant]')).includes(kPurpose));
  await change(operator, 'take-back', 'is taken back', '[data-grant] [data-act="take-back"]');
  await operator.page.waitForFunction(() => !document.querySelector('[data-grant]'));
  await analyst.page.goto(`${analyst.nation.app}/`);
  await analyst.page.waitForSelector('main[data-refusal="denied"]');
}

// The console is another page of the same sign-in: what it showed goes with it.
export async function signingOutEmptiesIt(stage, operator) {
  await goTo(operator, 'sessions');
  const lobby = await operator.newPage();
  await lobby.goto(`${operator.nation.lobby}/`);
  await lobby.click('[data-action="sign-out"]');
  await lobby.waitForSelector('a[data-action="sign-in"]');
  await lobby.close();
  await operator.page.waitForSelector('main > [role="alert"]');
  assert.equal(await operator.page.locator('header, [data-session], table').count(), 0, 'nothing of it is left');
  await operator.shoot('console-9-signed-out');
  await operator.isAccessible('the console: signed out');
  stage.stopwatch.note('Console', 'operator signs out in the lobby', 'an open console is empty and says why');
}

// What a liar between node and browser could do: one bit of what is served is another.
async function flipping(operator, pattern, run) {
  const network = await operator.context.newCDPSession(operator.page);
  network.on('Fetch.requestPaused', async ({ requestId, responseStatusCode, responseHeaders }) => {
    const { body, base64Encoded } = await network.send('Fetch.getResponseBody', { requestId });
    const bytes = Buffer.from(body, base64Encoded ? 'base64' : 'utf8');
    bytes[Math.floor(bytes.length / 2)] ^= 1;
    await network.send('Fetch.fulfillRequest', {
      requestId,
      responseCode: responseStatusCode,
      responseHeaders,
      body: bytes.toString('base64'),
    });
  });
  await network.send('Fetch.enable', { patterns: [{ urlPattern: pattern, requestStage: 'Response' }] });
  await run();
  await network.detach();
}

export async function theBrowserVerifiesTheLedger(stage, operator) {
  await goTo(operator, 'ledger');
  const began = performance.now();
  await press(operator, '[data-act="verify"][aria-disabled="false"]');
  await operator.page.waitForSelector('[data-ledger="good"]');
  stage.stopwatch.note('Console', 'operator has the ledger verified', 'signature, root, history and entries hold', performance.now() - began);
  await operator.page.keyboard.press('Enter');
  await operator.page.waitForSelector('[data-finding="History"]:has-text("seen before stand as they were")');
  await press(operator, '[data-entry] button');
  await operator.page.waitForSelector('[data-proof="none"], [data-proof="good"]');
  const older = await operator.page.locator('[data-entry]').nth(30).getAttribute('data-entry');
  await press(operator, `[data-entry="${older}"] button`);
  await operator.page.waitForSelector(`[data-shown-entry="${older}"] [data-proof="good"]`);
  await operator.shoot('console-7-verified');
  await operator.isAccessible('the console: a ledger that verifies, with an entry');
}

export async function aFlippedByteIsLoud(stage, operator) {
  const remembered = () => operator.page.evaluate(() => localStorage.getItem('entente.ledger'));
  const before = await remembered();
  for (const [pattern, finding] of [
    ['*/ledger/tile/0/*', 'Root'],
    ['*/ledger/tile/entries/*', 'Entries'],
    ['*/ledger/checkpoint', 'Signature'],
  ]) {
    await flipping(operator, pattern, async () => {
      await press(operator, '[data-act="verify"][aria-disabled="false"]');
      await operator.page.waitForSelector(`[data-ledger="bad"] [data-finding="${finding}"][data-good="false"]`);
    });
    assert.match(await operator.text('[data-ledger="bad"] [role="alert"]'), /DOES NOT VERIFY/);
    assert.equal(await remembered(), before, 'what does not hold is not remembered');
    if (finding !== 'Entries') continue;
    await operator.shoot('console-8-does-not-verify');
    await operator.isAccessible('the console: a ledger that does not verify');
  }
  await press(operator, '[data-act="verify"][aria-disabled="false"]');
  await operator.page.waitForSelector('[data-ledger="good"]');
  stage.stopwatch.note('Console', 'one bit of what is served is flipped', 'a loud alarm that says where; nothing of it is remembered');
}
