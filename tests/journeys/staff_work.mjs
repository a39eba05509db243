// A day's staff work over three nations: a planner of XBB opens XCC's calendar, a planner of XCC writes XBB's wiki,
// both watch XAA's map. Then XBB isolates itself from XCC: they lose each other's apps and keep the map.
import assert from 'node:assert/strict';

const kReason = 'exercise: port records under review';
const kMarking = 'EXERCISE RESTRICTED REL XAA XBB XCC';

async function comeIn(stage, login) {
  const visitor = await stage.visitor(login);
  await visitor.openLobby();
  await visitor.signIn();
  return visitor;
}

export async function plannerOfXbbUsesTheCalendar(stage) {
  const planner = await comeIn(stage, 'ingrid');
  const took = await planner.openCard('calendar-xcc');
  const greeting = await planner.text('[data-marking]');
  assert.ok(greeting.includes(kMarking), 'marked before anything is opened');
  assert.match(greeting, /signed in already, by your own nation.*no password/);
  // Radicale's page asks for a name, and takes any: who it is, the node has told it.
  await planner.page.fill('#loginscene [data-name="user"]', 'whoever');
  await planner.click('#loginscene button[type="submit"]');
  await planner.page.waitForSelector('text=EXERCISE Harbor Light');
  assert.ok((await planner.text('#collectionsscene')).includes(kMarking));
  assert.match(await planner.text('#collectionsscene'), /\/xbb-[\w-]{16}\/harbor-light\//, 'a name made for it');
  await planner.shoot('staff-1-calendar');
  stage.stopwatch.note('staff', "planner of XBB opens XCC's calendar", 'the shared calendar, marked', took, 2000);
  return planner;
}

export async function plannerOfXccWritesTheWiki(stage, reader) {
  const writer = await comeIn(stage, 'chiara');
  await writer.shoot('staff-2-lobby');
  await writer.isAccessible('the lobby with three cards');
  const took = await writer.openCard('wiki-xbb');
  assert.ok((await writer.text()).includes(kMarking));
  stage.stopwatch.note('staff', "planner of XCC opens XBB's wiki", 'its front page, marked', took, 2000);
  const { page, nation } = writer;
  await page.goto(`${nation.apps['wiki-xbb']}/wikinew`);
  await page.fill('input[name="name"]', 'Convoys');
  await page.click('input[type="submit"][value="Create"]');
  await page.waitForSelector('#wikiedit-content-editor:visible');
  await page.fill('#wikiedit-content-editor', `**${kMarking}**\n\nConvoy 4 waits at West Ferry.`);
  const saved = page.waitForResponse((answer) => answer.url().includes('/wikiajax/save'));
  await writer.click('button.wikiedit-save');
  assert.equal((await saved).status(), 200);
  await page.goto(`${nation.apps['wiki-xbb']}/wiki?name=Convoys`);
  assert.match(await writer.text(), /Convoy 4 waits/);
  const known = await writer.text('.status');
  assert.match(known, /^xcc-[\w-]{16}$/);
  await writer.shoot('staff-3-wiki');

  const there = await reader.context.newPage();
  await there.goto(`${reader.nation.apps['wiki-xbb']}/whistory?name=Convoys`);
  const history = await there.innerText('body');
  await there.close();
  assert.ok(history.includes(known), "XBB's own planner sees who wrote it, as the wiki knows them");
  for (const secret of [writer.person.name, writer.person.login, writer.person.subject])
    assert.ok(!history.includes(secret), `the wiki was told "${secret}"`);
  stage.stopwatch.note('staff', 'writes a page', `its author at XBB: ${known}`);
  return writer;
}

// Each has the other's app in one page and the map in another.
export async function isolationOfThePair(stage, xbb, xcc) {
  const pair = [
    [xbb, 'calendar-xcc', xbb.page],
    [xcc, 'wiki-xbb', xcc.page],
  ];
  for (const [visitor] of pair) {
    visitor.page = await visitor.newPage();
    await visitor.openLobby();
    await visitor.openApp();
  }
  const connections = pair.map(([visitor]) => visitor.liveConnections);
  const answered = await stage.cli('XBB', 'partner', 'isolate', 'XBB', 'XCC', '--reason', kReason);
  assert.equal(answered.code, 0, answered.output);
  stage.stopwatch.note('J3', 'XBB isolates itself from XCC', 'the command answers', answered.ms, 1000);
  for (const [visitor, app, page] of pair) {
    const answer = await page.goto(`${visitor.nation.apps[app]}/`);
    assert.notEqual(answer.status(), 200, `${app} is shut`);
    await visitor.waitForFrames(3);
  }
  assert.deepEqual(
    pair.map(([visitor]) => visitor.liveConnections),
    connections,
    'both maps go on over the same connection',
  );
  stage.stopwatch.note('J3', "people of both go to each other's app", 'refused; both maps go on');
  const [[, , page]] = pair;
  const map = xbb.page;
  xbb.page = page;
  await xbb.openLobby();
  const shown = await xbb.text();
  assert.ok(shown.includes(kReason) && shown.includes('isolated from each other'), shown);
  await xbb.shoot('j3-6-isolated-lobby');
  await xbb.isAccessible('the lobby during an isolation');
  xbb.page = map;
  await xbb.shoot('j3-7-isolated-map-goes-on');
  stage.stopwatch.note('J3', 'planner of XBB looks into the lobby', 'which two are isolated, and why');
}

export async function rejoiningRestoresNothing(stage, xbb, xcc) {
  const answered = await stage.cli('XBB', 'partner', 'rejoin', 'XBB', 'XCC', '--reason', 'exercise: review finished');
  assert.equal(answered.code, 0, answered.output);
  const answer = await xbb.page.goto(`${xbb.nation.apps['calendar-xcc']}/`);
  assert.notEqual(answer.status(), 200, 'the sign-in from before does not count there');
  await xcc.context.close();
  await xbb.context.close();
  const planner = await comeIn(stage, 'ingrid');
  const took = await planner.openCard('calendar-xcc');
  await planner.page.waitForSelector('#loginscene');
  await planner.context.close();
  stage.stopwatch.note('J3', 'XBB rejoins XCC', 'nothing by itself; after signing in again, the calendar', took, 2000);
}
