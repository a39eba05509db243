// Runs all of Cedar's collections and schemas that lie in $ENTENTE_CONFORMANCE (or ../shared/conformance), under cedar/:
// folders and archives, whatever their names. Without any it is skipped.
//   corpora.mjs ENTENTE BATCH
// Corpora keep the verdicts of the Cedar that made them. Where ours of a validation is another, Cedar itself is asked:
// what it says today counts. Decisions, reasons and errors have to be as they stand there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const [entente, batch] = process.argv.slice(2);
const root = path.join(process.env.ENTENTE_CONFORMANCE ?? '../shared/conformance', 'cedar');
if (!existsSync(root)) {
  console.log(`skipped: there is no ${root}; set ENTENTE_CONFORMANCE`);
  process.exit(77);
}
const { cedar, compareSchema, counted, Differs, good, said, startOurs, unmetScopes } = await import('./engines.mjs');

const unpacked = new Map();
function unpack(archive) {
  if (!unpacked.has(archive)) {
    const folder = mkdtempSync(path.join(tmpdir(), 'corpus-'));
    unpacked.set(archive, folder);
    const done = spawnSync('tar', ['-xf', archive, '-C', folder]);
    if (done.status !== 0) throw new Error(`tar could not read ${archive}: ${done.stderr}`);
  }
  return unpacked.get(archive);
}

// A test's path, which may lead into an archive, as one that can be read.
function onDisk(file) {
  for (let at = file; at !== path.dirname(at); at = path.dirname(at))
    if (existsSync(at) && statSync(at).isFile()) return at === file ? file : path.join(unpack(at), path.relative(at, file));
  return file;
}

// What a test names lies under its own folder or one above it.
function named(test, name) {
  for (let at = path.dirname(test); ; at = path.dirname(at)) {
    const file = path.join(at, name);
    if (existsSync(file)) return readFileSync(file, 'utf8');
    if (at === path.dirname(at)) return readFileSync(path.join(path.dirname(test), path.basename(name)), 'utf8');
  }
}

const schemaOf = (text) => (text.trimStart().startsWith('{') ? JSON.parse(text) : text);

// Whether Cedar validates the test's policies today; undefined when it does not say.
function validToday(file) {
  const on = onDisk(file);
  const test = JSON.parse(readFileSync(on, 'utf8'));
  const answer = cedar.validate({ schema: schemaOf(named(on, test.schema)), policies: { staticPolicies: named(on, test.policies) } });
  return good(answer) ? answer.validationErrors.length + unmetScopes(answer).length === 0 : undefined;
}

let failed = 0;
const fail = (file, what) => {
  if (++failed <= 50) console.log(`${file}: ${what.slice(0, 1500)}`);
};

const ran = spawnSync(entente, ['policy', 'conformance', '--json', root], { encoding: 'utf8', maxBuffer: 1 << 30 });
if (!ran.stdout) throw new Error(`${entente} said nothing: ${ran.error ?? ran.stderr}`);
const report = JSON.parse(ran.stdout);
let changed = 0;
try {
  for (const { file, what } of report.failures) {
    const expected = /^validation: expected that validation (passes|fails)/.exec(what)?.[1];
    if (expected !== undefined && validToday(file) === (expected === 'fails')) ++changed;
    else fail(file, what);
  }
} finally {
  for (const folder of unpacked.values()) rmSync(folder, { recursive: true });
}
if (report.failed > report.failures.length) fail(root, `${report.failed - report.failures.length} more differences than are named`);
console.log(`${report.tests} tests: ${report.passed} checks as they stand there, ${changed} verdicts that Cedar itself has changed since, ${failed} others`);

const schemas = readdirSync(root, { recursive: true })
  .map((name) => path.join(root, name))
  .filter((file) => /\.cedarschema(\.json)?$/.test(file) && statSync(file).isFile());
const ours = startOurs(batch);
for (const file of schemas) {
  try {
    const schema = schemaOf(readFileSync(file, 'utf8'));
    compareSchema({ schema }, await ours({ id: 1, schema, policies: { staticPolicies: '', templates: {}, templateLinks: [] }, entities: [], requests: [] }));
  } catch (error) {
    if (!(error instanceof Differs || error instanceof SyntaxError)) throw error;
    fail(file, error.message);
  }
}
ours.end();
console.log(`${schemas.length} schemas: ${counted.comparisons} comparisons with Cedar`);

if (report.tests === 0 && schemas.length === 0) {
  console.log(`skipped: no test and no schema in ${root}`);
  process.exit(77);
}
process.exit(failed === 0 ? 0 : 1);
