// A log written here by the plain rules of RFC 6962 and C2SP, read by what the console verifies with; then every
// byte of it flipped.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { toBase64url, utf8, type Bytes } from './bytes.ts';
import { canonical, checkDisclosure, says, takenBack, type Row, type Value } from './entry.ts';
import { kTileWidth, tilePath } from './tiles.ts';
import { Gone, kListedMax, verify, type Findings, type Listed, type Remembered, type Source } from './verify.ts';

const kOrigin = 'entente.xaa/ledger';
const hash = (...parts: Uint8Array[]): Bytes => new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());
const leaf = (entry: Bytes) => hash(Uint8Array.of(0), entry);
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

const kTime = '2026-11-22T08:00:00Z';
const kSalt = new Uint8Array(16).fill(7);

function digestOf(name: string, value: Value): string {
  const label = utf8(name);
  return toBase64url(hash(kSalt, Uint8Array.of(0, label.length), label, utf8(canonical(value))));
}

// An entry of one field, and what a node lists of it.
const leafOf = (text: string) => canonical({ class: 'note', digests: [digestOf('says', text)], n: 1, time: kTime, v: 1 });
const rowOf = (index: number, text: string): Row => ({
  index,
  class: 'note',
  time: kTime,
  summary: 'never shown',
  disclosure: { index, entry: toBase64url(utf8(leafOf(text))), fields: [{ name: 'says', value: text, salt: toBase64url(kSalt) }] },
});

function rootOf(leaves: readonly Bytes[]): Bytes {
  if (leaves.length === 0) return hash();
  if (leaves.length === 1) return leaves[0]!;
  let half = 1;
  while (half * 2 < leaves.length) half *= 2;
  return hash(Uint8Array.of(1), rootOf(leaves.slice(0, half)), rootOf(leaves.slice(half)));
}

class Log implements Source {
  files = new Map<string, Bytes>();
  note = '';
  key = '';
  entries: Bytes[];
  #texts: readonly string[];
  #signer: KeyObject;
  #id: Bytes;

  constructor(entries: readonly string[], pair = generateKeyPairSync('ed25519')) {
    this.#texts = entries;
    this.entries = entries.map((text) => utf8(leafOf(text)));
    this.#signer = pair.privateKey;
    const raw = Buffer.from(pair.publicKey.export({ format: 'jwk' }).x!, 'base64url');
    const whole = Buffer.concat([Uint8Array.of(1), raw]);
    this.#id = hash(utf8(`${kOrigin}\n`), whole).slice(0, 4);
    this.key = `${kOrigin}+${Buffer.from(this.#id).toString('hex')}+${base64(whole)}`;
    this.#write();
  }

  #write() {
    let row = this.entries.map(leaf);
    const root = rootOf(row);
    for (let level = 0; row.length > 0; level += 1) {
      for (let at = 0; at * kTileWidth < row.length; at += 1) {
        const tile = row.slice(at * kTileWidth, (at + 1) * kTileWidth);
        this.files.set(tilePath(level, at, tile.length), new Uint8Array(Buffer.concat(tile)));
      }
      const full = Math.floor(row.length / kTileWidth);
      row = Array.from({ length: full }, (_, at) => rootOf(row.slice(at * kTileWidth, (at + 1) * kTileWidth)));
    }
    for (let at = 0; at * kTileWidth < this.entries.length; at += 1) {
      const some = this.entries.slice(at * kTileWidth, (at + 1) * kTileWidth);
      const framed = some.flatMap((entry) => [Uint8Array.of(entry.length >> 8, entry.length & 255), entry]);
      this.files.set(tilePath('entries', at, some.length), new Uint8Array(Buffer.concat(framed)));
    }
    const text = `${kOrigin}\n${this.entries.length}\n${base64(root)}\n`;
    const signature = Buffer.concat([this.#id, sign(null, Buffer.from(text), this.#signer)]);
    this.note = `${text}\n\u2014 ${kOrigin} ${base64(signature)}\n`;
  }

  async checkpoint() {
    return this.note;
  }
  async list(): Promise<Listed> {
    const size = this.#texts.length;
    const first = Math.max(0, size - kListedMax);
    return { size, records: this.#texts.slice(first).map((text, at) => rowOf(first + at, text)) };
  }
  async wait() {}
  async file(path: string): Promise<Bytes> {
    const found = this.files.get(path);
    if (!found) throw new Gone(path);
    return found;
  }
}

const words = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `entry ${at + from}`);
const look = (log: Log, before?: Remembered) => verify(log, log.key, before);
const lying = (log: Log, lies: Partial<Source>): Source => ({
  checkpoint: () => log.checkpoint(),
  list: () => log.list(),
  file: (path) => log.file(path),
  wait: () => log.wait(),
  ...lies,
});

async function proves({ good, tree }: Findings, indexes: Iterable<number>): Promise<boolean> {
  try {
    for (const index of indexes) await tree?.entry(index);
    return good;
  } catch {
    return false;
  }
}

test('a whole ledger verifies, whatever its size', async () => {
  for (const size of [0, 1, 2, 3, 5, 255, 256, 257, 512, 700]) {
    const found = await look(new Log(words(size)));
    assert.ok(found.good, `${size}: ${JSON.stringify(found.list)}`);
    assert.equal(found.remember?.size, size);
  }
});

test('a ledger above two levels of tiles verifies', async () => {
  const log = new Log(words(kTileWidth * kTileWidth + 300));
  const found = await look(log);
  assert.ok(found.good, JSON.stringify(found.list));
  assert.ok(await proves(found, [0, 300, kTileWidth * kTileWidth, kTileWidth * kTileWidth + 299]));
});

test('it goes on from what was seen before, from any size to any', async () => {
  const pair = generateKeyPairSync('ed25519');
  const sizes = [0, 3, 256, 300];
  for (const [at, small] of sizes.entries()) {
    const before = (await look(new Log(words(small), pair))).remember;
    assert.ok(before);
    for (const large of sizes.slice(at)) {
      const found = await look(new Log(words(large), pair), before);
      assert.ok(found.good, `${small} to ${large}: ${JSON.stringify(found.list)}`);
    }
  }
});

const failsAt = async (what: string, log: Log, before?: Remembered) => {
  const found = await look(log, before);
  assert.equal(found.good, false, `${what} is noticed`);
  assert.equal(found.list.at(-1)?.what, what);
  assert.equal(found.remember, undefined, 'and nothing is remembered of it');
};

test('attack: another history, a shorter one or another key is no continuation', async () => {
  const pair = generateKeyPairSync('ed25519');
  const before = (await look(new Log(words(300), pair))).remember;
  await failsAt('History', new Log(['another', ...words(399, 1)], pair), before);
  await failsAt('History', new Log(words(299), pair), before);
  await failsAt('History', new Log(words(300, 1), pair), before);
  await failsAt('Key', new Log(words(300)), before);
});

test('attack: every byte of a tile, of entries and of the checkpoint counts', async () => {
  const log = new Log(words(300));
  for (const [path, bytes] of log.files) {
    for (let at = 0; at < bytes.length; at += path.startsWith('tile/entries') ? 301 : 97) {
      log.files.set(path, bytes.map((byte, place) => (place === at ? byte ^ 1 : byte)));
      assert.equal((await look(log)).good, false, `${path}, byte ${at}`);
    }
    log.files.set(path, bytes);
  }
  const note = log.note;
  for (let at = 0; at < note.length; at += 1) {
    log.note = note.slice(0, at) + String.fromCharCode(note.charCodeAt(at) ^ 1) + note.slice(at + 1);
    const found = await look(log);
    assert.equal(found.good, false, `checkpoint, character ${at}`);
  }
});

test('tiles that were replaced meanwhile are asked for anew, a few times; then they are withheld', async () => {
  const pair = generateKeyPairSync('ed25519');
  const [small, large] = [new Log(words(10), pair), new Log(words(20), pair)];
  let looks = 0;
  const moving = lying(large, {
    checkpoint: async () => (looks < 1 ? small.note : large.note),
    list: () => (looks < 1 ? small : large).list(),
    wait: async () => {
      looks += 1;
    },
  });
  assert.ok((await verify(moving, large.key, undefined)).good);
  const withheld = await verify(lying(small, { file: (path) => large.file(path) }), small.key, undefined);
  assert.equal(withheld.good, false);
  assert.match(withheld.list.at(-1)?.text ?? '', /withheld: tile\/0\/000\.p\/10/);
});

test('entries that are listed before they are signed are waited for', async () => {
  const pair = generateKeyPairSync('ed25519');
  const [signed, listed] = [new Log(words(10), pair), new Log(words(12), pair)];
  let waits = 0;
  const late = lying(listed, {
    checkpoint: async () => (waits < 2 ? signed.note : listed.note),
    wait: async () => {
      waits += 1;
    },
  });
  const found = await verify(late, listed.key, undefined);
  assert.ok(found.good, JSON.stringify(found.list));
  assert.equal(found.remember?.size, 12);
});

test('attack: a list that leaves out, invents or doubles entries does not hold', async () => {
  const log = new Log(words(300));
  const whole = await log.list();
  const other = (records: readonly Row[], size = 300) => ({ size, records });
  const ahead = await new Log(words(301)).list();
  for (const [how, listed] of Object.entries({
    'none at all': other([], 0),
    'none of many': other([]),
    'a gap': other(whole.records.filter(({ index }) => index !== 270)),
    'the newest missing': other(whole.records.slice(0, -1)),
    'an older ledger': other(whole.records.slice(0, -1), 299),
    'one twice': other(whole.records.map((row, at) => (at === 1 ? whole.records[0]! : row))),
    'one that is never signed': ahead,
  })) {
    const found = await verify(lying(log, { list: async () => listed }), log.key, undefined);
    assert.equal(found.good, false, how);
    assert.equal(found.list.at(-1)?.what, 'Entries', how);
  }
});

test('attack: a row that says anything but its leaf does not hold', async () => {
  const log = new Log(words(60));
  const whole = await log.list();
  const row = whole.records[7]!;
  const told = row.disclosure!;
  const field = told.fields[0]!;
  for (const [how, wrong] of Object.entries({
    'another class': { ...row, class: 'verdict' },
    'another time': { ...row, time: '2026-11-22T08:00:01Z' },
    'no time': { ...row, time: undefined },
    'nothing that proves it': { ...row, disclosure: undefined },
    "a neighbour's words": { ...row, disclosure: whole.records[8]!.disclosure },
    'another value': { ...row, disclosure: { ...told, fields: [{ ...field, value: 'entry 1' }] } },
    'another name': { ...row, disclosure: { ...told, fields: [{ ...field, name: 'who' }] } },
    'a field twice': { ...row, disclosure: { ...told, fields: [field, field] } },
    'a short salt': { ...row, disclosure: { ...told, fields: [{ ...field, salt: '' }] } },
    'no fields to read': { ...row, disclosure: { ...told, fields: undefined } },
  })) {
    const records = whole.records.map((one) => (one === row ? (wrong as unknown as Row) : one));
    const found = await verify(lying(log, { list: async () => ({ ...whole, records }) }), log.key, undefined);
    assert.equal(found.good, false, how);
    assert.equal(found.list.at(-1)?.what, 'Entries', how);
  }
});

test('attack: no value looks like another field, and none hides', () => {
  assert.equal(says(rowOf(1, 'operator/lena')), 'says=operator/lena');
  assert.equal(says(rowOf(1, 'x who=operator/lena')), 'says="x who=operator/lena"');
  assert.equal(says(rowOf(1, 'x" who="y')), String.raw`says="x\" who=\"y"`);
  assert.equal(says(rowOf(1, '\u202eevil\u200b')), String.raw`says="\u{202e}evil\u{200b}"`);
  const hiding = rowOf(1, 'x');
  assert.equal(says({ ...hiding, disclosure: { ...hiding.disclosure!, fields: [] } }), '(1 more in the entry)');
});

test('of an entry that was taken back the list says by which', () => {
  const row = (index: number, kind: string, fields: Record<string, Value>): Row => ({
    ...rowOf(index, 'x'),
    class: kind,
    disclosure: { index, entry: '', fields: Object.entries(fields).map(([name, value]) => ({ name, value, salt: '' })) },
  });
  const rows = [
    row(5, 'grant', { request: 'r0', 'store.rev': 8 }),
    row(6, 'grant', { request: 'r1', 'store.rev': 9 }),
    row(7, 'verdict', { undone: 8 }), // of another class: no word about a change
    row(8, 'change.undone', { undone: 9, why: 'ledger.full' }),
    row(9, 'verdict', {}),
    row(10, 'change.undone', { why: 'odd' }),
    { ...rowOf(11, 'x'), disclosure: undefined },
  ];
  assert.deepEqual([...takenBack(rows)], [[6, 8]]);
});

test('a disclosed entry says what its leaf commits to, and nothing else', async () => {
  const fields: [string, Value][] = [
    ['app', 'cop'],
    ['answer', { permit: true, b: [1, 2.5, 'ü'], a: null }],
  ];
  const salts = fields.map((_, at) => new Uint8Array(16).fill(at + 1));
  const digests = fields.map(([name, value], at) => {
    const label = utf8(name);
    return toBase64url(hash(salts[at]!, Uint8Array.of(0, label.length), label, utf8(canonical(value))));
  });
  const bytes = utf8(canonical({ class: 'verdict', digests: digests.toSorted(), n: 2, time: '2026-11-22T08:00:00Z', v: 1 }));
  const shown = {
    index: 7,
    entry: toBase64url(bytes),
    fields: fields.map(([name, value], at) => ({ name, value, salt: toBase64url(salts[at]!) })),
  };
  await checkDisclosure(shown, bytes);
  const other = structuredClone(shown);
  other.fields[0] = { ...other.fields[0]!, value: 'wiki' };
  await assert.rejects(checkDisclosure(other, bytes), /its field app is another/);
  await assert.rejects(checkDisclosure({ ...shown, fields: shown.fields.slice(1) }, bytes), /has 2 fields, and 1 are shown/);
  const twice = { ...shown, fields: [shown.fields[0]!, shown.fields[0]!] };
  await assert.rejects(checkDisclosure(twice, bytes), /two fields of the name app/);
  const more = utf8(canonical({ class: 'verdict', digests: digests.toSorted(), n: 3, time: kTime, v: 1 }));
  await assert.rejects(checkDisclosure({ ...shown, entry: toBase64url(more) }, more), /not of the form/);
  await assert.rejects(checkDisclosure(shown, utf8('{}')), /another entry than the tree's/);
});
