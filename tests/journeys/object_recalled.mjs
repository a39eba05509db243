// J5: Aldoria seals a report for Borealis. Borealis's planner reads it in her lobby and with the command line, Cassia's
// is refused with a reason, a document of joint origin takes both nations, and an operator of either takes that back.
// Then the author recalls the report in his own lobby: the open page goes blank, and no key is released any more.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const kText =
  'EXERCISE EXERCISE EXERCISE\n\nTwo relief convoys reach Harbor Light Bay at dusk. Ten tents, two doctors.\n';
const kReason = 'exercise: the convoy times were wrong';
const kOpen = 'main[data-state="open"] [data-text]';
const kBlankMsMax = 5000; // as long as a page may show what it hears nothing of: against never, not a measure

export const place = (stage, name) => join(stage.demo.folder, name);

// What somebody types: `./as LOGIN ...` in the run's folder.
export async function as(stage, ...words) {
  const started = performance.now();
  const child = spawn(place(stage, 'as'), words, {
    cwd: stage.demo.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => output.push(data));
  const [code] = await once(child, 'close');
  return { code, output: Buffer.concat(output).toString('utf8').trim(), ms: performance.now() - started };
}

export async function atObjects(visitor) {
  await visitor.openLobby();
  if ((await visitor.page.locator('a[data-action="sign-in"]').count()) > 0) await visitor.signIn();
  await visitor.click('nav a[href="/objects"]');
  await visitor.page.waitForSelector('main[data-objects]');
}

// Chooses the file; answers how long it took until the page said how it went.
export async function choose(visitor, file, state = 'open') {
  const chosen = performance.now();
  await visitor.page.setInputFiles('#object-file', file);
  await visitor.page.waitForSelector(`main[data-state="${state}"]`);
  return performance.now() - chosen;
}

export async function officerSeals(stage) {
  writeFileSync(place(stage, 'report.txt'), kText);
  const sealed = await as(stage, 'konrad', 'seal', 'report.txt', '--for', 'XBB', '-o', 'report.tdf');
  assert.equal(sealed.code, 0, sealed.output);
  const joint = await as(stage, 'konrad', 'seal', 'report.txt', '--joint', 'XBB', '-o', 'joint.tdf');
  assert.equal(joint.code, 0, joint.output);
  assert.ok(!readFileSync(place(stage, 'report.tdf')).includes('convoys'));
  const idOf = ({ output }) => /as object (\S+)/.exec(output)[1];
  stage.stopwatch.note(
    'J5',
    'officer of XAA seals a report for XBB',
    'a file that says nothing, nor by whom (a sign-in and a token each time)',
    sealed.ms,
    3000,
  );
  return { report: idOf(sealed), joint: idOf(joint) };
}

export async function plannerReads(stage, login = 'ingrid') {
  const planner = await stage.visitor(login);
  await atObjects(planner);
  await planner.isAccessible('the page for sealed objects');
  const took = await choose(planner, place(stage, 'report.tdf'));
  assert.equal(await planner.page.textContent('[data-text]'), kText, 'word for word');
  const banners = await planner.page.locator('[data-viewer] [data-banner]').allTextContents();
  assert.equal(banners.length, 2, 'marked above and below');
  for (const banner of banners) assert.match(banner, /^EXERCISE.*RESTRICTED.*XBB/);
  assert.match(await planner.text('[data-signed]'), /^Signed by Aldoria \(XAA\)/);
  assert.equal(new URL(planner.page.url()).origin, planner.nation.lobby, 'at her own door');
  await planner.shoot('j5-1-open');
  await planner.isAccessible('an object that is open');
  stage.stopwatch.note(
    'J5',
    'planner of XBB opens it in her lobby',
    `the report, marked ${banners[0]}`,
    took,
    1000,
  );
  const typed = await as(stage, login, 'open', 'report.tdf', '-o', 'read.txt');
  assert.equal(typed.code, 0, typed.output);
  assert.equal(readFileSync(place(stage, 'read.txt'), 'utf8'), kText);
  assert.match(typed.output, /signed by XAA's originator key/);
  stage.stopwatch.note(
    'J5',
    'and with the command line',
    'the same, verified (a sign-in and a token each time)',
    typed.ms,
    3000,
  );
  return planner;
}

export async function plannerOfXccIsRefused(stage) {
  const other = await stage.visitor('chiara');
  await atObjects(other);
  const took = await choose(other, place(stage, 'report.tdf'), 'refused');
  assert.equal(await other.page.locator('[data-text]').count(), 0);
  const said = await other.text('[data-answer]');
  assert.match(said, /Refused\. \S+/);
  await other.shoot('j5-2-refused');
  await other.isAccessible('an object that is refused');
  await other.context.close();
  stage.stopwatch.note(
    'J5',
    'planner of XCC tries',
    said.match(/Refused\. ([^.]*\.)/)[1].slice(0, 90),
    took,
    1000,
  );
}

export async function bothHaveToAgree(stage, { joint }) {
  const reader = await stage.visitor('maren');
  await atObjects(reader);
  const took = await choose(reader, place(stage, 'joint.tdf'));
  assert.equal(await reader.page.textContent('[data-text]'), kText);
  stage.stopwatch.note(
    'J5',
    'analyst of XBB opens one of joint origin',
    'each nation released its share',
    took,
    1000,
  );
  const recalled = await stage.cli('XAA', 'recall', 'policy', joint, '--reason', kReason);
  assert.equal(recalled.code, 0, recalled.output);
  await reader.page.waitForFunction(() => !document.querySelector('[data-text]'));
  await choose(reader, place(stage, 'joint.tdf'), 'refused');
  const said = Object.fromEntries(
    await reader.page.$$eval('[data-answer] dt', (names) =>
      names.map((name) => [name.textContent, name.nextElementSibling.textContent]),
    ),
  );
  assert.equal(Object.keys(said).length, 2, JSON.stringify(said));
  const wordsOf = (code) => Object.entries(said).find(([who]) => who.toUpperCase().includes(code))?.[1];
  assert.match(wordsOf('XAA'), /^Refused\. /);
  assert.match(wordsOf('XBB'), /^Permitted\./, "the reader's own nation alone opens nothing");
  await reader.shoot('j5-3-joint');
  await reader.context.close();
  stage.stopwatch.note('J5', 'XAA takes that back', `blank; then XBB permits, XAA does not: it stays shut`);
}

export async function authorTakesItBack(stage, planner) {
  await planner.page.waitForSelector(kOpen);
  assert.equal(await planner.page.locator('[data-recall-own]').count(), 0, 'a reader is offered none');
  const author = await stage.visitor('konrad');
  await atObjects(author);
  await choose(author, place(stage, 'report.tdf'));
  await author.page.fill('[data-recall-own] input[name="reason"]', kReason);
  await author.shoot('j5-4-recall');
  await author.isAccessible('what its author can do');
  const given = performance.now();
  const blanked = planner.page
    .waitForFunction(() => !document.querySelector('[data-text]'))
    .then(() => performance.now() - given);
  await author.page.click('[data-action="recall-own"]');
  await author.page.waitForSelector('main[data-state="recalled"]');
  const ms = performance.now() - given;
  const blank = await blanked;
  assert.ok(blank < kBlankMsMax, `the page still showed it ${blank} ms after its author took it back`);
  assert.equal(await author.page.locator('[data-text], [data-recall-own]').count(), 0);
  const left = await planner.page.evaluate(() => document.documentElement.outerHTML);
  assert.ok(!left.includes('convoys'), 'nothing of it is left in the page');
  await planner.page.waitForSelector('main[data-state="shut"]');
  const said = await planner.text('[data-status]');
  assert.match(said, new RegExp(`recalled by its author: ${kReason}`));
  await planner.shoot('j5-4-recalled');
  await planner.isAccessible('an object that was recalled');
  stage.stopwatch.note('J5', 'its author recalls it in his lobby', 'his page says that it is recalled', ms, 1000);
  stage.stopwatch.note('J5', '', `the open page is blank: ${said.slice(0, 80)}`, blank, 1000);

  for (const visitor of [planner, author]) {
    await choose(visitor, place(stage, 'report.tdf'), 'refused');
    assert.equal(await visitor.page.locator('[data-text], [data-recall-own]').count(), 0);
  }
  await author.context.close();
  const typed = await as(stage, planner.person.login, 'open', 'report.tdf', '-o', 'again.txt');
  assert.equal(typed.code, 1, typed.output);
  assert.ok(!existsSync(place(stage, 'again.txt')));
  stage.stopwatch.note(
    'J5',
    'planner of XBB tries again',
    'refused in the lobby and at the command line: no key is released',
  );
}

export async function exposureTellsTheRest(stage, { report }) {
  const { code, output, ms } = await stage.cli(
    'XAA',
    'exposure',
    '--partner',
    'XBB',
    '--object',
    report,
    '--json',
  );
  assert.equal(code, 0, output);
  const { releases, openable } = JSON.parse(output);
  assert.equal(releases, 2, 'the page and the command line');
  assert.equal(openable, 0);
  stage.stopwatch.note(
    'J5',
    'XAA asks who opened it',
    `${releases} releases to XBB, ${openable} can still be opened`,
    ms,
    5000,
  );
}
