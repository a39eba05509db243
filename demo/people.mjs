// The people of the demonstration, each with a passphrase made for this run alone.
import { createHash, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';

const words = (
  'amber anchor apple arrow aspen badge basil beacon birch bramble bridge butter cabin candle canvas ' +
  'cedar chalk cherry clover cobalt copper coral cotton cricket crystal dahlia daisy drum ember ' +
  'falcon feather fennel fern ferry fiddle flint forest garnet ginger glacier granite harvest hazel ' +
  'heron honey indigo island ivory jasmine juniper kettle lantern larch laurel lemon linen lilac ' +
  'lupin maple marble meadow mill mint moss nutmeg oak ocean olive onyx orchard otter paper pebble ' +
  'pepper pine plum poppy quartz quill raven reed river robin saffron sage salmon silver slate ' +
  'sparrow spruce stone sugar tansy teal thistle thyme timber tulip umber valley velvet violet walnut ' +
  'willow winter wren yarrow zinnia'
).split(' ');

const passphrase = () => Array.from({ length: 4 }, () => words[randomInt(words.length)]).join('-');

export function peopleForThisRun(path) {
  const { mission, people } = JSON.parse(readFileSync(path, 'utf8'));
  return { mission, people: people.map((person) => ({ ...person, passphrase: passphrase() })) };
}

// Who a person is at their own nation's node, as `identity::person_id` makes it: operators' records name them so.
export function personId(nation, issuer, subject) {
  const hash = createHash('sha256');
  for (const part of ['entente.person/1', nation, issuer, subject]) {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    hash.update(length).update(bytes);
  }
  return hash.digest().subarray(0, 18).toString('base64url');
}

// A plain table for the terminal: one row each, columns as wide as their widest entry.
export function table(header, rows) {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => String(row[column]).length)),
  );
  const line = (row) =>
    row
      .map((entry, column) => String(entry).padEnd(widths[column]))
      .join('  ')
      .trimEnd();
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
