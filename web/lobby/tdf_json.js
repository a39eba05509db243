// JSON as anybody may have written it: strict (RFC 8259), no member twice, bounded before it takes memory. And its
// canonical form (RFC 8785), which is what hashes of assertions are over.
const kDepthMax = 32;
const kSpace = /[ \t\r\n]*/y;
const kText = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const kNumber = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const kWords = { t: ['true', true], f: ['false', false], n: ['null', null] };

class Parser {
  constructor(text, valuesMax) {
    Object.assign(this, { text, at: 0, left: valuesMax });
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
    if (depth > kDepthMax) this.fail('nested too deeply');
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
    const fits = /[.eE]/.test(token) ? Number.isFinite(number) : BigInt.asIntN(64, BigInt(token)) === BigInt(token);
    return fits ? number : this.fail('this number is too large');
  }

  // Without a prototype: no name in a file means anything but itself.
  members(depth) {
    const out = Object.create(null);
    this.expect('{');
    for (let first = true; this.peek() !== '}'; first = false) {
      if (!first) this.expect(',');
      this.peek();
      const name = this.string();
      if (name in out) this.fail('a member stands there twice');
      this.expect(':');
      out[name] = this.value(depth + 1);
    }
    this.at += 1;
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
export function parseJson(text, valuesMax) {
  const parser = new Parser(text, valuesMax);
  const out = parser.value(0);
  if (parser.peek() !== undefined) parser.fail('something follows the value');
  return out;
}

export function canonicalJson(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name])}`);
  return `{${members.join(',')}}`;
}
