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
import { Calendar } from './radicale.mjs';

const kIdleMsMax = 65_000; // longer than a connector keeps a connection it does not use
const kUploadBytesMax = 64 * 1024 * 1024;

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

async function serve(app, identity, request, response) {
  let person;
  try {
    person = personOf(await identity.admit(request));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`refused a request: ${error.code}\n`);
    answerText(response, 401, 'This app serves only people whom the host node vouches for.');
    return;
  }
  const length = request.headers['content-length'];
  if (request.headers['transfer-encoding']) answerText(response, 411, 'A body needs a Content-Length here.');
  else if (length > kUploadBytesMax) answerText(response, 413, `At most ${kUploadBytesMax} bytes go up at once.`);
  else await app.serve(person, request, response);
}

async function main(path) {
  const settings = readSettings(path, settingsShape);
  if (!apps[settings.app]) throw new SettingsError(`${path}: /app: one of ${Object.keys(apps).join(', ')}`);
  process.umask(0o077); // the socket is for the connector's user alone, and so are the app's files
  mkdirSync(settings.data, { recursive: true });
  const identity = new IdentityCheck(settings);
  const app = await apps[settings.app].start(settings);
  const server = createServer({ keepAliveTimeout: kIdleMsMax });
  server.on('request', (request, response) => {
    serve(app, identity, request, response).catch((error) => {
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
