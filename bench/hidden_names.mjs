// How long a node takes to answer for an app that its asker may not know of, beside names that never were: the
// same words are no secret if the hidden one takes longer. A clerk of Borealis asks, one request at a time on one
// connection, the names in turn. Prints one line of JSON.
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { parseArgs } from 'node:util';
import { toLoopback } from '../demo/loopback.mjs';
import { Coalition } from '../tests/system/coalition.mjs';
import { Visitor } from '../tests/system/visitor.mjs';

const kNames = ['cop-xaa', 'nop-xaa', 'zzz-xaa']; // hidden; two that never were, to see what chance does
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '1500' } } });
const kRounds = Number(values.rounds);
const kWarmUp = 50;

const coalition = await Coalition.start();
const jonas = await Visitor.in(coalition, 'jonas');
const { port, lobby } = jonas.nation;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

async function microseconds(address) {
  const began = process.hrtime.bigint();
  const headers = { cookie: jonas.cookies(address) };
  const asked = request(address, { headers, ca: coalition.ca, lookup: toLoopback, agent });
  asked.end();
  const [answer] = await once(asked, 'response');
  answer.resume();
  await once(answer, 'end');
  return Number(process.hrtime.bigint() - began) / 1000;
}

const quantile = (sorted, part) => sorted[Math.floor(part * (sorted.length - 1))];

// The share of pairs in which the first took longer: 0.5 where nothing tells them apart.
function longer(one, other) {
  const all = [...one.map((value) => [value, 1]), ...other.map((value) => [value, 0])].sort(([a], [b]) => a - b);
  let [below, pairs] = [0, 0];
  for (const [, first] of all) {
    if (first) pairs += below;
    else below += 1;
  }
  return pairs / (one.length * other.length);
}

const ways = {
  "the app's own address": (name) => `https://${name}.xbb.localhost:${port}/`,
  'the way in from the lobby': (name) => `${lobby}/enter?app=${name}&path=%2F&bind=${'B'.repeat(43)}`,
};
const out = [];
for (const [way, address] of Object.entries(ways)) {
  const times = kNames.map(() => []);
  for (let round = 0; round < kRounds + kWarmUp; round += 1) {
    for (let turn = 0; turn < kNames.length; turn += 1) {
      const which = (round + turn) % kNames.length;
      const took = await microseconds(address(kNames[which]));
      if (round >= kWarmUp) times[which].push(took);
    }
  }
  const sorted = times.map((list) => [...list].sort((a, b) => a - b));
  const [hidden, never, control] = sorted;
  out.push({
    way,
    rounds: kRounds,
    hidden_us: [quantile(hidden, 0.5), quantile(hidden, 0.9), quantile(hidden, 0.99)],
    never_us: [quantile(never, 0.5), quantile(never, 0.9), quantile(never, 0.99)],
    ratio: quantile(hidden, 0.5) / quantile(never, 0.5),
    ratio_by_chance: quantile(control, 0.5) / quantile(never, 0.5),
    longer: longer(hidden, never),
    longer_by_chance: longer(control, never),
  });
}
agent.destroy();
await coalition.end();
process.stdout.write(`${JSON.stringify(out)}\n`);
