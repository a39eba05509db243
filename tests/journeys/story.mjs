// The journeys for people to watch: the same steps as the tests, told as a table, with a picture of each.
import * as access from './ask_and_answer.mjs';
import * as edge from './cop_at_the_edge.mjs';
import * as mission from './mission_moves_on.mjs';
import * as leaving from './nation_leaves.mjs';
import * as object from './object_recalled.mjs';
import * as desk from './operators_console.mjs';
import * as staff from './staff_work.mjs';

async function play(stage) {
  const planner = await edge.plannerOpensTheMap(stage);
  await edge.theMapKnowsOnlyAPseudonym(stage, planner);
  await edge.clerkCannotTellThatTheMapExists(stage);
  await edge.analystMayKnowButNotOpen(stage);
  await edge.lobbyByKeyboard(stage);
  const officer = await edge.officerUsesTheOwnDoor(stage);
  const analyst = await access.analystAsks(stage);
  const map = await access.officerApproves(stage, analyst, officer);
  await access.officerTakesItBack(stage, analyst, officer, map);
  const xbb = await staff.plannerOfXbbUsesTheCalendar(stage);
  const xcc = await staff.plannerOfXccWritesTheWiki(stage, xbb);
  await staff.isolationOfThePair(stage, xbb, xcc);
  await staff.rejoiningRestoresNothing(stage, xbb, xcc);
  await mission.executionLetsAnalystsIn(stage, analyst);
  await mission.highThreatCutsThem(stage, analyst, planner, officer);
  await mission.calmGivesBackWhatThePhaseGives(stage, analyst);
  const sealed = await object.officerSeals(stage);
  const reader = await object.plannerReads(stage);
  await object.plannerOfXccIsRefused(stage);
  await object.bothHaveToAgree(stage, sealed);
  await object.authorTakesItBack(stage, reader);
  await object.exposureTellsTheRest(stage, sealed);
  await leaving.suspendWhileBothWatch(stage, planner, officer);
  await leaving.theLobbySaysWhy(stage, planner);
  await leaving.resumeRestoresNothing(stage, planner);
  await leaving.signOutEndsAll(stage, planner);
  const operator = await desk.operatorOpensTheConsole(stage);
  await desk.aSessionAppears(stage, operator, planner);
  await desk.aPhaseIsForeseen(operator);
  await desk.operatorApproves(stage, operator);
  await desk.operatorReleases(stage, operator);
  await desk.everyPageIsMarkedAndAccessible(stage, operator);
  const third = await desk.aSessionIsGoneMeanwhile(stage, operator);
  await desk.commanderSetsPhaseAndThreat(stage, operator);
  await desk.operatorIsolatesAndRejoins(stage, operator, third);
  await desk.operatorSuspendsAndResumes(stage, operator, planner);
  await desk.theBrowserVerifiesTheLedger(stage, operator);
  await desk.aFlippedByteIsLoud(stage, operator);
  await desk.signingOutEmptiesIt(stage, operator);
  await leaving.theLedgerIsWhole(stage);
}

// Answers { passed, text }: the table, and where it broke off if it did.
export async function story(stage) {
  const { demo, shots, stopwatch } = stage;
  let failure;
  try {
    await play(stage);
  } catch (error) {
    failure = `${error.message}\n${await stage.whereabouts()}`;
  }
  const parts = [`EXERCISE. Mission ${demo.mission}, played in a headless browser.`, stopwatch.print()];
  if (shots) parts.push(`Pictures: ${shots}`);
  if (failure) parts.push(`The story broke off: ${failure}`);
  return { passed: !failure, text: `\n${parts.join('\n\n')}\n` };
}
