// Puts the same random cases to our engine and to Cedar's, and shows where they differ.
//   oracle.mjs BATCH [--cases N] [--seed S] [--keep FILE]
import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { World } from './generate.mjs';

// Many cases run in processes of their own, one after the other: a fault of the runtime costs a piece, not the run.
// (--no-opt, because V8's deoptimizer was seen to fail under this load.)
const kPiece = 2000;

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const cases = Number(option('cases', 300));
const seed = Number(option('seed', 1));
const keep = option('keep', '');

if (cases > kPiece) {
  const total = { cases: 0, comparisons: 0, differences: 0, lost: 0 };
  for (let at = 0; at < cases; at += kPiece) {
    const piece = ['--cases', String(Math.min(kPiece, cases - at)), '--seed', String(seed + at)];
    const run = () =>
      spawnSync(process.execPath, ['--no-opt', process.argv[1], process.argv[2], ...piece, ...(keep ? ['--keep', keep] : [])], { encoding: 'utf8' });
    const countsOf = ({ stdout }) => stdout.match(/^(\d+) cases .*, (\d+) comparisons, (\d+) differences$/m);
    let ran = run();
    if (ran.status === 77) process.exit(77);
    if (!countsOf(ran)) ran = run();
    const counts = countsOf(ran);
    if (!counts) {
      ++total.lost;
      console.log(`seeds from ${seed + at}: ended early, twice\n${ran.stdout.slice(-500)}${ran.stderr.slice(0, 500)}`);
      continue;
    }
    total.cases += Number(counts[1]);
    total.comparisons += Number(counts[2]);
    total.differences += Number(counts[3]);
    if (counts[3] !== '0') console.log(ran.stdout);
  }
  console.log(`${total.cases} cases, ${total.comparisons} comparisons, ${total.differences} differences, ${total.lost} pieces lost`);
  process.exit(total.differences === 0 && total.lost === 0 ? 0 : 1);
}

const { agree, cedar, compareSchema, counted, Differs, differs, good, normal, said, same, startOurs, unmetScopes } = await import('./engines.mjs');
const ours = startOurs(process.argv[2]);
const differences = [];

function comparePolicies(given, found) {
  const set = given.policies;
  const parsed = cedar.checkParsePolicySet(set);
  agree('policies parse', good(parsed) === found.policies.ok, () => `Cedar ${said(parsed) || 'yes'}; ours ${JSON.stringify(found.policies).slice(0, 300)}`);
  if (!good(parsed)) return false;
  agree('JSON and text are one', found.policies.same, () => found.policies.text);
  const parts = cedar.policySetTextToParts(set.staticPolicies);
  const ids = parts.policies.map((_, i) => `policy${i}`);
  const wanted = Object.values(found.policies.json.staticPolicies);
  const theirs = parts.policies.map((text) => cedar.policyToJson(text).json);
  const bag = (list) => list.map((x) => JSON.stringify(normal(x))).sort();
  agree('policies as JSON', same(bag(theirs), bag(wanted)), () => [theirs, wanted]);
  for (const [id, text] of Object.entries(set.templates))
    agree('template as JSON', same(cedar.templateToJson(text).json, found.policies.json.templates[id]), () => [text, found.policies.json.templates[id]]);
  if (Object.keys(set.templates).length === 0) {
    const again = cedar.policySetTextToParts(found.policies.text);
    agree('policies as text', good(again) && same(bag(again.policies.map((t) => cedar.policyToJson(t).json)), bag(theirs)), () => found.policies.text);
  }
  if (typeof found.formatted !== 'string') differs('format', found.formatted);
  agree('laid out again', found.stable, () => found.formatted);
  const laid = cedar.policySetTextToParts(found.formatted);
  agree('laid out', good(laid) && same(laid.policies.map((t) => cedar.policyToJson(t).json), theirs), () => found.formatted);
  return ids.length >= 0;
}

function compareValidation(given, found) {
  const theirs = cedar.validate({ schema: given.schema, policies: given.policies });
  if (!good(theirs)) return differs('validation', said(theirs));
  const ids = (list) => [...new Set(list.map((e) => e.policyId))].sort();
  const unmet = unmetScopes(theirs);
  const warnings = theirs.validationWarnings.filter((e) => !unmet.includes(e));
  agree('validation', same(ids([...theirs.validationErrors, ...unmet]), found.validation.errors), () => ({
    theirs: theirs.validationErrors.map((e) => `${e.policyId}: ${e.error.message}`),
    ours: found.validation,
  }));
  const impossible = warnings.filter((e) => e.error.message.includes('policy is impossible'));
  // Of policies that are invalid as well Cedar says more.
  const valid = (list) => list.filter((id) => !found.validation.errors.includes(id));
  agree('impossible', same(valid(ids(impossible)), valid(found.validation.impossible)), () => ({
    theirs: theirs.validationWarnings.map((e) => `${e.policyId}: ${e.error.message}`),
    ours: found.validation,
  }));
  agree('confusable', (warnings.length > impossible.length) === (found.validation.confusable > 0), () => ({
    theirs: theirs.validationWarnings.map((e) => `${e.policyId}: ${e.error.message}`),
    ours: found.validation,
  }));
  agree('permissive is no stricter', found.permissive.errors.every((id) => found.validation.errors.includes(id)), () => [found.validation, found.permissive]);
}

function compareAnswers(given, found, withSchema) {
  const mine = withSchema ? found.answers : found.plain_answers;
  const schema = withSchema ? { schema: given.schema, validateRequest: true } : {};
  if (!Array.isArray(mine)) return differs('answers', mine);
  given.requests.forEach((request, i) => {
    const theirs = cedar.isAuthorized({ ...request, ...schema, policies: given.policies, entities: given.entities });
    agree('request is taken', good(theirs) === mine[i].ok, () => ({ request, theirs: said(theirs) || theirs.type, ours: mine[i] }));
    if (!good(theirs)) return;
    const { decision, diagnostics } = theirs.response;
    agree('decision', decision === mine[i].decision && same([...diagnostics.reason].sort(), mine[i].reasons) && same(diagnostics.errors.map((e) => e.policyId).sort(), mine[i].errors), () => ({
      request,
      theirs: theirs.response,
      ours: mine[i],
    }));
    agree('validated policies decide alike', !mine[i].loaded_differs, () => ({ request, ours: mine[i] }));
  });
}

// A text cut inside a character is none: neither side could be given it.
const wellFormed = (json) =>
  JSON.parse(JSON.stringify(json, (key, value) => (typeof value === 'string' ? value.toWellFormed() : value)));

let ran = 0;
for (; ran < cases; ++ran) {
  const number = seed + ran;
  const given = wellFormed(new World(number).makeCase());
  const found = await ours({ id: number, ...given });
  try {
    const typed = compareSchema(given, found);
    if (comparePolicies(given, found)) {
      if (typed && number % 4 === 0) {
        const other = await ours({ id: number, ...given, schema: cedar.schemaToJson(given.schema).json });
        agree('a schema as JSON means the same', same(other.validation?.errors, found.validation.errors) && same(other.answers, found.answers), () => [other, found.validation]);
      }
      if (typed) {
        compareValidation(given, found);
        compareAnswers(given, found, true);
      }
      compareAnswers(given, found, false);
    }
  } catch (error) {
    if (!(error instanceof Differs)) throw error;
    differences.push(number);
    if (differences.length <= 20) console.log(`case ${number}: ${error.message.slice(0, 1500)}`);
    if (keep) appendFileSync(keep, JSON.stringify({ number, what: error.message, given }) + '\n');
  }
}
ours.end();
console.log(`${ran} cases (seeds ${seed} to ${seed + ran - 1}), ${counted.comparisons} comparisons, ${differences.length} differences`);
process.exit(differences.length === 0 ? 0 : 1);
