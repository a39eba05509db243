// demo/coalition/ says who the coalition is and what is started in which order; this reads it. Its *.json
// files may name what a run finds out (`${xaa.port}`, `${folder}`, ...): they are written to the run's folder
// as soon as all their names are known.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { SettingsError } from './settings.mjs';

const namePattern = /\$\{([a-z0-9_.-]+)\}/gi;

function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new SettingsError(`${path}: ${error.message}`);
  }
}

// A file of the folder as it is meant: its own records after those it shares with others.
export function readTemplate(path) {
  const { shared, ...own } = readJson(path);
  if (!shared) return own;
  return { ...own, records: { ...readJson(join(dirname(path), shared)), ...own.records } };
}

// `{name}` in every string replaced by what `item` says.
function forItem(value, item) {
  if (typeof value === 'string') return value.replace(/\{([a-z]+)\}/g, (whole, name) => item[name] ?? whole);
  if (Array.isArray(value)) return value.map((element) => forItem(element, item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [forItem(key, item), forItem(inner, item)]),
  );
}

export class Names {
  #values = new Map();

  // Nested objects become dotted names, and stay names of their own.
  add(values, prefix = '') {
    for (const [key, value] of Object.entries(values)) {
      const whole = value !== null && typeof value === 'object';
      this.#values.set(`${prefix}${key}`, whole ? value : String(value));
      if (whole) this.add(value, `${prefix}${key}.`);
    }
  }

  missingIn(text) {
    return [...text.matchAll(namePattern)].map(([, name]) => name).filter((name) => !this.#values.has(name));
  }

  // A JSON value with every string filled in. "${xaa.port}" alone, with nothing around it, becomes a number
  // where it is one, "${xaa.statement}" alone the whole of it.
  fill(value, place) {
    if (typeof value === 'string') return this.#fillText(value, place);
    if (Array.isArray(value)) return value.map((element, index) => this.fill(element, `${place}/${index}`));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        this.#fillText(key, place),
        this.fill(inner, `${place}/${key}`),
      ]),
    );
  }

  #fillText(text, place) {
    const [missing] = this.missingIn(text);
    if (missing)
      throw new SettingsError(
        `${place}: \${${missing}} is not known here; known: ${[...this.#values.keys()].join(', ')}`,
      );
    const whole = this.#values.get(/^\$\{([^}]*)\}$/.exec(text)?.[1]);
    if (typeof whole === 'object') return structuredClone(whole);
    const filled = text.replace(namePattern, (whole, name) => this.#values.get(name));
    return /^\$\{[^}]*(port|uid)\}$/.test(text) ? Number(filled) : filled;
  }
}

export class Plan {
  #pending;

  constructor(source, target, names) {
    this.source = source;
    this.target = target;
    this.names = names;
    const files = filesUnder(source);
    const ours = ['plan.json', 'people.json'].map((name) => join(source, name));
    const templates = files.filter((path) => path.endsWith('.json') && !ours.includes(path));
    this.#pending = new Set(templates);
    for (const path of files.filter((path) => !path.endsWith('.json'))) {
      const copy = join(target, relative(source, path));
      mkdirSync(dirname(copy), { recursive: true, mode: 0o700 });
      cpSync(path, copy);
    }
    this.path = join(source, 'plan.json');
    this.content = readJson(this.path);
  }

  // Writes each template whose names are all known by now.
  write() {
    for (const path of this.#pending) {
      const template = readTemplate(path);
      if (this.names.missingIn(JSON.stringify(template)).length > 0) continue;
      const written = join(this.target, relative(this.source, path));
      mkdirSync(dirname(written), { recursive: true, mode: 0o700 });
      writeFileSync(written, `${JSON.stringify(this.names.fill(template, path), null, 2)}\n`, {
        mode: 0o600,
      });
      this.#pending.delete(path);
    }
  }

  part(key, item = {}) {
    return this.names.fill(forItem(this.content[key], item), `${this.path}: /${key}`);
  }

  // How often and for what a step stands.
  #items(each) {
    if (!each) return [{}];
    if (each === 'nations')
      return this.content.nations.map((code) => ({ code, nation: code.toLowerCase() }));
    return this.content[each];
  }

  // In order; what stands in one group does not wait for each other.
  get groups() {
    return this.content.steps.map(({ each, ...step }, index) =>
      this.#items(each).map((item) => ({ step: forItem(step, item), place: `${this.path}: /steps/${index}` })),
    );
  }

  ready({ step, place }) {
    this.write();
    return this.names.fill(step, place);
  }
}
