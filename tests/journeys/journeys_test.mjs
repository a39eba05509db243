// J1, a day's staff work and the cutting half of J3 against a coalition that really runs: providers, three nodes,
// connectors, three apps, a browser.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as access from './ask_and_answer.mjs';
import * as edge from './cop_at_the_edge.mjs';
import * as mission from './mission_moves_on.mjs';
import * as leaving from './nation_leaves.mjs';
import * as object from './object_recalled.mjs';
import * as desk from './operators_console.mjs';
import * as rude from './rude_pages.mjs';
import * as staff from './staff_work.mjs';
import { ownStage } from './stage.mjs';

let stage;
let planner;
let officer;
let xbb, xcc;
let analyst, map;
let operator;
let sealed, reader;
let third;

before(async () => {
  stage = await ownStage();
});

after(async () => {
  if (!stage) return;
  process.stdout.write(`${stage.stopwatch.print()}\n`);
  await stage.close();
});

async function explain(error) {
  error.message += `\n${await stage.whereabouts()}`;
  throw error;
}

// The steps build on each other, as a day does; a step whose forerunner failed fails with it.
function step(name, body) {
  test(name, async (t) => {
    if (!stage)
      t.skip('skipped: name a built program in ENTENTE_PROGRAM, or a running coalition in ENTENTE_DEMO');
    else await body().catch(explain);
  });
}

step('the browser of --open has a profile of its own, which trusts the certificates of the run', () =>
  edge.openedBrowserTrustsTheRun(stage),
);
step("J1: a planner of XBB opens XAA's map through XBB's door", async () => {
  planner = await edge.plannerOpensTheMap(stage);
});
step('J1: the map knows the planner only by an identity made for it', () =>
  edge.theMapKnowsOnlyAPseudonym(stage, planner),
);
step('J1: a clerk of XBB cannot tell that the map exists', () => edge.clerkCannotTellThatTheMapExists(stage));
step('J1: an analyst of XBB may know of the map but not open it', () => edge.analystMayKnowButNotOpen(stage));
step('J1: signing in, opening the map and signing out work with the keyboard alone', () => edge.lobbyByKeyboard(stage));
step('J1: a page that fills the browser with cookies keeps its person out of nothing for good', () =>
  rude.cookiesKeepNobodyOut(stage),
);
step("J1: an officer of XAA opens the map through XAA's own door", async () => {
  officer = await edge.officerUsesTheOwnDoor(stage);
});
step("Requests: an analyst of XBB asks for XAA's map", async () => {
  analyst = await access.analystAsks(stage);
});
step("Requests: an officer of XAA approves, and the analyst's page goes on by itself", async () => {
  map = await access.officerApproves(stage, analyst, officer);
});
step('Requests: the officer takes it back', () => access.officerTakesItBack(stage, analyst, officer, map));
step("Staff work: a planner of XBB opens XCC's calendar", async () => {
  xbb = await staff.plannerOfXbbUsesTheCalendar(stage);
});
step("Staff work: a planner of XCC writes XBB's wiki under a name made for it", async () => {
  xcc = await staff.plannerOfXccWritesTheWiki(stage, xbb);
});
step("Isolation: XBB and XCC lose each other's apps and keep the map", () =>
  staff.isolationOfThePair(stage, xbb, xcc),
);
step('Isolation: rejoining restores nothing by itself', () =>
  staff.rejoiningRestoresNothing(stage, xbb, xcc),
);
step("J7: in execution XBB's analyst opens the map without asking", () =>
  mission.executionLetsAnalystsIn(stage, analyst),
);
step('J7: a high threat cuts her and nobody else', () =>
  mission.highThreatCutsThem(stage, analyst, planner, officer),
);
step('J7: what the phase gave ends with it', () => mission.calmGivesBackWhatThePhaseGives(stage, analyst));
step('J5: an officer of XAA seals a report for XBB', async () => {
  sealed = await object.officerSeals(stage);
});
step('J5: a planner of XBB opens it in her lobby and at the command line', async () => {
  reader = await object.plannerReads(stage);
});
step('J5: a planner of XCC is refused, with a reason', () => object.plannerOfXccIsRefused(stage));
step('J5: of joint origin, both have to agree', () => object.bothHaveToAgree(stage, sealed));
step('J5: the author takes it back, and the open page goes blank', () => object.authorTakesItBack(stage, reader));
step('J5: exposure tells who had opened it', () => object.exposureTellsTheRest(stage, sealed));
step("J3: suspending XBB ends its streams and leaves XAA's alone", () =>
  leaving.suspendWhileBothWatch(stage, planner, officer),
);
step('J3: the lobby says why', () => leaving.theLobbySaysWhy(stage, planner));
step('J3: resuming restores nothing by itself', () => leaving.resumeRestoresNothing(stage, planner));
step('J1: signing out ends all, on every tab', () => leaving.signOutEndsAll(stage, planner));
step("Console: an operator of XAA gets in by her lobby", async () => {
  operator = await desk.operatorOpensTheConsole(stage);
});
step('Console: a session appears by itself, in the list and on the map', () =>
  desk.aSessionAppears(stage, operator, planner),
);
step('Console: what a phase would end is said before, by keyboard', () => desk.aPhaseIsForeseen(operator));
step('Console: a request, what it opens, and a session cut, by keyboard', () =>
  desk.operatorApproves(stage, operator),
);
step('Console: a release that a planner asks for, given and taken back, by keyboard', () =>
  desk.operatorReleases(stage, operator),
);
step('Console: every page is marked, and accessible in dark and light', () =>
  desk.everyPageIsMarkedAndAccessible(stage, operator),
);
step('Console: a session that somebody else ended meanwhile, by keyboard', async () => {
  third = await desk.aSessionIsGoneMeanwhile(stage, operator);
});
step('Console: phase and threat are set, and end what they do not permit, by keyboard', () =>
  desk.commanderSetsPhaseAndThreat(stage, operator),
);
step('Console: isolating and rejoining a partner, by keyboard', () =>
  desk.operatorIsolatesAndRejoins(stage, operator, third),
);
step('Console: suspending and resuming a partner, by keyboard', () =>
  desk.operatorSuspendsAndResumes(stage, operator, planner),
);
step('Console: the browser verifies the ledger', () => desk.theBrowserVerifiesTheLedger(stage, operator));
step('Console: a flipped byte is a loud failure', () => desk.aFlippedByteIsLoud(stage, operator));
step('Console: signing out empties it', () => desk.signingOutEmptiesIt(stage, operator));
step('no page of lobby and console breaks a rule of accessibility that a tool can check', async () => {
  assert.ok(stage.accessible.size >= 20, [...stage.accessible].join(', '));
});
step('the ledgers of all nations are whole', () => leaving.theLedgerIsWhole(stage));
