// Whether what an entry says is what its leaf commits to: each field's salted digest must stand in the leaf
// (docs/wire-formats/ledger.md, "A leaf").
import { concat, equal, fromBase64, sha256, toBase64url, Untrue, utf8, type Bytes } from './bytes.ts';

const kSaltBytes = 16;

export type Value = null | boolean | number | string | readonly Value[] | { readonly [name: string]: Value };

export interface Disclosure {
  readonly index: number;
  readonly entry: string;
  readonly fields: readonly { readonly name: string; readonly value: Value; readonly salt: string }[];
}

// One of the newest entries, as the node lists it.
export interface Row {
  readonly index: number;
  readonly class: string;
  readonly summary: string; // the node's own words
  readonly time?: string; // none where the node cannot read the entry
  readonly disclosure?: Disclosure;
}

interface Leaf {
  readonly class: string;
  readonly time: string;
  readonly n: number;
  readonly digests: readonly string[];
}

// Canonical JSON, RFC 8785: JavaScript's own numbers and strings, and names in its own order.
export function canonical(value: Value): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value as Record<string, Value>).sort(([one], [two]) => (one < two ? -1 : 1));
  return `{${members.map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`).join(',')}}`;
}

function parseLeaf(index: number, entry: Bytes): Leaf {
  const { class: kind, time, n, digests } = JSON.parse(new TextDecoder().decode(entry)) as Partial<Leaf>;
  const whole = typeof kind === 'string' && typeof time === 'string' && Array.isArray(digests);
  if (!whole || n !== digests.length) throw new Untrue(`Entry ${index} is not of the form that this ledger writes.`);
  return { class: kind, time, n, digests };
}

// That the leaf at this place in the tree has each field that is shown; it may have more.
async function checkFields({ index, entry, fields }: Disclosure, proved: Bytes): Promise<Leaf> {
  if (!equal(fromBase64(entry), proved))
    throw new Untrue(`What the node shows as entry ${index} is another entry than the tree's.`);
  const leaf = parseLeaf(index, proved);
  const names = new Set<string>();
  for (const { name, value, salt } of fields) {
    if (names.has(name)) throw new Untrue(`Entry ${index} is shown with two fields of the name ${name}.`);
    names.add(name);
    const bytes = fromBase64(salt);
    if (bytes.length !== kSaltBytes) throw new Untrue(`The salt of entry ${index}'s field ${name} is not 16 bytes long.`);
    const label = utf8(name);
    const length = Uint8Array.of(label.length >> 8, label.length & 255);
    const digest = await sha256(concat(bytes, length, label, utf8(canonical(value))));
    if (!leaf.digests.includes(toBase64url(digest)))
      throw new Untrue(`Entry ${index} does not say what is shown: its field ${name} is another.`);
  }
  return leaf;
}

// The entry with all its fields. `proved` are the bytes that stand in the tree at its place.
export async function checkDisclosure(shown: Disclosure, proved: Bytes): Promise<void> {
  const leaf = await checkFields(shown, proved);
  if (shown.fields.length !== leaf.n)
    throw new Untrue(`Entry ${shown.index} has ${leaf.n} fields, and ${shown.fields.length} are shown.`);
}

// Whatever a list tells of an entry: its class, its time, and the fields it names.
export async function checkRow(row: Row, proved: Bytes): Promise<void> {
  const { index, disclosure } = row;
  if (disclosure?.index !== index) throw new Untrue(`The node shows nothing of entry ${index} that could be checked.`);
  const leaf = await checkFields(disclosure, proved);
  if (row.class !== leaf.class || row.time !== leaf.time)
    throw new Untrue(`Entry ${index} is ${leaf.class} of ${leaf.time}, and is shown as ${row.class} of ${row.time}.`);
}

// No character that hides, or that turns the order of what is read.
export const visible = (text: string): string =>
  text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`);

// Words that somebody else wrote stand in quotes, so that no value looks like another field.
function quoted(value: Value): string {
  if (typeof value !== 'string') return visible(canonical(value));
  return /^[\w.:/@+-]+$/.test(value) ? value : visible(JSON.stringify(value));
}

// Which entries were taken back, and by which: the change of the store's revision that they are of never acted. The
// ledger shows what takes it back behind them.
export function takenBack(rows: readonly Row[]): ReadonlyMap<number, number> {
  const told = ({ disclosure }: Row, wanted: string) => disclosure?.fields.find(({ name }) => name === wanted)?.value;
  const by = new Map(rows.filter((row) => row.class === 'change.undone').map((row) => [told(row, 'undone'), row.index]));
  by.delete(undefined);
  const entries = rows.map((row): [number, number | undefined] => [row.index, by.get(told(row, 'store.rev'))]);
  return new Map(entries.filter((one): one is [number, number] => one[1] !== undefined));
}

// What a row says, made of nothing but what checkRow() holds against the leaf.
export function says({ index, disclosure, summary }: Row): string {
  if (!disclosure) return `The node says: ${JSON.stringify(visible(summary))}`;
  const told = disclosure.fields.map(({ name, value }) => `${quoted(name)}=${quoted(value)}`);
  try {
    const more = parseLeaf(index, fromBase64(disclosure.entry)).n - told.length;
    return more === 0 ? told.join(' ') : [...told, `(${more} more in the entry)`].join(' ');
  } catch {
    return 'The node shows an entry that cannot be read.';
  }
}
