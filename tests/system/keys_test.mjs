// The key service of a real node with real access tokens: an unmodified foreign client seals and opens through
// it, and what must not open does not.
import assert from 'node:assert/strict';
import { constants, createPublicKey, privateDecrypt, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { SignJWT, decodeJwt, exportJWK, importJWK } from 'jose';
import { ask } from '../../demo/loopback.mjs';
import { readTemplate } from '../../demo/plan.mjs';
import { Coalition, command, program, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { manifestOf } from './tdf_manifest.mjs';
import { accessToken, keyService, makePair, proof } from './token.mjs';
import { Visitor } from './visitor.mjs';
import { openTls } from './wire.mjs';

const fqn = (attribute, value) => `https://harbor-light.example/attr/${attribute}/value/${value}`;
const report = 'EXERCISE EXERCISE EXERCISE: two relief convoys reach Harbor Light Bay at dusk.\n';
let coalition, kas, pair, token, reader, signedIn;

// XAA takes tokens of four kinds: for its own programs three, and those that XBB's provider gives to guests.
function addIssuers(plan) {
  const path = join(plan, 'genesis-xaa.json');
  const genesis = readTemplate(path);
  const main = genesis.records['token-issuer/main'];
  genesis.records['token-issuer/tools'] = { ...main, clients: ['entente-tools'] };
  genesis.records['token-issuer/lenient'] = { ...main, clients: ['older-tools'], lenient_proofs: true };
  const guests = { ...main, issuer: '${xbb.idp.issuer}', alg: 'PS256', clients: ['guest-desk'] };
  genesis.records['token-issuer/guests'] = guests;
  genesis.records['crosswalk/main'].issuers.push(guests.issuer);
  writeJson(path, genesis);
}

// They last for minutes.
async function freshTokens() {
  token = await accessToken(coalition, coalition.demo.people.find(({ nation }) => nation === 'XAA').login, pair);
  reader.token = await accessToken(coalition, 'ingrid', pair);
  signedIn = Date.now();
}

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(addIssuers);
  kas = keyService(coalition, 'XAA');
  pair = await makePair();
  // XBB's planner, whose network leads XAA's key service's name to XBB's door.
  const own = keyService(coalition, 'XBB');
  const host = new URL(kas).host;
  reader = { kas: own, allowed: [own, kas], through: { [host]: Number(new URL(own).port) } };
  await freshTokens();
});
// What a token says ends with it, after five minutes: a slow machine has not done by then.
beforeEach(async () => {
  if (!skip && Date.now() - signedIn > 90_000) await freshTokens();
});
after(async () => {
  await coalition?.end();
});

const attributes = (...more) => [fqn('classification', 'restricted'), fqn('originator', 'xaa'), ...more];

// The foreign client, to its end: { code, output }.
async function client(verb, input, output, changed = {}) {
  const settings = join(coalition.folder, 'opentdf.json');
  const jwks = { privateKey: await exportJWK(pair.privateKey), publicKey: await exportJWK(pair.publicKey) };
  writeFileSync(settings, JSON.stringify({ kas, token, pair: jwks, attributes: attributes(), ...changed }));
  const path = new URL('./opentdf_client.mjs', import.meta.url).pathname;
  return command([process.execPath, path, verb, settings, input, output], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: coalition.demo.authority },
  });
}
const file = (name) => join(coalition.folder, name);
const pem = (der) => `-----BEGIN PRIVATE KEY-----\n${Buffer.from(der).toString('base64').match(/.{1,64}/g).join('\n')}\n-----END PRIVATE KEY-----\n`;

async function post(path, body, headers = {}) {
  const answer = await ask(`${kas}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    ca: coalition.ca,
  });
  return { status: answer.status, headers: answer.headers, body: answer.body && JSON.parse(answer.body) };
}
const proved = async (path) => ({
  authorization: `Bearer ${token}`,
  dpop: await proof(pair, 'POST', `${kas}${path}`, { token }),
});

system('the unmodified npm client seals and opens through the node', async () => {
  writeFileSync(file('report.txt'), report);
  const sealed = await client('seal', file('report.txt'), file('report.tdf'));
  assert.equal(sealed.code, 0, sealed.output);
  assert.ok(!readFileSync(file('report.tdf')).includes('convoys'));
  const opened = await client('open', file('report.tdf'), file('report.out'));
  assert.equal(opened.code, 0, opened.output);
  assert.equal(readFileSync(file('report.out'), 'utf8'), report);
});

system('attack: a token from before its person signed out opens nothing more, nor after a restart; a new one does', async () => {
  const words = { attributes: attributes(fqn('releasable-to', 'xbb'), fqn('mission', 'harbor-light')) };
  writeFileSync(file('signed.txt'), report);
  assert.equal((await client('seal', file('signed.txt'), file('signed.tdf'), words)).code, 0);
  const opens = (changed) => client('open', file('signed.tdf'), file('signed.out'), changed);
  assert.equal((await opens(reader)).code, 0);
  const ingrid = await Visitor.in(coalition, 'ingrid');
  await ingrid.signOut();
  const refused = await opens(reader);
  assert.notEqual(refused.code, 0);
  assert.match(refused.output, /401|unauthenticated/i);
  assert.equal((await opens({})).code, 0, 'nobody else has signed out');
  await coalition.stop('node-xbb', 'SIGKILL');
  await coalition.startAgain('node-xbb');
  const again = await until('XBB serves', async () => {
    const said = await opens(reader);
    return /ECONNREFUSED|fetch failed/i.test(said.output) ? undefined : said;
  });
  assert.notEqual(again.code, 0);
  assert.match(again.output, /401|unauthenticated/i);
  await wait(1_100); // tokens say when they were issued to the second
  await freshTokens();
  await until('the link is up', async () => (await opens(reader)).code === 0);
});

system('what the reader may not open stays shut, in the same client', async () => {
  writeFileSync(file('other.txt'), report);
  const cases = {
    'of no attributes': [],
    'of an attribute nobody knows': attributes('https://harbor-light.example/attr/colour/value/red'),
    'of another nation': [fqn('classification', 'restricted'), fqn('originator', 'xbb')],
  };
  for (const [what, attributes_] of Object.entries(cases)) {
    const sealed = await client('seal', file('other.txt'), file('other.tdf'), { attributes: attributes_ });
    assert.equal(sealed.code, 0, sealed.output);
    const opened = await client('open', file('other.tdf'), file('other.out'));
    assert.notEqual(opened.code, 0, `opened: ${what}`);
    assert.match(opened.output, /status code 403/, what);
  }
});

system('the command line seals for the foreign client and opens what it sealed', async () => {
  const trust = ['--trust', coalition.demo.authority];
  const named = attributes().flatMap((one) => ['--attribute', one]);
  const held = file('held.pem');
  writeFileSync(held, pem(await crypto.subtle.exportKey('pkcs8', pair.privateKey)), { mode: 0o600 });
  writeFileSync(file('token.txt'), `${token}\n`, { mode: 0o600 });
  const open = (from, to, ...more) =>
    command([program, 'open', file(from), '--token', file('token.txt'), '--proof', held, ...trust, ...more, '-o', file(to)]);
  const service = ['--service', kas];
  const seal = (to, ...more) => command([program, 'seal', file('ours.txt'), '--to', kas, ...trust, ...more, '-o', file(to)]);

  writeFileSync(file('ours.txt'), report);
  const sealed = await seal('ours.tdf', ...named, '--tdf-version', '4.2.2'); // what that client reads
  assert.equal(sealed.code, 0, sealed.output);
  const theirs = await client('open', file('ours.tdf'), file('ours.out'));
  assert.equal(theirs.code, 0, theirs.output);
  assert.equal(readFileSync(file('ours.out'), 'utf8'), report);
  // With its author's mark it is the same to that client; who has sealed it takes it back, and nobody else.
  const means = ['--token', file('token.txt'), '--proof', held, ...service];
  assert.equal((await seal('mine.tdf', ...named, ...means, '--tdf-version', '4.2.2')).code, 0);
  const mine = await client('open', file('mine.tdf'), file('mine.out'));
  assert.equal(mine.code, 0, mine.output);
  // And so is what was made of it, which says of which.
  const resealed = await command([program, 'reseal', file('ours.tdf'), '--to', kas, ...means, ...trust, '-o', file('made.tdf')]);
  assert.equal(resealed.code, 0, resealed.output);
  const made = await client('open', file('made.tdf'), file('made.out'));
  assert.equal(made.code, 0, made.output);
  assert.equal(readFileSync(file('made.out'), 'utf8'), report);
  const takeBack = (name) =>
    command([program, 'recall', 'own', file(name), ...means, ...trust, '--reason', 'EXERCISE: the times were wrong']);
  const unmarked = await takeBack('ours.tdf');
  assert.equal(unmarked.code, 1, unmarked.output);
  assert.match(unmarked.output, /does not say that you are its author/);
  const taken = await takeBack('mine.tdf');
  assert.equal(taken.code, 0, taken.output);
  assert.match(taken.output, /recalled; it gives out no key of it any more/);
  assert.notEqual((await client('open', file('mine.tdf'), file('mine.again'))).code, 0);
  const shut = await open('mine.tdf', 'mine.again', ...service);
  assert.equal(shut.code, 1);
  assert.match(shut.output, /recalled by its author: EXERCISE: the times were wrong/);
  assert.ok(!existsSync(file('mine.again')));
  const back = await open('report.tdf', 'report.back', ...service);
  assert.equal(back.code, 0, back.output);
  assert.equal(readFileSync(file('report.back'), 'utf8'), report);

  assert.equal((await seal('newer.tdf', ...named)).code, 0);
  assert.equal((await open('newer.tdf', 'newer.out', ...service)).code, 0);
  assert.equal(readFileSync(file('newer.out'), 'utf8'), report);

  const unnamed = await open('ours.tdf', 'never.out', '--service', keyService(coalition, 'XBB'));
  assert.equal(unnamed.code, 1);
  assert.match(unnamed.output, /not among those to be asked/);
  assert.equal((await seal('nobody.tdf')).code, 0);
  const refused = await open('nobody.tdf', 'never.out', ...service);
  assert.equal(refused.code, 1);
  assert.match(refused.output, /data\.key-refused/);
  assert.ok(!existsSync(file('never.out')));
});

system('what anybody may ask is answered as clients expect it', async () => {
  const known = await post('/wellknownconfiguration.WellKnownService/GetWellKnownConfiguration', {});
  assert.equal(known.status, 200);
  assert.equal(known.body.configuration.base_key.kas_uri, kas);
  const [signs, ...others] = known.body.configuration.originator_keys;
  const ours = createPublicKey(readFileSync(coalition.demo.nations.XAA.originator, 'utf8'));
  assert.deepEqual([signs, others], [ours.export({ type: 'spki', format: 'pem' }), []]);
  const key = await post('/kas.AccessService/PublicKey', { algorithm: 'ec:secp256r1', v: '2' });
  assert.match(key.body.publicKey, /BEGIN PUBLIC KEY/);
  // The older addresses say the same; some clients ask them below /kas.
  const get = async (path, base = kas) => {
    const answer = await ask(`${base}${path}`, { ca: coalition.ca });
    assert.equal(answer.status, 200, `${path}: ${answer.body}`);
    return JSON.parse(answer.body);
  };
  const rsa = (await post('/kas.AccessService/PublicKey', {})).body;
  assert.match(rsa.kid, /rsa$/);
  assert.deepEqual(await get('/.well-known/opentdf-configuration'), known.body);
  for (const base of [kas, `${kas}/kas`]) {
    assert.deepEqual(await get('/kas_public_key?algorithm=rsa:2048&v=2', base), rsa);
    assert.deepEqual(await get('/v2/kas_public_key?v=2', base), rsa);
    assert.deepEqual(await get('/v2/kas_public_key?algorithm=ec:secp256r1&v=2', base), key.body);
    assert.equal(await get('/kas_public_key?algorithm=rsa:2048', base), rsa.publicKey, 'the oldest form: the text alone');
  }
  assert.equal((await post('/kas.AccessService/Other', {})).status, 404);
});

system('the vocabulary is for the coalition\'s people', async () => {
  const path = '/policy.attributes.AttributesService/GetAttributeValuesByFqns';
  const asked = { fqns: [fqn('originator', 'xaa'), fqn('originator', 'xbb')] };
  const stranger = await post(path, asked);
  assert.equal(stranger.status, 401);
  assert.equal(stranger.body.code, 'unauthenticated');
  const { status, body } = await post(path, asked, await proved(path));
  assert.equal(status, 200, JSON.stringify(body));
  const keyOf = (value) => body.fqnAttributeValues[fqn('originator', value)].value.kasKeys[0];
  assert.equal(keyOf('xaa').kasUri, kas);
  assert.equal(keyOf('xbb').kasUri, keyService(coalition, 'XBB'));
  // What clients split a key by: each nation of origin on its own.
  const { attribute } = body.fqnAttributeValues[fqn('originator', 'xbb')];
  assert.equal(attribute.rule, 'ATTRIBUTE_RULE_TYPE_ENUM_ALL_OF');
  assert.equal(attribute.fqn, 'https://harbor-light.example/attr/originator');
  assert.equal(attribute.namespace.fqn, 'https://harbor-light.example');
  const list = '/policy.kasregistry.KeyAccessServerRegistryService/ListKeyAccessServers';
  const services = await post(list, {}, await proved(list));
  assert.equal(services.body.keyAccessServers.length, 2);
  const url = `${kas}/key-access-servers`;
  const headers = { authorization: `Bearer ${token}`, dpop: await proof(pair, 'GET', url, { token }) };
  assert.deepEqual(JSON.parse((await ask(url, { headers, ca: coalition.ca })).body), services.body);
  // Letters count for nothing, as in policies; the answer bears the name that was asked for.
  const loud = fqn('originator', 'XAA');
  const again = await post(path, { fqns: [loud] }, await proved(path));
  assert.equal(again.body.fqnAttributeValues[loud].value.kasKeys[0].kasUri, kas);
});

// The token as that nation's provider would give it to another program.
async function tokenOf(code, changed) {
  const { signing } = readJson(coalition.file(`provider-${code.toLowerCase()}`, 'secrets.json'));
  const claims = { ...decodeJwt(token), iss: coalition.nation(code).issuer, ...changed };
  const header = { alg: signing.alg, typ: 'at+jwt', kid: signing.kid };
  return new SignJWT(claims).setProtectedHeader(header).sign(await importJWK(signing, signing.alg));
}

system('several issuers: each takes its own programs\' tokens, under its own keys, and no other\'s', async () => {
  const opens = async (given) => {
    const opened = await client('open', file('report.tdf'), file('issuers.out'), { token: given });
    if (opened.code !== 0) assert.match(opened.output, /status code 401/);
    return opened.code === 0;
  };
  const self = coalition.nation('XAA').issuer;
  assert.ok(await opens(await tokenOf('XAA', { client_id: 'entente-cli' })));
  assert.ok(await opens(await tokenOf('XAA', { client_id: 'entente-tools' })));
  assert.ok(await opens(await tokenOf('XBB', { client_id: 'guest-desk' })), 'under the other provider\'s keys');
  assert.ok(!(await opens(await tokenOf('XAA', { client_id: 'guest-desk' }))), 'the other provider\'s program');
  assert.ok(!(await opens(await tokenOf('XBB', { client_id: 'entente-tools' }))));
  assert.ok(!(await opens(await tokenOf('XBB', { client_id: 'entente-tools', iss: self }))), 'its key alone');
  // What one nation's service takes no other does by that: at XBB nobody ever named them.
  const there = { audience: keyService(coalition, 'XBB') };
  const guest = await tokenOf('XBB', { client_id: 'guest-desk', aud: there.audience });
  const url = `${there.audience}/key-access-servers`;
  const headers = { authorization: `Bearer ${guest}`, dpop: await proof(pair, 'GET', url, { token: guest }) };
  assert.equal((await ask(url, { headers, ca: coalition.ca })).status, 401);
});

system('what other software leaves out of a proof is taken of the programs that may, and of no others', async () => {
  const path = '/kas.AccessService/Rewrap';
  const signedRequestToken = await new SignJWT({ requestBody: '{}' })
    .setProtectedHeader({ alg: 'RS256' })
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(pair.privateKey);
  const asked = async (given, htu, ath) => {
    const dpop = await proof(pair, 'POST', htu, ath ? { token: given } : {});
    return (await post(path, { signedRequestToken }, { authorization: `Bearer ${given}`, dpop })).status;
  };
  const lenient = await tokenOf('XAA', { client_id: 'older-tools' });
  for (const [htu, ath] of [[`${kas}${path}`, false], [path, true], [path, false]]) {
    assert.equal(await asked(lenient, htu, ath), 400, 'proved, and asks for nothing');
    assert.equal(await asked(token, htu, ath), 401);
  }
  assert.equal(await asked(lenient, '/v2/rewrap', false), 401, 'for another path');
  // A client without proofs sends nothing that says whose key signed its request.
  for (const given of [lenient, token]) {
    const bare = await post(path, { signedRequestToken }, { authorization: `Bearer ${given}` });
    assert.equal(bare.status, 401);
  }
});

system('attack: stolen tokens, proofs used twice, requests signed by somebody else', async () => {
  const path = '/kas.AccessService/Rewrap';
  const sign = (key) =>
    new SignJWT({ requestBody: '{}' })
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(key);
  const good = { signedRequestToken: await sign(pair.privateKey) };
  assert.equal((await post(path, good, { authorization: `Bearer ${token}` })).status, 401);
  const headers = await proved(path);
  assert.equal((await post(path, good, headers)).status, 400); // proved, and asks for nothing
  assert.equal((await post(path, good, headers)).status, 401); // the same proof again
  const thief = await makePair();
  const stolen = { authorization: `Bearer ${token}`, dpop: await proof(thief, 'POST', `${kas}${path}`, { token }) };
  assert.equal((await post(path, { signedRequestToken: await sign(thief.privateKey) }, stolen)).status, 401);
  const other = { signedRequestToken: await sign(thief.privateKey) };
  assert.equal((await post(path, other, await proved(path))).status, 401);
  const elsewhere = await proof(pair, 'POST', `${keyService(coalition, 'XBB')}${path}`, { token });
  assert.equal((await post(path, good, { authorization: `Bearer ${token}`, dpop: elsewhere })).status, 401);
});

// A request whose body does not come: held once the service reads it.
async function slowBody(path, headers) {
  const { hostname, port, host } = new URL(kas);
  const socket = await openTls(Number(port), { ca: coalition.ca, name: hostname });
  const head = { host, 'content-type': 'application/json', 'content-length': 5000, expect: '100-continue', ...headers };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const [said] = await once(socket, 'data');
  assert.match(String(said), /^HTTP\/1\.1 100 /);
  return socket;
}

system('attack: one person\'s slow bodies leave the key service to everybody else', async () => {
  const path = '/kas.AccessService/Rewrap';
  const held = [];
  for (let i = 0; i < 4; i += 1) held.push(await slowBody(path, await proved(path)));
  assert.equal((await post(path, {}, await proved(path))).status, 503);
  const other = coalition.demo.people.filter(({ nation }) => nation === 'XAA')[1];
  const theirs = await accessToken(coalition, other.login, pair);
  const dpop = await proof(pair, 'POST', `${kas}${path}`, { token: theirs });
  assert.equal((await post(path, {}, { authorization: `Bearer ${theirs}`, dpop })).status, 400); // asks for nothing
  for (const socket of held) socket.destroy();
});

const classes = async (code) => {
  const { records } = await coalition.ask(code, 'ledger', 'show', '--last', '500');
  return records.map((record) => record.class).filter((name) => name.startsWith('key.'));
};

system('a partner\'s reader opens through the own door, decided at home and at the originator', async () => {
  writeFileSync(file('shared.txt'), report);
  const shared = { attributes: attributes(fqn('releasable-to', 'xbb'), fqn('mission', 'harbor-light')) };
  assert.equal((await client('seal', file('shared.txt'), file('shared.tdf'), shared)).code, 0);
  const opened = await client('open', file('shared.tdf'), file('shared.out'), reader);
  assert.equal(opened.code, 0, opened.output);
  assert.equal(readFileSync(file('shared.out'), 'utf8'), report);
  const [home, origin] = [await classes('XBB'), await classes('XAA')];
  assert.ok(home.includes('key.attempt') && home.includes('key.passed'), home.join(' '));
  assert.ok(!home.includes('key.release'), 'XBB released nothing of its own');
  assert.ok(origin.includes('key.release'), origin.join(' '));
});

// A program's token is all that says when its person signed in.
system('who signs in after a suspension is lifted opens again by command line, and nobody by an older token', async () => {
  const shared = { attributes: attributes(fqn('releasable-to', 'xbb')) };
  assert.equal((await client('seal', file('shared.txt'), file('again.tdf'), shared)).code, 0);
  const opens = async () => client('open', file('again.tdf'), file('again.out'), reader);
  await freshTokens();
  assert.equal((await opens()).code, 0);
  await coalition.ask('XAA', 'partner', 'suspend', 'XBB', '--reason', 'EXERCISE');
  assert.notEqual((await opens()).code, 0);
  await wait(1100); // a sign-in is stamped in whole seconds
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'EXERCISE');
  assert.notEqual((await opens()).code, 0, 'the token is of a sign-in from before');
  await wait(1100);
  await freshTokens();
  await until('the link is up, and she opens', async () => (await opens()).code === 0);
  assert.equal(readFileSync(file('again.out'), 'utf8'), report);
});

system('what is not releasable to the reader\'s nation is refused at home already', async () => {
  writeFileSync(file('own.txt'), report);
  assert.equal((await client('seal', file('own.txt'), file('own.tdf'))).code, 0);
  const before = (await classes('XAA')).length;
  const opened = await client('open', file('own.tdf'), file('own.out'), reader);
  assert.notEqual(opened.code, 0);
  assert.match(opened.output, /403/);
  assert.equal((await classes('XAA')).length, before, 'XAA was not even asked');
});

system('attack: a foreign person goes to the originator\'s door directly', async () => {
  const opened = await client('open', file('shared.tdf'), file('direct.out'), { ...reader, through: {} });
  assert.notEqual(opened.code, 0);
  assert.match(opened.output, /401/);
});

system('of joint origin: one share for each nation, and each one\'s node is asked', async () => {
  const to = (code) => {
    const service = keyService(coalition, code);
    return ['--to', service];
  };
  writeFileSync(file('joint.txt'), report);
  const words = ['classification/value/restricted', 'originator/value/xaa', 'originator/value/xbb'];
  const sealed = await command([
    program, 'seal', file('joint.txt'), '--out', file('joint.tdf'), ...to('XAA'), ...to('XBB'),
    '--split-per-recipient', '--tdf-version', '4.2.2', '--trust', coalition.demo.authority,
    ...words.flatMap((word) => ['--attribute', `https://harbor-light.example/attr/${word}`]),
  ]);
  assert.equal(sealed.code, 0, sealed.output);
  const opened = await client('open', file('joint.tdf'), file('joint.out'), reader);
  assert.equal(opened.code, 0, opened.output);
  assert.equal(readFileSync(file('joint.out'), 'utf8'), report);
  assert.ok((await classes('XBB')).includes('key.release'), 'the reader\'s own nation released its share');
  const { policy } = manifestOf(file('joint.tdf'));
  // One of them takes it back: nobody opens it any more.
  await coalition.ask('XAA', 'recall', 'policy', policy.uuid, '--reason', 'EXERCISE: sent by mistake');
  const released = (await classes('XAA')).filter((name) => name === 'key.release').length;
  const again = await client('open', file('joint.tdf'), file('joint2.out'), reader);
  assert.notEqual(again.code, 0);
  assert.match(again.output, /status code 403/);
  assert.equal((await classes('XAA')).filter((name) => name === 'key.release').length, released);
});

system('recalled objects open no more, and exposure says who opened what', async () => {
  const { policy } = manifestOf(file('shared.tdf'));
  const before = await coalition.ask('XAA', 'exposure', '--object', policy.uuid);
  assert.equal(before.releases, 1);
  assert.equal(before.rows[0].partner, 'XBB');
  assert.equal(before.openable, 1);
  await coalition.ask('XAA', 'recall', 'policy', policy.uuid, '--reason', 'EXERCISE: sent by mistake');
  const opened = await client('open', file('shared.tdf'), file('shared2.out'), reader);
  assert.notEqual(opened.code, 0);
  assert.match(opened.output, /status code 403/);
  const after = await coalition.ask('XAA', 'exposure', '--partner', 'XBB', '--object', policy.uuid);
  assert.equal(after.releases, 1, 'a refused request counts for nothing');
  assert.equal(after.openable, 0);
  assert.equal(after.rows[0].why, 'object-recalled');
  await coalition.ask('XAA', 'recall', 'lift', 'policy', policy.uuid, '--reason', 'EXERCISE: it was right');
  // In capitals it is the same object; what fits nothing that was released is said to, before and after.
  const because = ['--reason', 'EXERCISE: sent by mistake'];
  const high = await coalition.ask('XAA', 'recall', 'policy', policy.uuid.toUpperCase(), ...because);
  assert.deepEqual([high.known, high.text.includes('no key')], [true, false]);
  assert.equal((await coalition.ask('XAA', 'exposure', '--object', policy.uuid)).openable, 0);
  await coalition.ask('XAA', 'recall', 'lift', 'policy', policy.uuid.toUpperCase(), ...because);
  const person = `XBB/${before.rows[0].person}`;
  assert.equal((await coalition.ask('XAA', 'recall', 'person', person, '--preview')).known, true);
  const slip = person.slice(0, -1);
  for (const how of [['--preview'], because]) {
    const { known, text } = await coalition.ask('XAA', 'recall', 'person', slip, ...how);
    assert.equal(known, false);
    assert.match(text, /people have another id at the key service/);
  }
  await coalition.ask('XAA', 'recall', 'lift', 'person', slip, ...because);
  assert.equal((await client('open', file('shared.tdf'), file('shared3.out'), reader)).code, 0);
  // A slip in what is asked about is no all-clear.
  for (const [option, slip] of [['partner', 'xbb'], ['person', 'ingrid'], ['device', 'laptop'], ['before', '0']]) {
    const asked = await coalition.cli('XAA', 'exposure', `--${option}`, slip);
    assert.equal(asked.code, 1, asked.output);
    assert.match(asked.output, /field\.value/);
  }
  const told = await coalition.cli('XAA', 'exposure', '--partner', 'XBB');
  assert.match(told.output, /keys released to 1 readers/);
  const { rows } = await coalition.ask('XAA', 'exposure', '--partner', 'XBB');
  const older = await coalition.ask('XAA', 'exposure', '--partner', 'XBB', '--before', String(rows[0].last_entry));
  assert.deepEqual(older.rows, rows.slice(1));
  // An auditor holds a report against the ledger: it is what was released, and one release less is found out.
  const said = await coalition.ask('XAA', 'exposure', '--partner', 'XBB');
  const audited = async (report) => {
    writeFileSync(file('exposure.json'), JSON.stringify(report));
    return coalition.cli('XAA', 'ledger', 'verify', '--exposure', file('exposure.json'));
  };
  for (const report of [said, older]) {
    const found = await audited(report);
    assert.equal(found.code, 0, found.output);
    assert.match(found.output, new RegExp(`what was released is what the first ${report.read} of these \\d+ entries say`));
  }
  for (const report of [{ ...said, rows: said.rows.slice(1) }, { ...said, releases: said.releases - 1 }, { ...said, asked: {} }]) {
    const untrue = await audited(report);
    assert.equal(untrue.code, 4, untrue.output);
    assert.match(untrue.output, /exposure\.untrue/);
  }
  // One that stops before anything was released is true, and is told for what it is.
  const cut = { ...said, read: 0, rows: [], releases: 0, readers: 0, objects: 0 };
  assert.match((await audited(cut)).output, /what the first 0 of these [1-9]\d* entries say/);
});

// The demonstration's own way of doing so: { code, output }.
const as = (...words) =>
  command([process.execPath, new URL('../../demo/as.mjs', import.meta.url).pathname, file('demo.json'), ...words]);

system('of a data domain: it opens for nations that the domain is shared with, while there is one', async () => {
  const seal = async (domain) => {
    const words = ['--for', 'XBB', '--domain', domain, '-o', file(`${domain}.tdf`)];
    const sealed = await as('konrad', 'seal', file('report.txt'), ...words);
    assert.equal(sealed.code, 0, sealed.output);
  };
  const open = (domain) => as('ingrid', 'open', file(`${domain}.tdf`), '-o', file(`${domain}.out`));
  await seal('intelligence');
  const opened = await open('intelligence');
  assert.equal(opened.code, 0, opened.output);
  assert.equal(readFileSync(file('intelligence.out'), 'utf8'), report);
  await seal('planning'); // Cassia's, which is not in this coalition
  const refused = await open('planning');
  assert.equal(refused.code, 1);
  assert.match(refused.output, /domain/);
});

// By which of XAA's keys XBB's people seal for it: as its programs ask, by value, and at XAA's name at XBB's door.
async function keyToldToXbb() {
  const through = reader.kas.replace('//kas.', '//kas-xaa.');
  const named = await ask(`${through}/kas_public_key?algorithm=rsa:2048&v=2`, { ca: coalition.ca });
  const path = '/policy.attributes.AttributesService/GetAttributeValuesByFqns';
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${reader.token}`,
    dpop: await proof(pair, 'POST', `${reader.kas}${path}`, { token: reader.token }),
  };
  const value = fqn('originator', 'xaa');
  const body = JSON.stringify({ fqns: [value] });
  const answer = await ask(`${reader.kas}${path}`, { method: 'POST', headers, body, ca: coalition.ca });
  const [{ kasUri, publicKey }] = JSON.parse(answer.body).fqnAttributeValues[value].value.kasKeys;
  assert.equal(kasUri, kas);
  const { kid, publicKey: pem } = JSON.parse(named.body);
  return kid === publicKey.kid && pem === publicKey.pem ? kid : `${kid} and ${publicKey.kid}`;
}

// The command line as XBB's planner, whose own door leads to both nations' services.
async function asReader(verb, name, ...more) {
  writeFileSync(file('reader.txt'), `${reader.token}\n`, { mode: 0o600 });
  writeFileSync(file('reader.pem'), pem(await crypto.subtle.exportKey('pkcs8', pair.privateKey)), { mode: 0o600 });
  const through = new URL(reader.kas);
  through.hostname = through.hostname.replace(/^kas\./, 'kas-xaa.');
  const words = ['--token', file('reader.txt'), '--proof', file('reader.pem'), '--trust', coalition.demo.authority];
  return command([program, ...verb, file(name), ...words, '--service', `${kas}=${through.origin}`, ...more]);
}

system('under originator control: refused, asked for, released to that person, taken back', async () => {
  writeFileSync(file('orcon.txt'), report);
  const orcon = { attributes: attributes(fqn('handling', 'orcon')) };
  assert.equal((await client('seal', file('orcon.txt'), file('orcon.tdf'), orcon)).code, 0);
  const { policy } = manifestOf(file('orcon.tdf'));
  const open = (out) => asReader(['open'], 'orcon.tdf', '-o', file(out));
  const shut = await open('orcon1.out');
  assert.equal(shut.code, 1);
  assert.match(shut.output, /not released to Borealis/);

  const wish = ['--purpose', 'EXERCISE: berths for the relief convoy', '--minutes', '60'];
  const asked = await asReader(['release', 'ask'], 'orcon.tdf', ...wish);
  assert.equal(asked.code, 0, asked.output);
  assert.match(asked.output, /waits for an answer/);
  assert.equal((await open('orcon2.out')).code, 1, 'asking opens nothing');
  const { releases } = await coalition.ask('XAA', 'release', 'ls');
  assert.equal(releases.length, 1);
  const [{ id, ...waiting }] = releases;
  assert.deepEqual([waiting.object, waiting.partner, waiting.state], [policy.uuid, 'XBB', 'open']);
  assert.match(waiting.who, /planner, .*Borealis/);

  const given = await coalition.answer('XAA', 'release', 'approve', id, '--words', 'EXERCISE: for the convoy');
  assert.equal(given.release.state, 'granted');
  const opened = await open('orcon3.out');
  assert.equal(opened.code, 0, opened.output);
  assert.equal(readFileSync(file('orcon3.out'), 'utf8'), report);
  const exposed = await coalition.ask('XAA', 'exposure', '--object', policy.uuid);
  assert.deepEqual([exposed.releases, exposed.openable], [1, 1]);

  await coalition.ask('XAA', 'release', 'revoke', id);
  assert.equal((await open('orcon4.out')).code, 1);
  assert.equal((await coalition.ask('XAA', 'exposure', '--object', policy.uuid)).openable, 0);
  // Under this id, but of something else than it is: nothing opens by that, and of what cannot be none is given.
  const terms = ['--to', 'XBB', '--minutes', '30', '--reason', 'EXERCISE: for something else'];
  const of = (level) => attributes(fqn('handling', 'orcon')).flatMap((one) => ['--attribute', one.replace(/restricted$/, level)]);
  const other = await coalition.ask('XAA', 'release', policy.uuid, ...of('confidential'), ...terms);
  assert.equal(other.release.state, 'granted');
  assert.equal((await open('orcon6.out')).code, 1);
  const none = await coalition.cli('XAA', 'release', policy.uuid, ...of('unclassified'), ...terms);
  assert.equal(none.code, 1, none.output);
  assert.match(none.output, /a release would open nothing/);
  // An operator gives one unasked, to the nation; it says nothing of what is not under originator control.
  await coalition.ask('XAA', 'release', file('orcon.tdf'), '--to', 'XBB', '--minutes', '30', '--reason', 'EXERCISE: for all');
  assert.equal((await open('orcon5.out')).code, 0);
  const own = await coalition.cli('XAA', 'release', file('own.tdf'), '--to', 'XBB', '--minutes', '30', '--reason', 'EXERCISE: no use');
  assert.equal(own.code, 1, own.output);
  assert.match(own.output, /a release would open nothing: This is not releasable to Borealis/);
  assert.equal((await asReader(['open'], 'own.tdf', '-o', file('own2.out'))).code, 1);
  const kinds = (await coalition.ask('XAA', 'ledger', 'show', '--last', '500')).records.map((one) => one.class);
  for (const kind of ['release.asked', 'release', 'release.revoked']) assert.ok(kinds.includes(kind), kind);
});

system('keys change without a restart: old ones open, the newest is given out, a recalled one is shut', async () => {
  const folder = join(readJson(coalition.config('XAA')).data, 'keys', 'kas');
  const newest = async () => (await post('/kas.AccessService/PublicKey', { algorithm: 'rsa:2048', v: '2' })).body.kid;
  const before = await newest();
  assert.equal(await keyToldToXbb(), before);
  const made = ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', join(folder, '2099-01-01-rsa.pem')];
  assert.equal((await command(['openssl', ...made])).code, 0);
  chmodSync(join(folder, '2099-01-01-rsa.pem'), 0o600);
  const reload = () => coalition.ask('XAA', 'key-service', 'reload', '--reason', 'EXERCISE: the yearly change');
  assert.deepEqual((await reload()).added, ['2099-01-01-rsa']);
  assert.equal(await newest(), '2099-01-01-rsa');
  await until('XBB is told of the new key', async () => (await keyToldToXbb()) === '2099-01-01-rsa');
  const heard = (await coalition.ask('XBB', 'ledger', 'show', '--last', '100')).records;
  assert.ok(heard.some(({ class: kind, fields }) => kind === 'offers.heard' && fields.keys?.includes('2099-01-01-rsa')));
  assert.equal((await client('open', file('report.tdf'), file('rotated1.out'))).code, 0, 'sealed for the old key');
  assert.equal((await client('seal', file('report.txt'), file('rotated.tdf'))).code, 0);
  assert.equal(manifestOf(file('rotated.tdf')).manifest.encryptionInformation.keyAccess[0].kid, '2099-01-01-rsa');
  assert.equal((await client('open', file('rotated.tdf'), file('rotated2.out'))).code, 0);
  // A key that cannot be read changes nothing.
  writeFileSync(join(folder, '2099-02-02-rsa.pem'), 'no key', { mode: 0o600 });
  assert.equal((await coalition.cli('XAA', 'key-service', 'reload', '--reason', 'EXERCISE')).code, 1);
  assert.equal(await newest(), '2099-01-01-rsa');
  rmSync(join(folder, '2099-02-02-rsa.pem'));
  // Recalled: what is sealed for it opens no more, and nothing more is sealed for it.
  await coalition.ask('XAA', 'recall', 'key', '2099-01-01-rsa', '--reason', 'EXERCISE: it was copied');
  assert.equal(await newest(), before);
  await until('XBB seals for it no more', async () => (await keyToldToXbb()) === before);
  assert.notEqual((await client('open', file('rotated.tdf'), file('rotated3.out'))).code, 0);
  assert.equal((await client('open', file('report.tdf'), file('rotated4.out'))).code, 0);
});

// How bytes may stand in a file: as they are, in hexadecimal, and in base64 wherever they begin in it.
function formsOf(bytes) {
  const out = [bytes, Buffer.from(bytes.toString('hex')), Buffer.from(bytes.toString('hex').toUpperCase())];
  for (const shift of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    const inside = text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
    out.push(Buffer.from(inside), Buffer.from(inside.replaceAll('+', '-').replaceAll('/', '_')));
  }
  return out;
}

// Files of nodes, connectors, apps and providers; not the keys of key services, nor what this test wrote beside them.
function* filesOfTheCoalition(folder = coalition.folder, top = true) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'keys') yield* filesOfTheCoalition(path, false);
    else if (entry.isFile() && (!top || entry.name.endsWith('.log'))) yield path;
  }
}

system('attack: whoever gets hold of a node\'s disk looks there for what was sealed, its keys, and tokens', async () => {
  const tokens = [token, reader.token];
  await freshTokens();
  tokens.push(token, reader.token);
  const word = randomBytes(24);
  const text = `EXERCISE: the word of the day is ${word.toString('hex')} or ${word.toString('base64')}.\n`;
  writeFileSync(file('canary.txt'), text);
  const words = { attributes: attributes(fqn('releasable-to', 'xbb'), fqn('mission', 'harbor-light')) };
  assert.equal((await client('seal', file('canary.txt'), file('canary.tdf'), words)).code, 0);
  const at = { own: {}, partner: reader };
  for (const [who, changed] of Object.entries(at)) {
    const opened = await client('open', file('canary.tdf'), file(`canary-${who}.out`), changed);
    assert.equal(opened.code, 0, opened.output);
    assert.equal(readFileSync(file(`canary-${who}.out`), 'utf8'), text);
  }
  const { policy, manifest } = manifestOf(file('canary.tdf'));
  const [{ kid, wrappedKey }] = manifest.encryptionInformation.keyAccess;
  const held = readFileSync(join(readJson(coalition.config('XAA')).data, 'keys', 'kas', `${kid}.pem`));
  const how = { key: held, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' };
  const key = privateDecrypt(how, Buffer.from(wrappedKey, 'base64'));
  assert.equal(key.length, 32);
  const secrets = { word, key };
  tokens.forEach((given, i) => (secrets[`token ${i}`] = Buffer.from(given.split('.')[2], 'base64url')));
  const named = new Set();
  for (const path of filesOfTheCoalition()) {
    const bytes = readFileSync(path);
    for (const [what, secret] of Object.entries(secrets))
      for (const form of formsOf(secret)) assert.ok(!bytes.includes(form), `${what} stands in ${path}`);
    if (bytes.includes(policy.uuid)) named.add(/node-(x..)/.exec(path)?.[1]);
  }
  assert.deepEqual([...named].sort(), ['xaa', 'xbb'], 'what was looked through has the ledgers of both');
});

system('attack: a nation of origin whose key is gone is never left out of what is sealed', async () => {
  const path = '/policy.attributes.AttributesService/GetAttributeValuesByFqns';
  const words = [fqn('originator', 'xaa'), fqn('originator', 'xbb')];
  const values = async () => post(path, { fqns: words }, await proved(path));
  const theirs = keyService(coalition, 'XBB');
  const recall = async (algorithm) => {
    const { body } = await ask(`${theirs}/kas_public_key?algorithm=${algorithm}&v=2`, { ca: coalition.ca });
    await coalition.ask('XBB', 'recall', 'key', JSON.parse(body).kid, '--reason', 'EXERCISE: it was copied');
  };
  const offered = async () => {
    const { status, body } = await values();
    return status === 200 ? body.fqnAttributeValues[words[1]].value.kasKeys[0].publicKey.algorithm : status;
  };
  assert.equal(await offered(), 'ALGORITHM_RSA_2048');
  await recall('rsa:2048');
  await until('XAA is told: there is the other one', async () => (await offered()) === 'ALGORITHM_EC_P256');
  await recall('ec:secp256r1');
  // An answer without a key would be passed over by clients, and one share be sealed for XAA alone.
  await until('XAA is told: there is none', async () => (await offered()) === 503);
  assert.match((await values()).body.message, /XBB's key service/);
});

system('the ledger has the attempt and the release, and verifies', async () => {
  const kinds = await classes('XAA');
  assert.ok(kinds.includes('key.attempt') && kinds.includes('key.release'), kinds.join(' '));
  await coalition.verify('XAA');
});
