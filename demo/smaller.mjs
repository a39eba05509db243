// Makes a copy of coalition/ smaller: only some of its nations and apps, and each genesis whole, for those who
// test or measure what needs no more. Changes the files of the folder.
//   smaller.mjs FOLDER XAA,XBB cop-1
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readTemplate } from './plan.mjs';

const write = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });

// What remains of a genesis when the others never were.
function without(genesis, nations, apps) {
  const gone = ([key, record]) => {
    const [kind, name, last] = key.split('/');
    if (kind === 'partner' || kind === 'key-service') return !nations.includes(name);
    if (kind === 'domain') return !nations.includes(record.owner);
    if (kind === 'app') return !apps.has(name);
    return key === `policy/host/${last}` && !['operators', 'objects'].includes(last) && !apps.has(last);
  };
  const records = Object.entries(genesis.records).filter((record) => !gone(record));
  for (const [, record] of records)
    for (const list of ['partners', 'offered_to'])
      if (record[list]) record[list] = record[list].filter((code) => nations.includes(code));
  for (const [, record] of records) if (record.lead && !nations.includes(record.lead)) delete record.lead;
  return { ...genesis, records: Object.fromEntries(records) };
}

export function makeSmaller(folder, nations, ids) {
  const plan = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8'));
  plan.nations = plan.nations.filter((code) => nations.includes(code));
  plan.apps = plan.apps.filter(({ id }) => ids.includes(id));
  write(join(folder, 'plan.json'), plan);
  const apps = new Set(plan.apps.map(({ app }) => app));
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const [, kind, rest] = /^(genesis|node|connector)-(.*)\.json$/.exec(name) ?? [];
    const kept = kind === 'connector' ? ids.includes(rest) : nations.includes(rest?.toUpperCase());
    if (kind && !kept) rmSync(path);
    else if (kind === 'genesis') write(path, without(readTemplate(path), nations, apps));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, nations, apps] = process.argv.slice(2);
  makeSmaller(folder, nations.split(','), apps.split(','));
}
