// Both engines, ours as a program that answers lines and Cedar's own as WebAssembly, and what is compared in more than
// one place.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

let found;
try {
  found = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  console.log('skipped: npm package @cedar-policy/cedar-wasm is not installed');
  process.exit(77);
}
export const cedar = found;

// A function that puts a case to our engine; `end` when there are no more.
export function startOurs(program) {
  const batch = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: batch.stdout })[Symbol.asyncIterator]();
  const ask = async (given) => {
    batch.stdin.write(JSON.stringify(given) + '\n');
    const { value, done } = await answers.next();
    if (done) throw new Error(`the batch program ended on ${JSON.stringify(given)}`);
    return JSON.parse(value);
  };
  return Object.assign(ask, { end: () => batch.stdin.end() });
}

// JSON with its keys sorted.
export const normal = (json) => {
  if (Array.isArray(json)) return json.map(normal);
  if (json === null || typeof json !== 'object') return json;
  return Object.fromEntries(Object.keys(json).sort().map((k) => [k, normal(json[k])]));
};
export const same = (a, b) => JSON.stringify(normal(a)) === JSON.stringify(normal(b));
export const good = (answer) => answer.type === 'success';
export const said = (answer) => (answer.errors ?? []).map((e) => e.message + (e.related ?? []).map((x) => ' ' + x.message)).join('; ').slice(0, 300);

export const counted = { comparisons: 0 };
export class Differs extends Error {}
export const differs = (what, detail) => {
  throw new Differs(`${what}: ${typeof detail === 'string' ? detail : JSON.stringify(detail)}`);
};
export const agree = (what, holds, detail) => {
  ++counted.comparisons;
  if (!holds) differs(what, detail());
};

// Newer than language 4.5: a scope that no request can meet is only a warning there.
export const unmetScopes = (validation) => validation.validationWarnings.filter((e) => e.error.message.includes('unable to find an applicable action'));

export function compareSchema(given, found) {
  const text = typeof given.schema === 'string';
  const json = text ? cedar.schemaToJson(given.schema) : { type: 'success', json: given.schema };
  const parse = cedar.checkParseSchema(given.schema);
  const parsed = good(json) && good(parse);
  agree('schema parses', parsed === found.schema.ok, () => `Cedar ${parsed}, ${said(json)} ${said(parse)}; ours ${JSON.stringify(found.schema)}`);
  if (!parsed) return false;
  agree('schema as JSON', same(json.json, found.schema.json), () => [json.json, found.schema.json]);
  if (found.schema.text === undefined) {
    // An entity and a common type of one name.
    agree('schema as text', !good(cedar.schemaToText(json.json)), () => found.schema.text_fault);
    return true;
  }
  const meant = cedar.schemaToJsonWithResolvedTypes(text ? given.schema : cedar.schemaToText(given.schema).text);
  const again = cedar.schemaToJsonWithResolvedTypes(found.schema.text);
  agree('schema as text again', good(again) && same(meant.json, again.json), () => [found.schema.text, again.errors]);
  return true;
}
