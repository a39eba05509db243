// Reads a settings file of the demonstration. A mistake is one line: the file, the place, and what would be
// right.
import { readFileSync } from 'node:fs';

export class SettingsError extends Error {}

// A shape maps each known key to a type name ("string", "number", "boolean", "array", "object"), "?" at its
// end when the key may be left out, to a nested shape, or to an array holding the one shape that every
// element has.
export function readSettings(path, shape) {
  let text;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SettingsError(`${path}: cannot be read (${error.code}); name an existing settings file`);
  }
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SettingsError(`${path}: not JSON (${error.message})`);
  }
  check(path, '', value, shape);
  return value;
}

function kindOf(value) {
  if (Array.isArray(value)) return 'array';
  return value === null ? 'null' : typeof value;
}

function demand(path, place, value, kind) {
  if (kindOf(value) !== kind) {
    throw new SettingsError(`${path}: ${place || 'the whole'}: ${kindOf(value)} where ${kind} belongs`);
  }
}

function check(path, place, value, shape) {
  if (typeof shape === 'string') return demand(path, place, value, shape);
  if (Array.isArray(shape)) {
    demand(path, place, value, 'array');
    return value.forEach((element, index) => check(path, `${place}/${index}`, element, shape[0]));
  }
  demand(path, place, value, 'object');
  const known = new Map(
    Object.entries(shape).map(([key, inner]) => [key.replace(/\?$/, ''), [key.endsWith('?'), inner]]),
  );
  for (const key of Object.keys(value)) {
    if (!known.has(key)) {
      throw new SettingsError(
        `${path}: ${place}/${key}: unknown key; known here: ${[...known.keys()].join(', ')}`,
      );
    }
  }
  for (const [key, [optional, inner]] of known) {
    if (value[key] !== undefined) check(path, `${place}/${key}`, value[key], inner);
    else if (!optional) throw new SettingsError(`${path}: ${place}/${key}: missing`);
  }
}

// Runs a program's main with the one settings path it is given; says a mistake in one line and starts
// nothing.
export async function runWithSettings(name, main) {
  const path = process.argv[2];
  if (!path || process.argv.length > 3) {
    process.stderr.write(`${name}: one argument, the settings file, is needed\n`);
    process.exit(2);
  }
  try {
    await main(path);
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof SettingsError ? error.message : error.stack}\n`);
    process.exit(2);
  }
}
