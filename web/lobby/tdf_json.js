// JSON as anybody may have written it: strict (RFC 8259), no member twice, bounded before it takes memory. And its
// canonical form (RFC 8785), which is what hashes of assertions are over.
const kDepthMax = 32; // as src/base/json.h: what is outermost is 1 deep
const kSpace = /[ \t\r\n]*/y;
const kText = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const kNumber = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const kWholeMax = 20; // characters of the longest that 64 bits hold
const kWords = { t: ['true', true], f: ['false', false], n: ['null', null] };

const texts = new WeakMap();
const broken = new WeakMap();
// How an object that parseJson() made is written.
export const textOf = (object) => texts.get(object);
// Whether this member of one is written as whole numbers are: 1e2 and 2.0 are none to other readers.
export const isWhole = (object, name) => Number.isSafeInteger(object[name]) && !broken.get(object)?.has(name);

class Parser {
  constructor(text, valuesMax, depthMax) {
    Object.assign(this, { text, at: 0, left: valuesMax, depthMax });
  }

  fail(what) {
    throw new SyntaxError(`${what} at character ${this.at}`);
  }

  take(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) return undefined;
    this.at = pattern.lastIndex;
    return found[0];
  }

  // The next character that is no space.
  peek() {
    this.take(kSpace);
    return this.text[this.at];
  }

  expect(character) {
    if (this.peek() !== character) this.fail(`${character} is missing`);
    this.at += 1;
  }

  string() {
    const token = this.take(kText) ?? this.fail('this is no text');
    const text = JSON.parse(token);
    return /\p{Surrogate}/u.test(text) ? this.fail('half a character') : text;
  }

  value(depth) {
    if (depth > this.depthMax) this.fail('nested too deeply');
    if ((this.left -= 1) < 0) this.fail('too many values');
    const first = this.peek();
    if (first === '"') return this.string();
    if (first === '{') return this.members(depth);
    if (first === '[') return this.items(depth);
    if (Object.hasOwn(kWords, first ?? '')) {
      const [word, value] = kWords[first];
      if (!this.text.startsWith(word, this.at)) this.fail('this is no value');
      this.at += word.length;
      return value;
    }
    const token = this.take(kNumber) ?? this.fail('this is no value');
    const number = Number(token);
    const isWhole = () => token.length <= kWholeMax && BigInt.asIntN(64, BigInt(token)) === BigInt(token);
    if (!(/[.eE]/.test(token) ? Number.isFinite(number) : isWhole())) this.fail('this number is too large');
    // One that a number cannot hold exactly is none of those that anybody counts with here.
    return /[.eE]/.test(token) || Number.isSafeInteger(number) ? number : BigInt(token);
  }

  // Without a prototype: no name in a file means anything but itself.
  members(depth) {
    const out = Object.create(null);
    const start = this.at;
    this.expect('{');
    for (let first = true; this.peek() !== '}'; first = false) {
      if (!first) this.expect(',');
      this.peek();
      const name = this.string();
      if (name in out) this.fail('a member stands there twice');
      this.expect(':');
      const valueAt = this.at;
      out[name] = this.value(depth + 1);
      if (typeof out[name] === 'number' && /[.eE]/.test(this.text.slice(valueAt, this.at)))
        broken.set(out, (broken.get(out) ?? new Set()).add(name));
    }
    this.at += 1;
    texts.set(out, this.text.slice(start, this.at));
    return out;
  }

  items(depth) {
    const out = [];
    this.expect('[');
    for (let first = true; this.peek() !== ']'; first = false) {
      if (!first) this.expect(',');
      out.push(this.value(depth + 1));
    }
    this.at += 1;
    return out;
  }
}

// Throws SyntaxError.
export function parseJson(text, valuesMax, depthMax = kDepthMax) {
  const parser = new Parser(text, valuesMax, depthMax);
  const out = parser.value(1);
  if (parser.peek() !== undefined) parser.fail('something follows the value');
  return out;
}

export function canonicalJson(value) {
  if (typeof value === 'bigint') return `${value}`;
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name])}`);
  return `{${members.join(',')}}`;
}
