// The journeys for people to watch: the same steps as the tests, told as a table, with a picture of each.
import * as edge from './cop_at_the_edge.mjs';
import * as leaving from './nation_leaves.mjs';
import { stageFor } from './stage.mjs';

async function play(stage) {
  const planner = await edge.plannerOpensTheMap(stage);
  await edge.theMapKnowsOnlyAPseudonym(stage, planner);
  await edge.clerkCannotTellThatTheMapExists(stage);
  const officer = await edge.officerUsesTheOwnDoor(stage);
  await leaving.suspendWhileBothWatch(stage, planner, officer);
  await leaving.theLobbySaysWhy(stage, planner);
  await leaving.resumeRestoresNothing(stage, planner);
  await leaving.theLedgerIsWhole(stage);
}

// Answers whether every step went as it should.
export async function story(demo, shots) {
  const stage = await stageFor(demo, shots);
  let failure;
  try {
    await play(stage);
  } catch (error) {
    failure = error;
  }
  await stage.close();
  process.stdout.write(`\nEXERCISE. Mission ${demo.mission}, played in a headless browser.\n\n${stage.stopwatch.print()}\n`);
  if (shots) process.stdout.write(`\nPictures: ${shots}\n`);
  if (failure) process.stdout.write(`\nThe story broke off: ${failure.message}\n`);
  return !failure;
}
