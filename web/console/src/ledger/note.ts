// Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint), Ed25519.
import { concat, equal, fromBase64, sha256, toBase64, Untrue, utf8, type Bytes } from './bytes.ts';

export interface LogKey {
  readonly text: string; // "entente.xaa/ledger+1a2b3c4d+<base64>"
  readonly name: string;
  readonly id: Bytes;
  readonly key: CryptoKey;
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Bytes;
}

const kEd25519 = 1;

export async function parseKey(text: string): Promise<LogKey> {
  const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  if (!name || !id || !encoded) throw new Untrue('The node names no key that can be read.');
  const whole = fromBase64(encoded);
  if (whole.length !== 33 || whole[0] !== kEd25519) throw new Untrue("The ledger's key is none for Ed25519.");
  const expected = (await sha256(utf8(`${name}\n`), whole)).slice(0, 4);
  const written = Uint8Array.from(id.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  if (!equal(expected, written)) throw new Untrue("The key's id is not that of its name and bytes.");
  const key = await crypto.subtle.importKey('raw', whole.slice(1), 'Ed25519', false, ['verify']);
  return { text, name, id: expected, key };
}

async function isSigned(text: string, lines: readonly string[], key: LogKey): Promise<boolean> {
  for (const line of lines) {
    const [, name, encoded] = /^\u2014 (\S+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? [];
    if (name !== key.name || !encoded) continue;
    const bytes = fromBase64(encoded);
    if (toBase64(bytes) !== encoded) continue; // one spelling for each signature
    if (!equal(bytes.slice(0, 4), key.id)) continue;
    return crypto.subtle.verify('Ed25519', key.key, bytes.slice(4), utf8(text));
  }
  return false;
}

// The checkpoint that the note holds, if the key signed it.
export async function openCheckpoint(note: string, key: LogKey): Promise<Checkpoint> {
  const gap = note.lastIndexOf('\n\n');
  const text = note.slice(0, gap + 1);
  if (gap < 0 || !(await isSigned(text, note.slice(gap + 2).split('\n'), key)))
    throw new Untrue("The checkpoint's signature is not that of the ledger's key.");
  const [origin, size, root, ...more] = text.split('\n');
  const plain = /^(0|[1-9]\d{0,15})$/.test(size ?? '') && /^[A-Za-z0-9+/]{43}=$/.test(root ?? '');
  if (origin !== key.name || !plain || more.join('') !== '')
    throw new Untrue('The signed checkpoint is not of the form that this ledger writes.');
  return { origin, size: Number(size), root: fromBase64(root ?? '') };
}

export const leafHash = (entry: Bytes): Promise<Bytes> => sha256(Uint8Array.of(0), entry);
export const nodeHash = (left: Bytes, right: Bytes): Promise<Bytes> =>
  sha256(concat(Uint8Array.of(1), left, right));
