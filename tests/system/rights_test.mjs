// Four rights, asked apart by the programs that are shipped: who may open may not for that pass on, label anew or
// change. What is asked for is what both nations' ledgers say.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Coalition, command, program, skip, system } from './coalition.mjs';
import { manifestOf } from './tdf_manifest.mjs';
import { commandOptions, keyService } from './token.mjs';

const fqn = (attribute, value) => `https://harbor-light.example/attr/${attribute}/value/${value}`;
const report = 'EXERCISE EXERCISE EXERCISE: two relief convoys reach Harbor Light Bay at dusk.\n';
const kNotRelabelled = /Only the nations it is of label an object anew/;
let coalition, reader, trust, kas;
const file = (name) => join(coalition.folder, name);

// Here an originator that releases the right to label anew to somebody means it.
function releasesLabels(plan) {
  const change = (name, from, to) => {
    const path = join(plan, 'policies', name);
    const text = readFileSync(path, 'utf8');
    assert.equal(text.split(from).length, 2, name);
    writeFileSync(path, text.replace(from, to));
  };
  change(
    'coalition/objects.cedar',
    'when {\n  !(resource.origins.contains(principal.partner))\n}',
    'when {\n  !(resource.origins.contains(principal.partner)) &&\n  resource.origins.contains(context.node) &&\n  !(context has release)\n}',
  );
  const officers = 'principal.partner == Entente::Partner::"XAA" && principal.roles.containsAny(["officer", "planner"])';
  change('xaa/host/objects.cedar', officers, `context has release ||\n  (${officers})`);
}

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(releasesLabels);
  kas = keyService(coalition, 'XAA');
  trust = ['--trust', coalition.demo.authority];
  reader = await commandOptions(coalition, 'ingrid', 'XBB');
  const own = ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file('own.pem')];
  assert.equal((await command(['openssl', ...own])).code, 0);
  assert.equal((await command(['openssl', 'pkey', '-in', file('own.pem'), '-pubout', '-out', file('own.pub')])).code, 0);
  writeFileSync(file('label.json'), JSON.stringify({ ocl: { pol: '2.999.9.1', cls: 'RESTRICTED', catl: [{ type: 'I', name: 'Handling', vals: ['ORCON'] }] } }));
});
after(() => coalition?.end());

let sealed = 0;
// A report of Aldoria's: { path, uuid, named }.
async function seal(...more) {
  const path = file(`rights-${(sealed += 1)}`);
  writeFileSync(`${path}.txt`, report);
  const named = [fqn('classification', 'restricted'), fqn('originator', 'xaa'), ...more].flatMap((one) => ['--attribute', one]);
  const { code, output } = await command([program, 'seal', `${path}.txt`, '--to', kas, ...trust, ...named, '-o', `${path}.tdf`]);
  assert.equal(code, 0, output);
  return { path: `${path}.tdf`, uuid: manifestOf(`${path}.tdf`).policy.uuid, named };
}
const run = async (verb, { path }, ...more) => {
  const out = `${path}.${(sealed += 1)}`;
  const { code, output } = await command([program, verb, path, ...reader, ...more, '-o', out]);
  return { code, output, out };
};
const works = async (...words) => {
  const { code, output, out } = await run(...words);
  assert.equal(code, 0, output);
  return out;
};
const refused = async (why, ...words) => {
  const { code, output, out } = await run(...words, '--json');
  assert.equal(code, 1, output);
  const { error } = JSON.parse(output);
  assert.equal(error.code, 'data.key-refused', output);
  assert.match(error.what, why);
  assert.ok(!existsSync(out));
};
const toService = ['--to', 'SERVICE'];
const reseals = (object, ...more) => ['reseal', object, ...more.map((word) => (word === 'SERVICE' ? kas : word))];
// What a nation's ledger says was asked of this object last: "key.release forward".
async function last(code, { uuid }) {
  const { records } = await coalition.ask(code, 'ledger', 'show', '--last', '500');
  const [{ class: kind, fields }] = records
    .filter(({ class: one, fields: { object } }) => one.startsWith('key.') && object === uuid)
    .sort((one, other) => other.index - one.index);
  return { what: `${kind} ${fields.action}`, ...fields };
}
const released = async (object, right) => {
  const terms = ['--purpose', 'EXERCISE: berths for the convoy', '--minutes', '60', '--right', right];
  const asked = await command([program, 'release', 'ask', object.path, ...terms, ...reader]);
  assert.equal(asked.code, 0, asked.output);
  const { releases } = await coalition.ask('XAA', 'release', 'ls');
  const { id, rights } = releases.find(({ object: one, state }) => one === object.uuid && state === 'open');
  assert.ok(rights.includes(right), JSON.stringify(rights));
  await coalition.answer('XAA', 'release', 'approve', id);
  return id;
};

system('attack: who may open and pass on, and not label anew, labels anew', async () => {
  const object = await seal(fqn('releasable-to', 'xbb'));
  assert.equal(readFileSync(await works('open', object), 'utf8'), report);
  assert.equal((await last('XAA', object)).what, 'key.release open');
  // The same for the same service is no more than reading it.
  await works(...reseals(object, ...toService));
  assert.equal((await last('XAA', object)).what, 'key.release open');
  const passed = await works(...reseals(object, ...toService, '--to', file('own.pub')));
  assert.equal((await last('XAA', object)).what, 'key.release forward');
  assert.equal((await last('XBB', object)).what, 'key.passed forward');
  const own = await command([program, 'open', passed, '--key', file('own.pem'), '-o', file('own.out')]);
  assert.equal(own.code, 0, own.output);

  const label = ['--label', file('label.json')];
  const changed = [object.named[0], fqn('classification', 'unclassified'), ...object.named.slice(2)];
  for (const [right, ...more] of [
    ['relabel', ...toService, ...label],
    ['relabel', ...toService, ...changed],
    ['forward relabel', ...toService, '--to', file('own.pub'), ...label],
    ['relabel forward', '--to', `${kas}=${file('own.pub')}`, ...label],
  ]) {
    await refused(kNotRelabelled, ...reseals(object, ...more));
    const { what, rules } = await last('XAA', object);
    assert.equal(what, `key.refusal ${right}`);
    assert.ok(rules.includes('coalition-labels-stay'), rules);
  }
});

system('under originator control: released to be opened, and to nothing else until that is released', async () => {
  const object = await seal(fqn('handling', 'orcon'));
  const label = [...toService, '--label', file('label.json')];
  const passOn = ['--to', file('own.pub')];
  await refused(/not released to Borealis/, 'open', object);
  await released(object, 'open');
  assert.equal(readFileSync(await works('open', object), 'utf8'), report);
  await refused(/not released to Borealis/, ...reseals(object, ...passOn));
  await refused(/not released to Borealis/, ...reseals(object, ...label));
  await refused(/not released to Borealis/, 'open', object, '--right', 'edit');
  assert.equal((await last('XAA', object)).what, 'key.refusal edit');

  const forward = await released(object, 'forward');
  const passed = await works(...reseals(object, ...passOn));
  const own = await command([program, 'open', passed, '--key', file('own.pem'), '-o', file('passed.out')]);
  assert.equal(own.code, 0, own.output);
  const forwarded = await last('XAA', object);
  assert.deepEqual([forwarded.what, forwarded.grant], ['key.release forward', forward]);
  await refused(/not released to Borealis/, ...reseals(object, ...label));
  await refused(/not released to Borealis/, ...reseals(object, ...passOn, ...label));

  const relabel = await released(object, 'relabel');
  const low = { path: await works(...reseals(object, ...label)), uuid: object.uuid };
  assert.equal((await last('XAA', object)).grant, relabel);
  // It says what it was made of, and so does the ledger where its key is released.
  const seen = async ({ path }) => JSON.parse((await command([program, 'inspect', path, '--json'])).output);
  const made = [(await seen(object)).keyAccess[0].digest];
  const { lineage } = await seen(low);
  assert.deepEqual([lineage.original, lineage.previous], [made, made]);
  await works('open', low);
  const opened = await last('XAA', low);
  assert.deepEqual([opened.what, opened.from], ['key.release open', made]);
  await works(...reseals(object, ...passOn, ...label));
  const both = await last('XAA', object);
  assert.deepEqual([both.what, both.grant], ['key.release forward relabel', `${forward} ${relabel}`]);

  const edit = await released(object, 'edit');
  assert.equal(readFileSync(await works('open', object, '--right', 'edit'), 'utf8'), report);
  const edited = await last('XAA', object);
  assert.deepEqual([edited.what, edited.grant], ['key.release edit', edit]);
  await coalition.verify('XAA');
});
