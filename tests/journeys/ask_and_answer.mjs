// Requests and grants: an analyst of XBB who may know of XAA's map asks for it, an officer of XAA sees what
// approving opens and approves, the analyst's page goes on by itself; then the officer takes it back.
import assert from 'node:assert/strict';

const kPurpose = 'exercise: count the open aid stations';

export async function analystAsks(stage) {
  const analyst = await stage.visitor('maren');
  await analyst.openLobby();
  await analyst.signIn();
  await analyst.page.goto(`${analyst.nation.app}/`);
  await analyst.page.waitForSelector('main[data-refusal="denied"] [data-action="ask"]');
  await analyst.shoot('ask-1-refused-with-a-way');
  await analyst.isAccessible('a refusal that can be asked about');
  // Without a mouse.
  await analyst.type('#purpose', kPurpose);
  await analyst.tabTo('#minutes');
  while ((await analyst.page.inputValue('#minutes')) !== '60') await analyst.page.keyboard.press('ArrowUp');
  await analyst.press('[data-action="ask"]');
  await analyst.page.waitForSelector('main[data-waiting][data-state="open"]');
  await analyst.shoot('ask-2-waiting');
  await analyst.isAccessible('a request that waits');
  stage.stopwatch.note('Ask', 'analyst of XBB asks for the map', 'a page that waits, after one form');
  return analyst;
}

export async function officerApproves(stage, analyst, officer) {
  const map = officer.page;
  officer.page = await officer.newPage();
  await officer.openLobby();
  await officer.click('a[data-action="things"]');
  await officer.page.waitForSelector('[data-answer]'); // the page loads itself again when a request comes
  const shown = await officer.text('[data-answer]');
  assert.ok(shown.includes(kPurpose), 'the purpose');
  assert.match(shown, /analyst, SECRET, of Borealis/i, 'who asks, as their nation says');
  assert.match(shown, /Approving opens .* until/, 'what approving opens');
  assert.doesNotMatch(shown, /Maren|Tveit/, "another nation's person keeps their name");
  await officer.shoot('ask-3-officer-sees-what-it-opens');
  await officer.isAccessible('my things, with a request to answer');
  const pressed = performance.now();
  await officer.click('[data-answer] [data-action="approve"]');
  await analyst.page.waitForSelector('body[data-link="live"] [data-track]');
  const opened = performance.now() - pressed;
  await analyst.waitForMove();
  await analyst.shoot('ask-4-the-page-goes-on');
  stage.stopwatch.note('Ask', 'officer of XAA approves', "the analyst's page is the map, by itself", opened, 1000);
  return map;
}

export async function officerTakesItBack(stage, analyst, officer, map) {
  await officer.page.goto(`${officer.nation.lobby}/things`);
  await officer.page.waitForSelector('[data-grant] [data-action="revoke"]');
  await officer.shoot('ask-5-who-uses-it');
  assert.ok((await officer.page.locator('[data-session]').count()) >= 1, 'who uses it now stands there');
  const pressed = performance.now();
  await officer.click('[data-grant] [data-action="revoke"]');
  await analyst.page.waitForFunction(() => document.body.dataset.link !== 'live');
  stage.stopwatch.note('Ask', 'officer takes it back', "the analyst's map ends", performance.now() - pressed, 1000);
  await analyst.page.goto(`${analyst.nation.lobby}/things`);
  await analyst.page.waitForSelector('[data-request][data-state="revoked"]');
  await analyst.shoot('ask-6-taken-back');
  await analyst.isAccessible('my things, with a grant that was taken back');
  await officer.page.close();
  officer.page = map;
}
