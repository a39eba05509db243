// A Merkle tree (RFC 6962) read from tiles (C2SP tlog-tiles), where nothing is believed that does not lead to the
// root: the tiles of the right edge together must make the root, and every full tile must make its hash in the
// tile above it.
import { equal, sha256, Untrue, type Bytes } from './bytes.ts';
import { leafHash, nodeHash, type Checkpoint } from './note.ts';

export const kTileWidth = 256;
const kHashBytes = 32;
export type Fetch = (path: string) => Promise<Bytes>;

export function tilePath(level: number | 'entries', index: number, width: number): string {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, '0');
  const groups = digits.match(/.{3}/g) ?? [];
  const name = groups.map((group, at) => (at + 1 < groups.length ? `x${group}` : group)).join('/');
  return `tile/${level}/${name}${width < kTileWidth ? `.p/${width}` : ''}`;
}

async function rootOfPerfect(hashes: readonly Bytes[]): Promise<Bytes> {
  const [first, ...others] = hashes;
  if (!first) return sha256();
  if (others.length === 0) return first;
  const half = hashes.length / 2;
  return nodeHash(await rootOfPerfect(hashes.slice(0, half)), await rootOfPerfect(hashes.slice(half)));
}

// The perfect subtrees that a row of hashes falls into, the largest first.
async function peaks(hashes: readonly Bytes[]): Promise<Bytes[]> {
  const out: Bytes[] = [];
  for (let at = 0, width = kTileWidth / 2; width >= 1; width /= 2) {
    if (hashes.length - at < width) continue;
    out.push(await rootOfPerfect(hashes.slice(at, at + width)));
    at += width;
  }
  return out;
}

export class Tree {
  readonly checkpoint: Checkpoint;
  readonly #fetch: Fetch;
  readonly #tiles = new Map<string, Promise<Bytes[]>>();
  readonly #bundles = new Map<number, Promise<Bytes[]>>();

  private constructor(checkpoint: Checkpoint, fetch: Fetch) {
    this.checkpoint = checkpoint;
    this.#fetch = fetch;
  }

  // Reads the right edge and holds it against the checkpoint's root.
  static async open(checkpoint: Checkpoint, fetch: Fetch): Promise<Tree> {
    const tree = new Tree(checkpoint, fetch);
    if (!equal(await tree.rootAt(checkpoint.size), checkpoint.root))
      throw new Untrue("The tree's hashes do not lead to the signed root.");
    return tree;
  }

  // The root of the first `size` leaves.
  async rootAt(size: number): Promise<Bytes> {
    const row: Bytes[] = [];
    for (let level = 8; level >= 0; level -= 1) {
      const here = Math.floor(size / kTileWidth ** level);
      const count = here % kTileWidth;
      if (count > 0)
        row.push(...(await peaks((await this.#tile(level, Math.floor(here / kTileWidth))).slice(0, count))));
    }
    let root = row.pop() ?? (await sha256());
    for (const left of row.reverse()) root = await nodeHash(left, root);
    return root;
  }

  // An entry's bytes, once its hash stands at that place in the tree.
  async entry(index: number): Promise<Bytes> {
    if (index >= this.checkpoint.size) throw new Untrue(`Entry ${index} is not below this checkpoint.`);
    const number = Math.floor(index / kTileWidth);
    const bundle = this.#bundles.get(number) ?? this.#bundle(number);
    this.#bundles.set(number, bundle);
    const entry = (await bundle)[index % kTileWidth];
    if (!entry) throw new Untrue(`Entry ${index} is missing.`);
    return entry;
  }

  // All of it is held against the tree: no byte that was served is believed unseen.
  async #bundle(number: number): Promise<Bytes[]> {
    const width = this.#width(0, number);
    const entries = split(await this.#fetch(tilePath('entries', number, width)), width);
    const hashes = await this.#tile(0, number);
    for (const [at, entry] of entries.entries()) {
      const hash = hashes[at];
      if (!hash || !equal(await leafHash(entry), hash))
        throw new Untrue(`Entry ${number * kTileWidth + at} is not the one in the tree: its bytes make another hash.`);
    }
    return entries;
  }

  #width(level: number, index: number): number {
    return Math.min(kTileWidth, Math.floor(this.checkpoint.size / kTileWidth ** level) - index * kTileWidth);
  }

  #tile(level: number, index: number): Promise<Bytes[]> {
    const key = `${level}/${index}`;
    const known = this.#tiles.get(key);
    if (known) return known;
    const loading = this.#load(level, index);
    this.#tiles.set(key, loading);
    return loading;
  }

  async #load(level: number, index: number): Promise<Bytes[]> {
    const width = this.#width(level, index);
    const path = tilePath(level, index, width);
    const bytes = await this.#fetch(path);
    if (bytes.length !== width * kHashBytes) throw new Untrue(`${path} has not ${width} hashes.`);
    const hashes = Array.from({ length: width }, (_, at) => bytes.slice(at * kHashBytes, (at + 1) * kHashBytes));
    if (width === kTileWidth) {
      const above = await this.#tile(level + 1, Math.floor(index / kTileWidth));
      const expected = above[index % kTileWidth];
      if (!expected || !equal(await rootOfPerfect(hashes), expected))
        throw new Untrue(`${path} does not lead to the signed root.`);
    }
    return hashes;
  }
}

// A bundle's entries, each behind its length.
function split(bundle: Bytes, count: number): Bytes[] {
  const out: Bytes[] = [];
  let at = 0;
  while (at + 2 <= bundle.length) {
    const end = at + 2 + ((bundle[at] ?? 0) << 8) + (bundle[at + 1] ?? 0);
    if (end > bundle.length) break;
    out.push(bundle.slice(at + 2, end));
    at = end;
  }
  if (at !== bundle.length || out.length !== count) throw new Untrue('A bundle of entries is not whole.');
  return out;
}
