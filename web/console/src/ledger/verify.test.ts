// A log written here by the plain rules of RFC 6962 and C2SP, read by what the console verifies with; then every
// byte of it flipped.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { toBase64url, utf8, type Bytes } from './bytes.ts';
import { canonical, checkDisclosure, type Value } from './entry.ts';
import { kTileWidth, tilePath } from './tiles.ts';
import { Gone, verify, type Remembered, type Source } from './verify.ts';

const kOrigin = 'entente.xaa/ledger';
const hash = (...parts: Uint8Array[]): Bytes => new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());
const leaf = (entry: Bytes) => hash(Uint8Array.of(0), entry);
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

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
  #signer: KeyObject;
  #id: Bytes;

  constructor(entries: readonly string[], pair = generateKeyPairSync('ed25519')) {
    this.entries = entries.map((text) => utf8(text));
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
  async file(path: string): Promise<Bytes> {
    const found = this.files.get(path);
    if (!found) throw new Gone(path);
    return found;
  }
}

const words = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `entry ${at + from}`);
const indexesOf = (log: Log) => log.entries.map((_, index) => index).filter((index) => index % 97 === 0 || index < 2);
const look = (log: Log, before?: Remembered) => verify(log, log.key, before, indexesOf(log));

test('a whole ledger verifies, whatever its size', async () => {
  for (const size of [0, 1, 2, 3, 5, 255, 256, 257, 512, 700]) {
    const found = await look(new Log(words(size)));
    assert.ok(found.good, `${size}: ${JSON.stringify(found.list)}`);
    assert.equal(found.remember?.size, size);
  }
});

test('a ledger above two levels of tiles verifies', async () => {
  const log = new Log(words(kTileWidth * kTileWidth + 300));
  const found = await verify(log, log.key, undefined, [0, 300, kTileWidth * kTileWidth, kTileWidth * kTileWidth + 299]);
  assert.ok(found.good, JSON.stringify(found.list));
});

test('it goes on from what was seen before, from any size to any', async () => {
  const pair = generateKeyPairSync('ed25519');
  const sizes = [0, 1, 3, 256, 300, 770];
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
      const found = await verify(log, log.key, undefined, [255, 299]);
      assert.equal(found.good, false, `${path}, byte ${at}`);
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

test('tiles that were replaced meanwhile are asked for anew, a few times', async () => {
  const pair = generateKeyPairSync('ed25519');
  const [small, large] = [new Log(words(10), pair), new Log(words(20), pair)];
  let notes = 0;
  const moving: Source = {
    checkpoint: async () => (notes++ === 0 ? small.note : large.note),
    file: (path) => large.file(path),
  };
  assert.ok((await verify(moving, large.key, undefined, [0])).good);
  await assert.rejects(verify({ checkpoint: () => small.checkpoint(), file: (path) => large.file(path) }, large.key, undefined, []), Gone);
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
  await assert.rejects(checkDisclosure(shown, utf8('{}')), /another entry than the tree's/);
});
