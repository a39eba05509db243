// Sealed objects from the command line, as one of the demonstration's people. It prints the `entente` command that it
// runs, so that one can see what it stands for:
//   as.mjs DEMO.json LOGIN seal FILE [--for XBB,XCC] [--joint XBB] [--orcon] [--domain NAME] [--label FILE] -o OUT
//   as.mjs DEMO.json LOGIN open FILE -o OUT
//   as.mjs DEMO.json LOGIN recall FILE --reason TEXT
// What is sealed is of the person's nation, and names them as its author by a mark that their own node alone can read; with --orcon it goes to others than it names only as that nation releases it,
// with --domain only to nations that the owner of that data domain shares it with. It is signed with the nation's
// originator key, and `open` says whether what came is.
// Each takes an access token of theirs, bound to a key: their provider gives it, and both are gone afterwards.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { accessToken, makePair } from '../tests/system/token.mjs';

const kWords = 'https://harbor-light.example/attr';
const types = { '.txt': 'text/plain', '.md': 'text/plain', '.png': 'image/png', '.jpg': 'image/jpeg' };
const usage =
  'as LOGIN seal FILE [--for XBB,XCC] [--joint XBB] [--orcon] [--domain NAME] [--label FILE] -o OUT, or: as LOGIN open FILE -o OUT, or: as LOGIN recall FILE --reason TEXT';

class UsageError extends Error {}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        domain: { type: 'string' },
        for: { type: 'string' },
        joint: { type: 'string' },
        label: { type: 'string' },
        orcon: { type: 'boolean' },
        out: { type: 'string', short: 'o' },
        reason: { type: 'string' },
      },
    });
    const [demo, login, verb, file] = positionals;
    const told = verb === 'recall' ? values.reason : values.out;
    if (positionals.length !== 4 || !told || !['seal', 'open', 'recall'].includes(verb)) throw new Error();
    return { demo: JSON.parse(readFileSync(demo, 'utf8')), login, verb, file, ...values };
  } catch {
    throw new UsageError(usage);
  }
}

const codes = (text) => (text ?? '').split(',').filter(Boolean);
const keyService = ({ lobby }) => lobby.replace('//lobby.', '//kas.');

// What the object is (RESTRICTED, of whom, for whom, of which mission), and whose key services must all agree.
function sealWords({ demo, domain, file, joint, label, orcon, for: readers }, nation) {
  const origins = [nation, ...codes(joint)];
  const unknown = [...origins, ...codes(readers)].find((code) => !demo.nations[code]);
  if (unknown) throw new UsageError(`${unknown} is none of ${Object.keys(demo.nations).join(', ')}`);
  const attributes = [
    'classification/value/restricted',
    ...origins.map((code) => `originator/value/${code.toLowerCase()}`),
    ...[...new Set([...origins, ...codes(readers)])].map(
      (code) => `releasable-to/value/${code.toLowerCase()}`,
    ),
    'mission/value/harbor-light',
    ...(orcon ? ['handling/value/orcon'] : []),
    ...(domain ? [`domain/value/${domain}`] : []),
  ];
  return [
    ...origins.flatMap((code) => ['--to', keyService(demo.nations[code])]),
    ...(origins.length > 1 ? ['--split-per-recipient'] : []),
    ...attributes.flatMap((one) => ['--attribute', `${kWords}/${one}`]),
    '--type',
    types[extname(file)] ?? 'application/octet-stream',
    '--as',
    nation,
    '--sign',
    demo.nations[nation].originator,
    ...(label ? ['--label', label] : []),
  ];
}

// Every nation's key service, each reached by the person's own door; their own node says by which keys nations sign.
function openServices(demo, nation, verb) {
  const { port } = demo.nations[nation];
  const own = nation.toLowerCase();
  return Object.entries(demo.nations).flatMap(([code, other]) => {
    const url = keyService(other);
    const via = code === nation ? url : `https://kas-${code.toLowerCase()}.${own}.localhost:${port}`;
    const signers = verb === 'open' ? ['--known-originator', `${code}=${via}`] : [];
    return ['--service', code === nation ? url : `${url}=${via}`, ...signers];
  });
}

async function credentials(demo, login, folder) {
  const person = (name) => demo.people.find((one) => one.login === name);
  const coalition = { demo, ca: readFileSync(demo.authority), person, nation: (code) => demo.nations[code] };
  const pair = await makePair();
  const token = await accessToken(coalition, login, pair);
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', pair.privateKey)).toString('base64');
  const write = (name, text) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const pem = `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g).join('\n')}\n-----END PRIVATE KEY-----\n`;
  return ['--token', write('token', `${token}\n`), '--proof', write('proof.pem', pem)];
}

async function run(words) {
  process.stderr.write(`$ ${['entente', ...words.slice(1)].join(' ')}\n`);
  const [code] = await once(spawn(words[0], words.slice(1), { stdio: 'inherit' }), 'close');
  return code ?? 1;
}

async function main() {
  const wanted = readArguments();
  const { demo, login, verb, file, out, reason } = wanted;
  const person = demo.people.find((one) => one.login === login);
  if (!person) throw new UsageError(`nobody is ${login}: ${demo.people.map((one) => one.login).join(', ')}`);
  const folder = mkdtempSync(join(demo.folder, 'as-'));
  try {
    const verbs = verb === 'recall' ? ['recall', 'own'] : [verb];
    const words = [
      ...(verb === 'seal' ? sealWords(wanted, person.nation) : []),
      ...(await credentials(demo, login, folder)),
      ...(verb === 'seal' ? ['--service', keyService(demo.nations[person.nation])] : openServices(demo, person.nation, verb)),
    ];
    const end = verb === 'recall' ? ['--reason', reason] : ['-o', out];
    return await run([demo.entente, ...verbs, file, ...words, '--trust', demo.authority, ...end]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`as: ${error.message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
