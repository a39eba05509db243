// The map in two instances behind two connectors: whichever of the four is killed, people go on.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, skip, system, until } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

const kRequests = 30; // of each person, before and after a kill, one after the other
let coalition, people;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(undefined, { apps: ['cop-1', 'cop-2'] });
  people = [await Visitor.inside(coalition, 'konrad'), await Visitor.inside(coalition, 'ingrid')];
});

after(() => coalition?.end());

const connectors = async () => (await coalition.ask('XAA', 'connector', 'list')).connectors;
const up = (id) =>
  until(`${id} is up`, async () => (await connectors()).find((one) => one.id === id)?.state === 'up');

// What the cards of both nations come to say.
const cards = (state) =>
  until(`both cards say: ${state}`, async () => {
    const said = await Promise.all(people.map((visitor) => visitor.card()));
    return said.every((one) => one === state);
  });

async function asked(visitor, count, statuses) {
  for (let i = 0; i < count; i += 1) statuses.push((await visitor.go(`${visitor.nation.app}/me`)).status);
}

// Kills one process while everybody asks on. Answers the statuses they saw, before, during and after.
async function killWhileAsking(name) {
  const statuses = [];
  const asking = people.map((visitor) => asked(visitor, kRequests, statuses));
  await until('some are answered', () => statuses.length >= 10);
  await coalition.stop(name, 'SIGKILL');
  await Promise.all(asking);
  await Promise.all(people.map((visitor) => asked(visitor, kRequests, statuses)));
  return statuses;
}

const watching = () => Promise.all(people.map((visitor) => visitor.watch()));

for (const number of [1, 2]) {
  system(`connector ${number} is killed: no request fails, streams come back over the other`, async () => {
    await Promise.all([up('cop-1'), up('cop-2')]);
    const streams = await watching();
    const statuses = await killWhileAsking(`connector-cop-${number}`);
    assert.deepEqual(
      statuses.filter((status) => status !== 200),
      [],
    );
    const again = await watching();
    await until('tracks move on the new streams', () => again.every(({ messages }) => messages > 2));
    for (const { socket } of [...streams, ...again]) socket.terminate();
    const { state } = (await connectors()).find(({ id }) => id === `cop-${number}`);
    assert.notEqual(state, 'up');
    await coalition.startAgain(`connector-cop-${number}`);
  });

  system(`app instance ${number} is killed, its connector stays: no request fails, streams come back`, async () => {
    await Promise.all([up('cop-1'), up('cop-2')]);
    const streams = await watching();
    const statuses = await killWhileAsking(`cop-${number}`);
    assert.deepEqual(
      statuses.filter((status) => status !== 200),
      [],
    );
    const again = await watching();
    await until('tracks move on the new streams', () => again.every(({ messages }) => messages > 2));
    for (const { socket } of [...streams, ...again]) socket.terminate();
    await coalition.startAgain(`cop-${number}`);
  });
}

system('a connector hangs: requests that it had and did not answer go to the other, and nothing fails', async () => {
  await Promise.all([up('cop-1'), up('cop-2')]);
  const pid = coalition.processOf(coalition.file('coalition', 'connector-cop-1.json'));
  const statuses = [];
  const asking = people.map((visitor) => asked(visitor, kRequests, statuses));
  await until('some are answered', () => statuses.length >= 10);
  process.kill(pid, 'SIGSTOP');
  try {
    await Promise.all(asking);
    await Promise.all(people.map((visitor) => asked(visitor, 5, statuses)));
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  assert.deepEqual(
    statuses.filter((status) => status !== 200),
    [],
  );
});

system('with both instances gone the app is down, and comes back by itself', async () => {
  await coalition.stop('cop-1', 'SIGKILL');
  await coalition.stop('cop-2', 'SIGKILL');
  for (const visitor of people) {
    const answer = await visitor.go(`${visitor.nation.app}/me`);
    assert.ok([502, 503].includes(answer.status), `${answer.status}`);
    assert.match(answer.body, /data-refusal="app-down"/);
    const [, id] = /data-verdict="([\w-]+)"/.exec(answer.body) ?? [];
    assert.ok(id, 'it has an id to quote');
    await until('why finds it', async () => (await coalition.cli(visitor.person.nation, 'why', id)).code === 0);
  }
  await until('the node knows that nobody reaches it', async () => {
    await people[0].go(`${people[0].nation.app}/me`);
    const { apps } = await coalition.ask('XAA', 'app', 'list');
    return apps.find(({ app }) => app === 'XAA/cop').state === 'not reached';
  });
  // What it knows of one it forgets after a while, until somebody asks again.
  await until('doctor names both', async () => {
    await people[0].go(`${people[0].nation.app}/me`);
    const { code, output } = await coalition.cli('XAA', 'doctor');
    return code !== 0 && [1, 2].every((number) => output.includes(`connector cop-${number} did not reach it`));
  });
  await cards('not reachable now');
  await coalition.startAgain('cop-2');
  await until('it serves again', async () => {
    const answers = await Promise.all(people.map((visitor) => visitor.go(`${visitor.nation.app}/me`)));
    return answers.every(({ status }) => status === 200);
  });
  await cards('open now');
  await until('the node knows that, too', async () => {
    const { apps } = await coalition.ask('XAA', 'app', 'list');
    return apps.find(({ app }) => app === 'XAA/cop').state === 'served';
  });
  assert.doesNotMatch((await coalition.cli('XAA', 'doctor')).output, /connector cop-2 did not reach/);
  await coalition.startAgain('cop-1');
});

system('without a connector the cards of both nations say that the app is not reachable, until one is back', async () => {
  for (const number of [1, 2]) await coalition.stop(`connector-cop-${number}`, 'SIGKILL');
  await cards('not reachable now');
  for (const number of [1, 2]) await coalition.startAgain(`connector-cop-${number}`);
  await Promise.all([up('cop-1'), up('cop-2')]);
  await cards('open now');
});

system('who cannot dial a node says so: the connector beside the app, and the partner', async () => {
  const said = (name, text) => coalition.log(name).split(text).length - 1;
  const connector = () => said('connector-cop-1', 'the node cannot be reached');
  const partner = () => said('node-xbb', "a partner's node cannot be reached");
  const [connectorBefore, partnerBefore] = [connector(), partner()]; // at the start, where they were up first
  await coalition.stop('node-xaa', 'SIGKILL');
  await until('both say it', () => connector() > connectorBefore && partner() > partnerBefore);
  await wait(3500); // it dials every 1.5 s
  assert.equal(connector(), connectorBefore + 1, 'and not at each try');
  await coalition.startAgain('node-xaa');
  await Promise.all([up('cop-1'), up('cop-2')]);
});
