// J3, the cutting half: XAA suspends XBB while people of both watch the map. XBB's streams end at once and
// say why; XAA's go on; resuming brings nobody back by itself.
import assert from 'node:assert/strict';

const kReason = 'exercise: key material of Borealis under review';
const kFramesAfter = 20; // how many more messages XAA's page must get while XBB's gets none

export async function suspendWhileBothWatch(stage, planner, officer) {
  const { stopwatch } = stage;
  await Promise.all([planner.waitForFrames(3), officer.waitForFrames(3)]);
  const officerConnections = officer.liveConnections;
  const given = stopwatch.mark();
  const answered = await stage.cli('XAA', 'partner', 'suspend', 'XBB', '--reason', kReason);
  assert.equal(answered.code, 0, answered.output);
  await planner.page.waitForFunction(() => document.body.dataset.link !== 'live');
  const noticed = stopwatch.mark() - given;
  const received = planner.frames;
  await officer.waitForFrames(kFramesAfter);
  assert.equal(planner.frames, received, 'no track reaches XBB after the cut');
  assert.equal(officer.liveConnections, officerConnections, "XAA's own connection was never interrupted");
  stopwatch.note('J3', 'XAA suspends XBB', 'the command answers', answered.ms, 1000);
  stopwatch.note(
    'J3',
    '',
    "XBB's last track, since the command was given",
    Math.max(0, planner.lastFrameAt - given),
    1000,
  );
  stopwatch.note('J3', '', "XBB's page says that the connection ended", noticed, 1000);
  stopwatch.note('J3', "XAA's officer watches on", `${kFramesAfter} more messages, same connection`);
  await planner.page.waitForSelector('body[data-link="ended"]');
  await planner.shoot('j3-1-xbb-cut');
  await officer.shoot('j3-2-xaa-goes-on');
}

export async function theLobbySaysWhy(stage, planner) {
  await planner.openLobby();
  const shown = await planner.text();
  await planner.shoot('j3-3-lobby-says-why');
  await planner.isAccessible('the lobby after a cut');
  assert.match(shown, /suspend/i, 'the lobby names what happened');
  assert.ok(shown.includes(kReason), 'and the reason that XAA gave');
  stage.stopwatch.note('J3', 'planner of XBB looks into the lobby', 'that XAA suspended XBB, and why');

  await planner.page.goto(`${planner.nation.app}/`);
  assert.equal(await planner.page.locator('[data-map]').count(), 0, 'the address does not open the map');
  await planner.page.waitForSelector('main[data-refusal="denied"] [data-verdict]');
  await planner.shoot('j3-4-refusal');
  await planner.isAccessible('an app that was cut');
}

export async function resumeRestoresNothing(stage, planner) {
  const answered = await stage.cli(
    'XAA',
    'partner',
    'resume',
    'XBB',
    '--reason',
    'exercise: review finished',
  );
  assert.equal(answered.code, 0, answered.output);
  await planner.page.goto(`${planner.nation.app}/`);
  assert.equal(
    await planner.page.locator('[data-map]').count(),
    0,
    'the old sign-in does not come back to life',
  );
  // The sign-in from before the suspension is refused there. It stays good at home; a new one is offered.
  await planner.page.waitForSelector('main[data-refusal="credential"] a[data-action="sign-in"]');
  await planner.isAccessible('a refusal that asks to sign in again');
  await planner.shoot('j3-5-sign-in-again');
  await planner.signIn();
  const times = await planner.openApp();
  stage.stopwatch.note(
    'J3',
    'XAA resumes XBB',
    'nothing by itself; after signing in again, tracks that move',
    times.moving,
    2000,
  );
}

// Signing out takes effect on every tab at once, and what is left opens nothing.
export async function signOutEndsAll(stage, planner) {
  const map = planner.page;
  await map.waitForSelector('body[data-link="live"] [data-track]');
  planner.page = await planner.context.newPage();
  await planner.openLobby();
  await planner.page.waitForSelector('form[action="/sign-out"]');
  const clicked = performance.now();
  await Promise.all([
    planner.page.waitForSelector('a[data-action="sign-in"]'),
    planner.click('form[action="/sign-out"] button:has-text("Sign out everywhere")'),
  ]);
  await map.waitForFunction(() => document.body.dataset.link !== 'live');
  const ended = performance.now() - clicked;
  await planner.shoot('j1-9-signed-out');
  await planner.isAccessible('the lobby after signing out');
  const said = await planner.text('main[data-signed-out]');
  assert.match(said, /in every browser/, 'what it did');
  assert.match(said, /may still know you on this machine.*Close the browser, or sign out at/s, 'and what it did not');
  assert.equal(await planner.page.locator('article[data-app]').count(), 0, 'no card is left');
  const names = (await planner.context.cookies()).map(({ name }) => name);
  // That the provider still knows its person is its own matter (docs/limits.md): here it is made to forget.
  await planner.context.clearCookies({ domain: new URL(planner.nation.issuer).hostname });
  await planner.page.goto(`${planner.nation.app}/`);
  assert.equal(await planner.page.locator('[data-map]').count(), 0, 'the address opens nothing');
  await planner.openLobby();
  assert.equal(await planner.page.locator('article[data-app]').count(), 0, 'nor does the lobby');
  assert.ok(!names.includes('__Host-entente'), `the sign-in's cookie is gone: ${names.join(' ')}`);
  stage.stopwatch.note('J1', 'planner signs out in another tab', 'the map ends, since the click', ended, 1000);
}

export async function theLedgerIsWhole(stage) {
  for (const nation of Object.keys(stage.demo.nations)) {
    const verified = await stage.cli(nation, 'ledger', 'verify');
    assert.equal(verified.code, 0, verified.output);
    const [line] = verified.output.split('\n');
    stage.stopwatch.note('J3', `auditor verifies ${nation}'s ledger`, line.slice(0, 70), verified.ms, 2000);
  }
}
