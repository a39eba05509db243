// Cedar's own engine, compiled to WebAssembly, on a data set of `entente policy bench`: decisions, and what one
// costs. Its boundary takes all entities as JSON with each request, so this is an oracle, not a peer in speed.
//   cedar_wasm.mjs FILE [--requests N]      prints {"name", "decisions", "mean_us"}
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';

const cedar = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs');
const at = process.argv.indexOf('--requests');
const set = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const requests = set.requests.slice(0, at < 0 ? 100 : Number(process.argv[at + 1]));

// Templates stand first, and links call them policyN, by their places.
const [templates, staticPolicies] = set.policies
  .split(/(?<=;)\s*/)
  .reduce((out, one) => (out[one.includes('?principal') ? 0 : 1].push(one), out), [[], []]);
const policies = {
  staticPolicies: staticPolicies.join('\n'),
  templates: Object.fromEntries(templates.map((text, i) => [`t${i}`, text])),
  templateLinks: set.links.map((link, i) => ({
    templateId: (link.template ?? 'policy0').replace('policy', 't'),
    newId: `L${i}`,
    values: { '?principal': link.principal, '?resource': link.resource },
  })),
};
const parsed = cedar.preparsePolicySet('set', policies);
if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed.errors));

const ask = (request) => {
  const answer = cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: 'set', entities: set.entities });
  if (answer.type !== 'success') throw new Error(JSON.stringify(answer.errors));
  return answer.response.decision === 'allow' ? 'A' : 'D';
};
ask(requests[0]);
const begin = process.cpuUsage();
const decisions = requests.map(ask).join('');
const spent = process.cpuUsage(begin);
const mean_us = (spent.user + spent.system) / requests.length;
console.log(JSON.stringify({ name: basename(process.argv[2], '.json'), decisions, mean_us }));
