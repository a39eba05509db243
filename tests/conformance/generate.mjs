// Random schemas, policies, entities and requests that mostly fit one another, from a seed.

export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  below(n) {
    return Math.floor(this.next() * n);
  }
  chance(p) {
    return this.next() < p;
  }
  pick(list) {
    return list[this.below(list.length)];
  }
  some(list, max) {
    const out = [];
    for (const one of list) if (out.length < max && this.chance(0.5)) out.push(one);
    return out;
  }
}

const ids = ['', 'a', 'b', 'a b', 'é', '\u{1F600}', 'x"y', 'n\nl', 'tab\t', 'back\\slash', '*', 'c*d', '\u0000', "q'uote", '__cedar'];
const names = ['a', 'b', 'cc', 'name', 'level', 'principal', 'when', 'if', 'a b', 'in', 'like', 'é', '', 'has', 'type', 'Set'];
const primitives = ['Long', 'String', 'Bool', 'ipaddr', 'decimal', 'datetime', 'duration'];
const words = new Set(['true', 'false', 'if', 'then', 'else', 'in', 'is', 'like', 'has', '__cedar']);

export const quote = (text) => {
  let out = '"';
  for (const c of text) {
    const code = c.codePointAt(0);
    if (c === '"' || c === '\\') out += '\\' + c;
    else if (code < 32 || code === 127) out += `\\u{${code.toString(16)}}`;
    else out += c;
  }
  return out + '"';
};
const plain = (name) => /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) && !words.has(name);
const key = (name) => (plain(name) ? name : quote(name));
const uidText = (uid) => `${uid.type}::${quote(uid.id)}`;

// Types: {k: 'Long'...}, {k: 'set', of}, {k: 'record', members: {name: {type, required}}}, {k: 'entity', name}.
export class World {
  constructor(seed) {
    this.r = new Random(seed);
    this.makeSchema();
  }

  type(depth) {
    const r = this.r;
    const roll = r.below(10);
    if (roll < 5 || depth > 2) return { k: r.pick(primitives) };
    if (roll < 7) return { k: 'entity', name: r.pick(this.entityNames) };
    if (roll < 8) return { k: 'set', of: this.type(depth + 1) };
    return this.record(depth + 1);
  }

  record(depth) {
    const members = {};
    for (const name of names) {
      if (Object.keys(members).length < 4 && this.r.chance(0.25))
        members[name] = { type: this.type(depth), required: this.r.chance(0.6) };
    }
    return { k: 'record', members };
  }

  makeSchema() {
    const r = this.r;
    this.ns = r.chance(0.4) ? r.pick(['N', 'A::B']) : '';
    const count = 2 + r.below(3);
    this.shortNames = ['U', 'G', 'D', 'E', 'T'].slice(0, count);
    this.entityNames = this.shortNames.map((n) => this.full(n));
    this.entities = {};
    for (const short of this.shortNames) {
      const name = this.full(short);
      if (r.chance(0.12)) {
        this.entities[name] = { short, enumerated: [...new Set([r.pick(ids), r.pick(ids), 'e'])], parents: [], attributes: { k: 'record', members: {} } };
      } else {
        this.entities[name] = {
          short,
          parents: r.some(this.entityNames, 2),
          attributes: this.record(0),
          tags: r.chance(0.35) ? this.type(1) : undefined,
        };
      }
    }
    this.actionIds = ['view', 'edit', 'open it', 'all'].slice(0, 1 + r.below(4));
    this.actions = {};
    this.actionIds.forEach((id, i) => {
      const applies = r.chance(0.9);
      this.actions[id] = {
        parents: r.some(this.actionIds.slice(i + 1), 2),
        principals: applies ? this.nonEmpty(this.entityNames) : [],
        resources: applies ? this.nonEmpty(this.entityNames) : [],
        context: this.record(0),
      };
    });
    this.schemaText = this.writeSchema();
  }

  nonEmpty(list) {
    const out = this.r.some(list, 3);
    return out.length > 0 ? out : [this.r.pick(list)];
  }
  full(name) {
    return this.ns ? `${this.ns}::${name}` : name;
  }
  actionType() {
    return this.full('Action');
  }

  typeText(type) {
    if (type.k === 'entity') return this.r.chance(0.5) ? type.name : type.name.slice(this.ns ? this.ns.length + 2 : 0);
    if (type.k === 'set') return `Set<${this.typeText(type.of)}>`;
    if (type.k === 'record') return this.recordText(type);
    return (this.r.chance(0.2) ? '__cedar::' : '') + type.k;
  }
  recordText(type) {
    const r = this.r;
    const parts = Object.entries(type.members).map(
      ([name, m]) => `${r.chance(0.05) ? '@doc("m") ' : ''}${key(name)}${m.required ? '' : '?'}: ${this.typeText(m.type)}`,
    );
    return `{ ${parts.join(', ')}${parts.length && r.chance(0.2) ? ',' : ''} }`;
  }

  writeSchema() {
    const r = this.r;
    let out = '';
    const commons = [];
    if (r.chance(0.3)) commons.push(`type Extra = ${this.typeText(this.type(1))};\n`);
    for (const e of Object.values(this.entities)) {
      if (r.chance(0.1)) out += `@doc(${quote(r.pick(ids))})\n`;
      if (e.enumerated) {
        out += `entity ${e.short} enum [${e.enumerated.map(quote).join(', ')}];\n`;
        continue;
      }
      out += `entity ${e.short}`;
      if (e.parents.length) out += ` in [${e.parents.join(', ')}]`;
      if (Object.keys(e.attributes.members).length) out += `${r.chance(0.5) ? ' =' : ''} ${this.recordText(e.attributes)}`;
      if (e.tags) out += ` tags ${this.typeText(e.tags)}`;
      out += ';\n';
    }
    for (const [id, a] of Object.entries(this.actions)) {
      if (r.chance(0.1)) out += '@x\n';
      out += `action ${plain(id) && r.chance(0.5) ? id : quote(id)}`;
      if (a.parents.length) out += ` in [${a.parents.map((p) => (r.chance(0.3) ? `${this.actionType()}::` : '') + quote(p)).join(', ')}]`;
      if (a.principals.length)
        out += ` appliesTo { principal: [${a.principals.join(', ')}], resource: [${a.resources.join(', ')}], context: ${this.recordText(a.context)} }`;
      out += ';\n';
    }
    out = commons.join('') + out;
    if (r.chance(0.03)) out = this.spoil(out);
    return this.ns ? `namespace ${this.ns} {\n${out}}\n` : out;
  }

  spoil(text) {
    const at = this.r.below(text.length);
    return this.r.chance(0.5) ? text.slice(0, at) + text.slice(at + 1) : text.slice(0, at) + this.r.pick([',', ';', ' in ', '::', '?', '"', ' X ']) + text.slice(at);
  }

  // Values as JSON, of a type or, rarely, of another.
  value(type, depth = 0) {
    const r = this.r;
    if (r.chance(0.015)) return this.value(this.type(2), depth + 1);
    switch (type.k) {
      case 'Long': return r.pick([0, 1, -1, 2, 7, 9007199254740991, -9007199254740991]);
      case 'String': return r.pick(ids);
      case 'Bool': return r.chance(0.5);
      case 'set': return Array.from({ length: r.below(3) }, () => this.value(type.of, depth + 1));
      case 'record': return this.members(type, depth);
      case 'entity': {
        const uid = this.uid(type.name);
        return r.chance(0.5) ? { __entity: uid } : uid;
      }
      default: return this.extension(type.k);
    }
  }
  extensionText(kind) {
    const r = this.r;
    return r.pick({
      ipaddr: ['1.2.3.4', '1.2.3.0/24', '::1', 'ff00::/8', '127.0.0.1', '10.0.0.1/32', 'fe80::1:2', '224.0.0.1', '1.2.3', '01.2.3.4', '::ffff:1.2.3.4'],
      decimal: ['0.0', '1.5', '-1.25', '922337203685477.5807', '1', '1.23456', '0.0001', '-0.1'],
      datetime: ['2024-01-01', '2024-02-29T12:00:00Z', '1969-12-31T23:59:59.999Z', '2024-01-01T00:00:00+0130', '2023-02-29', '0000-01-01', '2024-01-01T00:00:00'],
      duration: ['1d', '1h30m', '-1d2h3m4s5ms', '0ms', '1h1d', '', '-1ms', '106751991167d'],
    }[kind]);
  }
  constructorOf(kind) {
    return kind === 'ipaddr' ? 'ip' : kind;
  }
  goodExtension(kind) {
    return this.r.pick({ ipaddr: ['1.2.3.4', '::1', '10.0.0.0/8'], decimal: ['1.5', '0.0'], datetime: ['2024-01-01', '2024-02-29T12:00:00Z'], duration: ['1d', '1h30m', '-5ms'] }[kind]);
  }
  extension(kind) {
    const r = this.r;
    const arg = r.chance(0.93) ? this.goodExtension(kind) : this.extensionText(kind);
    const call = { fn: this.constructorOf(kind), arg };
    return r.pick([arg, { __extn: call }, call]);
  }
  members(type, depth) {
    const out = {};
    for (const [name, m] of Object.entries(type.members))
      if (m.required ? this.r.chance(0.99) : this.r.chance(0.5)) out[name] = this.value(m.type, depth + 1);
    if (this.r.chance(0.01)) out.extra = 1;
    return out;
  }
  uid(type) {
    const e = this.entities[type];
    const r = this.r;
    if (e && e.enumerated && r.chance(0.95)) return { type, id: r.pick(e.enumerated) };
    return { type, id: r.pick(['a', 'b', 'c', r.pick(ids)]) };
  }

  entitiesJson() {
    const r = this.r;
    const out = [];
    const seen = new Set();
    for (const [name, e] of Object.entries(this.entities)) {
      for (let i = r.below(4); i > 0; --i) {
        const uid = this.uid(name);
        if (seen.has(uidText(uid))) continue;
        seen.add(uidText(uid));
        const above = r.chance(0.97) ? e.parents : this.entityNames;
        const parents = above.filter(() => r.chance(0.5)).map((t) => this.uid(t)).filter((p) => p.type !== name || p.id > uid.id);
        const one = { uid: r.chance(0.5) ? uid : { __entity: uid }, attrs: this.members(e.attributes, 0), parents };
        if (e.tags && r.chance(0.7)) one.tags = { t: this.value(e.tags), 'a b': this.value(e.tags) };
        if (!e.tags && r.chance(0.01)) one.tags = { t: 1 };
        out.push(one);
      }
    }
    if (r.chance(0.05)) {
      const id = r.pick(this.actionIds);
      const parents = this.actions[id].parents.filter(() => r.chance(0.9)).map((p) => ({ type: this.actionType(), id: p }));
      out.push({ uid: { type: this.actionType(), id }, attrs: {}, parents });
    }
    return out;
  }

  requestJson() {
    const r = this.r;
    const id = r.pick(this.actionIds);
    const a = this.actions[id];
    return {
      principal: this.uid(a.principals.length && r.chance(0.97) ? r.pick(a.principals) : r.pick(this.entityNames)),
      action: { type: this.actionType(), id: r.chance(0.98) ? id : 'other' },
      resource: this.uid(a.resources.length && r.chance(0.97) ? r.pick(a.resources) : r.pick(this.entityNames)),
      context: this.members(a.context, 0),
    };
  }

  // Expressions as text. `env` says what principal, resource and context are.
  policy(template = false) {
    const r = this.r;
    const id = r.pick(this.actionIds);
    const a = this.actions[id];
    this.env = {
      principal: { k: 'entity', name: a.principals.length ? r.pick(a.principals) : r.pick(this.entityNames) },
      resource: { k: 'entity', name: a.resources.length ? r.pick(a.resources) : r.pick(this.entityNames) },
      action: id,
      context: a.context,
    };
    const annotations = r.chance(0.2) ? r.pick(['@id("x")', '@a', '@if("")', `@note(${quote(r.pick(ids))})`]) + ' ' : '';
    let slots = '';
    const target = (which) => {
      if (template && r.chance(0.6)) {
        slots += which;
        return `?${which}`;
      }
      return uidText(this.uid(r.chance(0.6) ? this.env[which].name : r.pick(this.entityNames)));
    };
    const scope = (which) => {
      const type = r.chance(0.9) ? this.env[which].name : r.pick([...this.entityNames, 'Missing']);
      switch (r.below(template ? 6 : 8)) {
        case 0: return `${which} == ${target(which)}`;
        case 1: return `${which} in ${target(which)}`;
        case 2: return `${which} is ${type} in ${target(which)}`;
        case 3: return `${which} is ${type}`;
        default: return which;
      }
    };
    const principal = scope('principal');
    const resource = scope('resource');
    const actionUid = (one) => uidText({ type: r.chance(0.98) ? this.actionType() : 'Action', id: one });
    const action = r.pick([
      () => 'action',
      () => `action == ${actionUid(id)}`,
      () => `action in ${actionUid(r.pick(this.actionIds))}`,
      () => `action in [${r.some(this.actionIds, 3).concat([id]).map(actionUid).join(', ')}]`,
    ])();
    let out = `${annotations}${r.chance(0.6) ? 'permit' : 'forbid'}(${principal}, ${action}, ${resource}${r.chance(0.05) ? ',' : ''})`;
    for (let i = r.below(3); i > 0; --i) out += ` ${r.chance(0.75) ? 'when' : 'unless'} { ${this.bool(0)} }`;
    return { text: out + ';', slots };
  }

  anyType() {
    return this.r.pick([{ k: 'Long' }, { k: 'String' }, { k: 'Bool' }, { k: 'entity', name: this.r.pick(this.entityNames) }, { k: this.r.pick(primitives) }, { k: 'set', of: { k: 'Long' } }, { k: 'record', members: { a: { type: { k: 'Long' }, required: true } } }]);
  }

  // All ways to something inside principal, resource and context that has the type.
  paths() {
    const out = [];
    const walk = (text, type, guards, depth) => {
      out.push({ text, type, guards });
      if (depth === 3) return;
      const members = type.k === 'record' ? type.members : type.k === 'entity' ? (this.entities[type.name]?.attributes.members ?? {}) : {};
      for (const [name, m] of Object.entries(members)) {
        const access = plain(name) ? `.${name}` : `[${quote(name)}]`;
        walk(text + access, m.type, m.required ? guards : [...guards, `${text} has ${key(name)}`], depth + 1);
      }
      const tags = type.k === 'entity' ? this.entities[type.name]?.tags : undefined;
      if (tags) walk(`${text}.getTag("t")`, tags, [...guards, `${text}.hasTag("t")`], depth + 1);
    };
    for (const which of ['principal', 'resource', 'context']) walk(which, this.env[which], [], 0);
    return out;
  }
  same(a, b) {
    return a.k === b.k && (a.k !== 'entity' || a.name === b.name) && (a.k !== 'set' || this.same(a.of, b.of));
  }

  guarded(text, guards) {
    if (this.r.chance(0.06)) return text;
    return guards.length ? `(${[...guards, text].join(' && ')})` : text;
  }

  expression(type, depth, guards) {
    const r = this.r;
    if (r.chance(0.02)) type = this.anyType();
    const found = this.found(type);
    if (found.length && r.chance(0.55)) {
      const one = r.pick(found);
      guards.push(...one.guards);
      return one.text;
    }
    if (depth > 3) return this.literal(type);
    const inner = (t) => this.expression(t, depth + 1, guards);
    switch (type.k) {
      case 'Bool': return `(${this.bool(depth + 1)})`;
      case 'Long': return r.pick([
        () => this.literal(type),
        () => `${inner(type)} ${r.pick(['+', '-', '*'])} ${inner(type)}`,
        () => `-${r.chance(0.5) ? '' : '('}${r.chance(0.5) ? r.below(9) : 'context'}`.replace(/^(-\()(.*)$/, '$1$2)'),
        () => `(if ${this.bool(depth + 1)} then ${inner(type)} else ${inner(type)})`,
        () => `${inner({ k: 'duration' })}.${r.pick(['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays'])}()`,
      ])();
      case 'datetime': return r.pick([() => this.literal(type), () => `${inner(type)}.offset(${inner({ k: 'duration' })})`, () => `${inner(type)}.toDate()`])();
      case 'duration': return r.pick([() => this.literal(type), () => `${inner({ k: 'datetime' })}.durationSince(${inner({ k: 'datetime' })})`, () => `${inner({ k: 'datetime' })}.toTime()`])();
      case 'set': return `[${Array.from({ length: r.chance(0.9) ? 1 + r.below(3) : 0 }, () => inner(type.of)).join(', ')}]`;
      case 'record': return `{${Object.entries(type.members).map(([n, m]) => `${key(n)}: ${inner(m.type)}`).join(', ')}}`;
      default: return r.chance(0.2) ? `(if ${this.bool(depth + 1)} then ${inner(type)} else ${inner(type)})` : this.literal(type);
    }
  }
  found(type) {
    return this.paths().filter((p) => this.same(p.type, type));
  }
  literal(type) {
    const r = this.r;
    switch (type.k) {
      case 'Bool': return r.pick(['true', 'false']);
      case 'Long': return String(r.pick([0, 1, 2, -1, 7, '9223372036854775807', '-9223372036854775808', 40]));
      case 'String': return quote(r.pick(ids));
      case 'entity': return uidText(this.uid(r.chance(0.97) ? type.name : r.pick([...this.entityNames, 'Missing'])));
      case 'set': return `[${this.literal(type.of)}]`;
      case 'record': return `{${Object.entries(type.members).map(([n, m]) => `${key(n)}: ${this.literal(m.type)}`).join(', ')}}`;
      default: return `${this.constructorOf(type.k)}(${quote(r.chance(0.92) ? this.goodExtension(type.k) : this.extensionText(type.k))})`;
    }
  }

  bool(depth) {
    const r = this.r;
    const guards = [];
    const e = (t) => this.expression(t, depth + 1, guards);
    const any = () => (r.chance(0.85) ? r.pick(this.paths()).type : this.anyType());
    const atom = (text) => this.guarded(text, [...new Set(guards)]);
    if (depth > 4) return r.pick(['true', 'false', `principal == ${this.literal(this.env.principal)}`]);
    const deeper = () => this.bool(depth + 1);
    const entity = () => ({ k: 'entity', name: r.chance(0.6) ? r.pick([this.env.principal, this.env.resource]).name : r.pick(this.entityNames) });
    const choice = r.below(22);
    switch (choice) {
      case 0: return `${deeper()} && ${deeper()}`;
      case 1: return `(${deeper()} || ${deeper()})`;
      case 2: return `${r.pick(['!', '!!'])}(${deeper()})`;
      case 3: return `(if ${deeper()} then ${deeper()} else ${deeper()})`;
      case 4: return atom(`${e({ k: 'Long' })} ${r.pick(['<', '<=', '>', '>='])} ${e({ k: 'Long' })}`);
      case 5: {
        const t = { k: r.pick(['datetime', 'duration', 'decimal', 'String']) };
        return atom(`${e(t)} ${r.pick(['<', '<=', '>', '>='])} ${e(t)}`);
      }
      case 6: return atom(`${e(entity())} in ${r.chance(0.6) ? e(entity()) : `[${e(entity())}, ${this.literal(entity())}]`}`);
      case 7: return atom(`${e(entity())} is ${r.pick([...this.entityNames, this.actionType()])}${r.chance(0.3) ? ` in ${e(entity())}` : ''}`);
      case 8: return atom(`${e({ k: 'String' })} like ${this.pattern()}`);
      case 9: {
        const p = r.pick(this.paths());
        guards.push(...p.guards);
        const n = r.pick(names);
        return atom(`${p.text} has ${r.chance(0.8) ? key(n) : ['a', 'b', 'cc', 'name'].slice(0, 1 + r.below(3)).join('.')}`);
      }
      case 10: {
        const sets = this.paths().filter((p) => p.type.k === 'set');
        const one = sets.length ? r.pick(sets) : { text: '[1, 2]', type: { k: 'set', of: { k: 'Long' } }, guards: [] };
        guards.push(...one.guards);
        return atom(r.pick([`${one.text}.contains(${e(one.type.of)})`, `${one.text}.containsAll(${e(one.type)})`, `${one.text}.containsAny(${e(one.type)})`, `${one.text}.isEmpty()`]));
      }
      case 11: return atom(`${e(entity())}.hasTag(${r.pick(['"t"', '"a b"', '"zz"', e({ k: 'String' })])})`);
      case 12: return atom(`${e({ k: 'ipaddr' })}.${r.pick(['isIpv4()', 'isIpv6()', 'isLoopback()', 'isMulticast()', `isInRange(${e({ k: 'ipaddr' })})`])}`);
      case 13: return atom(`${e({ k: 'decimal' })}.${r.pick(['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual'])}(${e({ k: 'decimal' })})`);
      case 14: return `action ${r.pick(['==', '!=', 'in'])} ${uidText({ type: this.actionType(), id: r.pick(this.actionIds) })}`;
      case 15: return `action in [${this.actionIds.map((id) => uidText({ type: this.actionType(), id })).join(', ')}]`;
      case 16: {
        const bools = this.found({ k: 'Bool' });
        if (!bools.length) return r.pick(['true', 'false']);
        const one = r.pick(bools);
        guards.push(...one.guards);
        return atom(one.text);
      }
      default: {
        const t = any();
        return atom(`${e(t)} ${r.chance(0.8) ? '==' : '!='} ${e(t)}`);
      }
    }
  }

  // Stars of every spelling: a wildcard as itself or by its number, a literal one as \*.
  pattern() {
    const r = this.r;
    const pieces = ['*', '\\*', '\\u{2a}', '\\x2A', '\\u{0_2A}', 'a', 'b', 'c', 'é', '\\u{e9}', '\\x61', '\\\\', '\\"', '\\n', '\\0'];
    return r.pick([
      () => r.pick(['"*"', '"a*"', '"\\**"', '"a\\*b"', '"*b*"', '"é*"', '""', '"c\\x2a"', '"\\u{2a}*"', '"*\\u{2a}d"']),
      () => `"${Array.from({ length: r.below(5) }, () => r.pick(pieces)).join('')}"`,
    ])();
  }

  // One case: everything for both engines.
  makeCase() {
    const r = this.r;
    const count = 1 + r.below(4);
    const texts = [];
    for (let i = 0; i < count; ++i) texts.push(this.policy().text);
    let text = texts.join(r.pick(['\n', ' ', '\n// note\n', ' // note\n']));
    if (r.chance(0.03)) text = this.spoil(text);
    const templates = {};
    const templateLinks = [];
    for (let i = r.chance(0.3) ? 1 + r.below(2) : 0; i > 0; --i) {
      const one = this.policy(true);
      if (!one.slots) continue;
      templates[`t${i}`] = one.text;
      for (let n = r.below(3); n > 0; --n) {
        const values = {};
        for (const slot of ['principal', 'resource'])
          if (one.slots.includes(slot) !== r.chance(0.02)) values[`?${slot}`] = this.uid(r.chance(0.8) ? this.env[slot].name : r.pick([...this.entityNames, 'Missing']));
        templateLinks.push({ templateId: `t${i}`, newId: `l${i}-${n}`, values });
      }
    }
    return {
      schema: this.schemaText,
      policies: { staticPolicies: text, templates, templateLinks },
      format: text,
      entities: this.entitiesJson(),
      requests: Array.from({ length: 3 }, () => this.requestJson()),
    };
  }
}
