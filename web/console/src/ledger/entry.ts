// Whether what an entry says is what its leaf commits to: each field's salted digest must stand in the leaf
// (docs/wire-formats/ledger.md, "A leaf").
import { concat, equal, fromBase64, sha256, toBase64url, Untrue, utf8, type Bytes } from './bytes.ts';

export type Value = null | boolean | number | string | readonly Value[] | { readonly [name: string]: Value };

export interface Disclosure {
  readonly index: number;
  readonly entry: string;
  readonly fields: readonly { readonly name: string; readonly value: Value; readonly salt: string }[];
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

// `proved` are the bytes that stand in the tree at the entry's place.
export async function checkDisclosure(shown: Disclosure, proved: Bytes): Promise<void> {
  if (!equal(fromBase64(shown.entry), proved))
    throw new Untrue(`What the node shows as entry ${shown.index} is another entry than the tree's.`);
  const leaf = JSON.parse(new TextDecoder().decode(proved)) as Leaf;
  for (const { name, value, salt } of shown.fields) {
    const label = utf8(name);
    const length = Uint8Array.of(label.length >> 8, label.length & 255);
    const digest = await sha256(concat(fromBase64(salt), length, label, utf8(canonical(value))));
    if (!leaf.digests.includes(toBase64url(digest)))
      throw new Untrue(`Entry ${shown.index} does not say what is shown: its field ${name} is another.`);
  }
  if (shown.fields.length !== leaf.n)
    throw new Untrue(`Entry ${shown.index} has ${leaf.n} fields, and ${shown.fields.length} are shown.`);
}
