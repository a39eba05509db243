// J7, its first half: Aldoria, which leads the mission, moves it to execution and an analyst of XBB gets in without
// asking; a high threat cuts her and nobody else; calm again, nothing comes back that the phase does not give.
import assert from 'node:assert/strict';

const kFramesAfter = 20; // how many more messages the others must get once she gets none

async function says(stage, ...words) {
  const answered = await stage.cli('XAA', 'mission', ...words, '--reason', 'exercise: the relief convoy sails');
  assert.equal(answered.code, 0, answered.output);
  return answered.ms;
}

export async function executionLetsAnalystsIn(stage, analyst) {
  await analyst.page.goto(`${analyst.nation.app}/`);
  await analyst.page.waitForSelector('main[data-refusal="denied"]');
  const answered = await says(stage, 'phase', stage.demo.mission, 'execution');
  stage.stopwatch.note('J7', 'XAA says that the mission is in execution', 'the command answers', answered, 1000);
  await analyst.openLobby();
  const times = await analyst.openApp();
  await analyst.shoot('j7-1-in-execution');
  stage.stopwatch.note('J7', 'analyst of XBB opens the map', 'tracks that move, without asking anybody', times.moving, 2000);
}

export async function highThreatCutsThem(stage, analyst, planner, officer) {
  await Promise.all([analyst, planner, officer].map((each) => each.waitForFrames(3)));
  const others = [planner, officer].map((each) => each.liveConnections);
  const foreseen = await stage.cli('XAA', 'mission', 'threat', stage.demo.mission, 'high', '--preview');
  assert.match(foreseen.output, /^Would end now: 1 session \(XBB 1\)\./, 'what it would end is said before');
  const given = stage.stopwatch.mark();
  const answered = await says(stage, 'threat', stage.demo.mission, 'high');
  await analyst.page.waitForFunction(() => document.body.dataset.link !== 'live');
  const noticed = stage.stopwatch.mark() - given;
  const received = analyst.frames;
  await Promise.all([planner.waitForFrames(kFramesAfter), officer.waitForFrames(kFramesAfter)]);
  assert.equal(analyst.frames, received, 'no track reaches her after the cut');
  assert.deepEqual([planner, officer].map((each) => each.liveConnections), others, 'nobody else was interrupted');
  stage.stopwatch.note('J7', 'XAA says that the threat is high', 'the command answers', answered, 1000);
  const last = Math.max(0, analyst.lastFrameAt - given);
  stage.stopwatch.note('J7', '', "the analyst's last track, since the command was given", last, 1000);
  stage.stopwatch.note('J7', '', "the analyst's page says that the connection ended", noticed, 1000);
  stage.stopwatch.note('J7', 'planner and officer watch on', `${kFramesAfter} more messages, same connections`);
  await analyst.page.goto(`${analyst.nation.app}/`);
  await analyst.page.waitForSelector('main[data-refusal="denied"]');
  assert.match(await analyst.text(), /threat is high/i, 'she reads why');
  await analyst.shoot('j7-2-cut-at-high-threat');
  await analyst.isAccessible('a refusal at high threat');
}

export async function calmGivesBackWhatThePhaseGives(stage, analyst) {
  await says(stage, 'threat', stage.demo.mission, 'low');
  await analyst.page.goto(`${analyst.nation.app}/`);
  await analyst.page.waitForSelector('body[data-link="live"] [data-track]');
  const given = stage.stopwatch.mark();
  await says(stage, 'phase', stage.demo.mission, 'planning');
  await analyst.page.waitForFunction(() => document.body.dataset.link !== 'live');
  const ended = stage.stopwatch.mark() - given;
  stage.stopwatch.note('J7', 'XAA says that the mission is in planning again', "the analyst's map ends", ended, 1000);
}
