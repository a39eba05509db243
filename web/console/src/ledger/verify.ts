// Checks a node's ledger from what the node serves, believing none of it but the key this browser saw first.
import { equal, fromBase64, toBase64, Untrue, type Bytes } from './bytes.ts';
import { openCheckpoint, parseKey, type Checkpoint } from './note.ts';
import { Tree } from './tiles.ts';

// What a browser keeps between visits.
export interface Remembered {
  readonly key: string;
  readonly size: number;
  readonly root: string;
}

export interface Source {
  checkpoint(): Promise<string>;
  file(path: string): Promise<Bytes>; // rejects with Gone where there is none
}

// Tiles of the right edge are replaced while the ledger grows: then look again from the checkpoint.
export class Gone extends Error {}
const kLooksMax = 4;

export interface Finding {
  readonly what: string;
  readonly good: boolean;
  readonly text: string;
}

export interface Findings {
  readonly good: boolean;
  readonly list: readonly Finding[];
  readonly tree?: Tree; // of a ledger that holds
  readonly remember?: Remembered;
}

async function continues(tree: Tree, before: Remembered): Promise<string> {
  const { size, root } = tree.checkpoint;
  if (before.size > size)
    throw new Untrue(`This browser has seen ${before.size} entries, and now there are ${size}: some were taken away.`);
  const then = before.size === size ? root : await tree.rootAt(before.size);
  if (!equal(then, fromBase64(before.root)))
    throw new Untrue(`The first ${before.size} entries are not those this browser has seen before: history was changed.`);
  return `The ${before.size} entries seen before stand as they were; ${size - before.size} came after them.`;
}

async function look(source: Source, keyText: string, before: Remembered | undefined, indexes: readonly number[]) {
  const list: Finding[] = [];
  let what = 'Key';
  const say = (text: string) => list.push({ what, good: true, text });
  try {
    const key = await parseKey(keyText);
    if (before && before.key !== keyText)
      throw new Untrue(`The ledger's key is not the one this browser knows, ${before.key}.`);
    const known = before ? 'It is the key this browser knows' : 'This browser sees it for the first time and keeps it';
    say(`${known}: ${keyText}. \`entente node keys\` on the node prints it as ledger_vkey.`);
    what = 'Signature';
    const checkpoint: Checkpoint = await openCheckpoint(await source.checkpoint(), key);
    say(`${checkpoint.origin} signed a checkpoint of ${checkpoint.size} entries.`);
    what = 'Root';
    const tree = await Tree.open(checkpoint, (path) => source.file(path));
    const root = toBase64(checkpoint.root);
    say(`The tree's hashes lead to the signed root ${root}.`);
    what = 'History';
    say(before ? await continues(tree, before) : 'Nothing was seen before; from now on this browser remembers.');
    what = 'Entries';
    const proved = indexes.filter((index) => index < checkpoint.size);
    for (const index of proved) await tree.entry(index);
    say(`Each of the ${proved.length} entries shown stands in the tree at its place, and so do those served with them.`);
    return { good: true, list, tree, remember: { key: keyText, size: checkpoint.size, root } };
  } catch (error) {
    if (error instanceof Gone) throw error;
    if (!(error instanceof Untrue) && !(error instanceof SyntaxError) && !(error instanceof DOMException)) throw error;
    return { good: false, list: [...list, { what, good: false, text: error.message }] };
  }
}

export async function verify(
  source: Source,
  key: string,
  before: Remembered | undefined,
  indexes: readonly number[],
): Promise<Findings> {
  for (let looks = 1; ; looks += 1) {
    try {
      return await look(source, key, before, indexes);
    } catch (error) {
      if (!(error instanceof Gone) || looks >= kLooksMax) throw error;
    }
  }
}
