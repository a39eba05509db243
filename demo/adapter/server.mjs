// Stands beside an unmodified app, on the Unix socket that the connector dials: verifies the host node's
// assertion, and hands the request on under a name made for this app alone. Which app: "wiki" (fossil.mjs) or
// "calendar" (radicale.mjs).
//   server.mjs settings.json
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { IdentityCheck, Refusal } from '../assertion.mjs';
import { endWithParent, sayReady } from '../lifeline.mjs';
import { readSettings, runWithSettings, SettingsError } from '../settings.mjs';
import { answerText } from './answer.mjs';
import { Wiki } from './fossil.mjs';
import { isPlainRequest } from './plain.mjs';
import { Calendar } from './radicale.mjs';
import { Room, Turns } from './turns.mjs';

const kIdleMsMax = 65_000; // longer than a connector keeps a connection it does not use
const kMiB = 1024 * 1024;
const kBodyBytesMax = 16 * kMiB;
const kBodyMsMax = 120_000;
const room = new Room({ all: 128 * kMiB, ofOne: 2 * kBodyBytesMax });
// A browser asks for a page's parts all at once; each takes an app some milliseconds.
const turns = new Turns({ atOnce: 8, ofOne: 2, waiting: 256, waitingOfOne: 32 });

const settingsShape = {
  app: 'string',
  socket: 'string',
  data: 'string', // a folder of the app's own
  audience: 'string',
  issuer: 'string',
  keys: { 'file?': 'string', 'url?': 'string', 'ca?': 'string' },
  'connector?': 'string',
  marking: 'string',
  title: 'string',
  'capabilities?': 'object', // wiki: by role, what fossil lets it do
};
const apps = { wiki: Wiki, calendar: Calendar };

// The nation stands in the name, so that none can take up the name of another's person.
function personOf(claims) {
  const nation = String(claims.partner);
  if (!/^[A-Z]{3}$/.test(nation)) throw new Refusal('assertion.partner');
  const digest = createHash('sha256').update(claims.sub).digest('base64url').slice(0, 16);
  return { name: `${nation.toLowerCase()}-${digest}`, nation, roles: [claims.attributes?.role ?? []].flat() };
}

async function personIn(request, identity) {
  try {
    return personOf(await identity.admit(request));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`refused a request: ${error.code}\n`);
    return undefined;
  }
}

function refusalOf({ method, headers }) {
  const length = Number(headers['content-length'] ?? 0);
  if (headers['transfer-encoding']) return [411, 'A body needs a Content-Length here.'];
  if (length > 0 && (method === 'GET' || method === 'HEAD')) return [413, `A ${method} has no body here.`];
  if (length > kBodyBytesMax) return [413, `At most ${kBodyBytesMax} bytes go up at once.`];
  return undefined;
}

// The whole body, or nothing when it does not come.
async function bodyOf(request) {
  const body = Buffer.alloc(Number(request.headers['content-length'] ?? 0));
  let length = 0;
  try {
    for await (const chunk of request) length += chunk.copy(body, length);
  } catch {
    return undefined;
  }
  return length === body.length ? body : undefined;
}

// No turn is held while a body comes, and none given to whom it is of no use any more.
async function serveInTurn(app, person, request, response) {
  const body = await bodyOf(request);
  if (!body) return response.destroy();
  const end = await turns.take(person.name, person.roles.join(), response);
  if (!end) return answerText(response, 503, 'Too much is asked of this app; try again in a moment.');
  try {
    return await app.serve(person, request, body, response);
  } finally {
    end();
  }
}

async function serve(app, identity, request, response) {
  const person = await personIn(request, identity);
  if (!person) return answerText(response, 401, 'This app serves only people whom the host node vouches for.');
  if (!isPlainRequest(request)) return answerText(response, 400, 'The address or a header holds what none should.');
  const refusal = app.refusalOf(person, request) ?? refusalOf(request);
  if (refusal) return answerText(response, ...refusal);
  const giveBack = room.take(person.name, Number(request.headers['content-length'] ?? 0));
  if (!giveBack) return answerText(response, 503, 'Too much comes up at once; try again in a moment.');
  try {
    return await serveInTurn(app, person, request, response);
  } finally {
    giveBack();
  }
}

async function main(path) {
  const settings = readSettings(path, settingsShape);
  if (!apps[settings.app]) throw new SettingsError(`${path}: /app: one of ${Object.keys(apps).join(', ')}`);
  process.umask(0o077); // the socket is for the connector's user alone, and so are the app's files
  mkdirSync(settings.data, { recursive: true });
  const identity = new IdentityCheck(settings);
  const app = await apps[settings.app].start({ ...settings, path });
  const server = createServer({ keepAliveTimeout: kIdleMsMax, requestTimeout: kBodyMsMax });
  server.on('request', (request, response) => {
    serve(app, identity, request, response).catch((error) => {
      if (response.destroyed) return; // whoever asked has left
      process.stderr.write(`${error.stack}\n`);
      if (response.headersSent) response.destroy();
      else answerText(response, 502, 'The app behind this address did not answer as it should.');
    });
  });
  rmSync(settings.socket, { force: true });
  await new Promise((resolve, reject) => server.once('error', reject).listen(settings.socket, resolve));
  endWithParent(async () => {
    server.close();
    server.closeAllConnections();
    rmSync(settings.socket, { force: true });
    await app.end();
  });
  sayReady({ socket: settings.socket, ...app.facts });
}

await runWithSettings('adapter', main);
