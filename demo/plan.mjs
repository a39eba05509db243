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

export class Names {
  #values = new Map();

  // Nested objects become dotted names.
  add(values, prefix = '') {
    for (const [key, value] of Object.entries(values)) {
      if (value !== null && typeof value === 'object') this.add(value, `${prefix}${key}.`);
      else this.#values.set(`${prefix}${key}`, String(value));
    }
  }

  missingIn(text) {
    return [...text.matchAll(namePattern)].map(([, name]) => name).filter((name) => !this.#values.has(name));
  }

  // A JSON value with every string filled in. "${xaa.port}" alone, with nothing around it, becomes a number
  // where it is one.
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
    const templates = files.filter((path) => path.endsWith('.json') && path !== join(source, 'plan.json'));
    this.#pending = new Set(templates);
    for (const path of files.filter((path) => !path.endsWith('.json'))) {
      const copy = join(target, relative(source, path));
      mkdirSync(dirname(copy), { recursive: true, mode: 0o700 });
      cpSync(path, copy);
    }
    this.path = join(source, 'plan.json');
    this.content = this.#read(this.path);
  }

  #read(path) {
    try {
      return JSON.parse(readFileSync(path, 'utf8'));
    } catch (error) {
      throw new SettingsError(`${path}: ${error.message}`);
    }
  }

  // Writes each template whose names are all known by now.
  write() {
    for (const path of this.#pending) {
      if (this.names.missingIn(readFileSync(path, 'utf8')).length > 0) continue;
      const written = join(this.target, relative(this.source, path));
      mkdirSync(dirname(written), { recursive: true, mode: 0o700 });
      writeFileSync(written, `${JSON.stringify(this.names.fill(this.#read(path), path), null, 2)}\n`, {
        mode: 0o600,
      });
      this.#pending.delete(path);
    }
  }

  part(key) {
    return this.names.fill(this.content[key], `${this.path}: /${key}`);
  }

  get steps() {
    return this.content.steps;
  }

  step(index) {
    this.write();
    return this.names.fill(this.steps[index], `${this.path}: /steps/${index}`);
  }
}
