// Checks a node's ledger from what the node serves, believing none of it but the key this browser saw first.
import { equal, fromBase64, NoAnswer, toBase64, Untrue, type Bytes } from './bytes.ts';
import { checkRow, type Row } from './entry.ts';
import { openCheckpoint, parseKey, type Checkpoint } from './note.ts';
import { Tree } from './tiles.ts';

// What a browser keeps between visits.
export interface Remembered {
  readonly key: string;
  readonly size: number;
  readonly root: string;
}

// The newest entries, oldest first.
export interface Listed {
  readonly size: number;
  readonly records: readonly Row[];
}

export interface Source {
  checkpoint(): Promise<string>;
  list(): Promise<Listed>;
  file(path: string): Promise<Bytes>; // rejects with Gone where there is none
  wait(): Promise<void>; // half a second, before it is looked at once more
}

// Tiles of the right edge are replaced while the ledger grows, and are written up to a second after what they
// hold: then look again from the checkpoint. What is missing still is withheld.
export class Gone extends Error {}
const kLooksMax = 10;
export const kListedMax = 50;

export interface Finding {
  readonly what: string;
  readonly good: boolean;
  readonly text: string;
}

export interface Findings {
  readonly good: boolean;
  readonly list: readonly Finding[];
  readonly tree?: Tree; // of a ledger that holds
  readonly listed?: Listed; // what was held against it
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

// A list of the newest entries has all of them, each in its place.
function checkList({ size, records }: Listed, signed: number) {
  if (!Number.isSafeInteger(size) || size < signed)
    throw new Untrue(`The node lists a ledger of ${size} entries, and has signed ${signed}.`);
  const first = size - Math.min(size, kListedMax);
  if (records.length !== size - first || records.some(({ index }, at) => index !== first + at))
    throw new Untrue(`The node does not list each of the entries from ${first} up to ${size}.`);
}

async function look(source: Source, keyText: string, before: Remembered | undefined, last: boolean): Promise<Findings> {
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
    // The list is asked for between two checkpoints: it must reach the first, and is proved by the second.
    const signed = (await openCheckpoint(await source.checkpoint(), key)).size;
    const listed = await source.list();
    let checkpoint: Checkpoint = await openCheckpoint(await source.checkpoint(), key);
    for (let looks = 1; checkpoint.size < listed.size && looks < kLooksMax; looks += 1) {
      await source.wait();
      checkpoint = await openCheckpoint(await source.checkpoint(), key);
    }
    say(`${checkpoint.origin} signed a checkpoint of ${checkpoint.size} entries.`);
    what = 'Root';
    const tree = await Tree.open(checkpoint, (path) => source.file(path));
    const root = toBase64(checkpoint.root);
    say(`The tree's hashes lead to the signed root ${root}.`);
    what = 'History';
    say(before ? await continues(tree, before) : 'Nothing was seen before; from now on this browser remembers.');
    what = 'Entries';
    checkList(listed, signed);
    for (const row of listed.records) await checkRow(row, await tree.entry(row.index));
    say(`The ${listed.records.length} newest stand in the tree, each at its place, and say what is shown: class, time and fields. What was served with them stands there too.`);
    return { good: true, list, tree, listed, remember: { key: keyText, size: checkpoint.size, root } };
  } catch (error) {
    if (error instanceof NoAnswer || (error instanceof Gone && !last)) throw error;
    const text = error instanceof Gone ? `What proves it is withheld: ${error.message}.` : (error as Error).message;
    return { good: false, list: [...list, { what, good: false, text }] };
  }
}

export async function verify(source: Source, key: string, before: Remembered | undefined): Promise<Findings> {
  for (let looks = 1; ; looks += 1) {
    try {
      return await look(source, key, before, looks >= kLooksMax);
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
      await source.wait();
    }
  }
}
