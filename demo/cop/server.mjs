// The common operational picture's server: a page and a live feed on a Unix socket, for whoever the host node
// vouches for.
//   server.mjs settings.json
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { endWithParent, sayReady } from '../lifeline.mjs';
import { readSettings, runWithSettings, SettingsError } from '../settings.mjs';
import { IdentityCheck, Refusal, whoAmI } from '../assertion.mjs';
import { bay } from './bay.mjs';
import { Feed } from './feed.mjs';
import { symbolsFor } from './symbols.mjs';

const kBulkMibMax = 4096;
const kBlockBytes = 64 * 1024;
const kBehindBytesMax = 256 * 1024; // a reader this far behind misses moves; later ones catch up
const kIdleMsMax = 65_000; // longer than a connector keeps a connection it does not use
const kWatchersMax = 10_000;
const kWatcherMessageBytesMax = 1024;

const settingsShape = {
  socket: 'string',
  audience: 'string',
  issuer: 'string',
  keys: { 'file?': 'string', 'url?': 'string', 'ca?': 'string' },
  'connector?': 'string',
  'once?': 'boolean',
  marking: 'string',
  seed: 'number',
};

const dist = join(dirname(fileURLToPath(import.meta.url)), 'dist');

const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};

const escape = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

function loadPage(marking) {
  const read = (name) => {
    try {
      return readFileSync(join(dist, name));
    } catch {
      throw new SettingsError(`${join(dist, name)}: the page is not built; run: npm run build:cop`);
    }
  };
  const index = read('index.html').toString('utf8').replaceAll('%marking%', escape(marking));
  return new Map([
    ['/', ['text/html; charset=utf-8', index]],
    ['/cop.js', ['text/javascript; charset=utf-8', read('cop.js')]],
    ['/cop.css', ['text/css; charset=utf-8', read('cop.css')]],
    ['/icon.svg', ['image/svg+xml', read('icon.svg')]],
    ['/land.json', ['application/json', read('land.json')]],
    ['/bay.json', ['application/json', JSON.stringify(bay())]],
  ]);
}

function answer(response, status, type, body) {
  response
    .writeHead(status, { ...pageHeaders, 'content-type': type, 'content-length': Buffer.byteLength(body) })
    .end(body);
}

const answerJson = (response, status, value) =>
  answer(response, status, 'application/json', JSON.stringify(value));

// A known pattern rather than zeros, so that nothing on the way can make it small.
const block = Buffer.concat(
  Array.from({ length: kBlockBytes / 32 }, (_, index) => createHash('sha256').update(`${index}`).digest()),
);

async function sendBulk(response, mib) {
  if (!Number.isInteger(mib) || mib < 0 || mib > kBulkMibMax) {
    answerJson(response, 400, { error: 'bulk.size', say: `mib is a whole number from 0 to ${kBulkMibMax}` });
    return;
  }
  const bytes = mib * 1024 * 1024;
  response.writeHead(200, {
    ...pageHeaders,
    'content-type': 'application/octet-stream',
    'content-length': bytes,
  });
  for (let sent = 0; sent < bytes && !response.destroyed; sent += kBlockBytes) {
    if (!response.write(block)) {
      await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
    }
  }
  response.end();
}

async function countBulk(request, response) {
  let bytes = 0;
  const sum = createHash('sha256');
  for await (const chunk of request) {
    bytes += chunk.length;
    sum.update(chunk);
  }
  answerJson(response, 200, { bytes, sha256: sum.digest('hex') });
}

class Picture {
  #watchers = new WebSocketServer({
    noServer: true,
    maxPayload: kWatcherMessageBytesMax,
    perMessageDeflate: false,
  });

  constructor(settings) {
    this.identity = new IdentityCheck(settings);
    this.page = loadPage(settings.marking);
    this.feed = new Feed(settings.seed);
  }

  async #admit(request) {
    try {
      return await this.identity.admit(request);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      process.stderr.write(`cop: refused a request: ${error.code}\n`);
      return undefined;
    }
  }

  async serve(request, response) {
    const claims = await this.#admit(request);
    if (!claims) {
      answer(
        response,
        401,
        'text/plain; charset=utf-8',
        'This picture is shown only to people whom the host node vouches for.\n',
      );
      return;
    }
    const { pathname, searchParams } = new URL(request.url, 'http://cop');
    const route = `${request.method} ${pathname}`;
    const file = request.method === 'GET' && this.page.get(pathname);
    if (file) answer(response, 200, ...file);
    else if (route === 'GET /me') answerJson(response, 200, whoAmI(claims));
    else if (route === 'GET /picture') answerJson(response, 200, await this.#picture());
    else if (route === 'GET /bulk') await sendBulk(response, Number(searchParams.get('mib')));
    else if (route === 'POST /bulk') await countBulk(request, response);
    else answer(response, 404, 'text/plain; charset=utf-8', 'There is nothing under this address.\n');
  }

  async watch(request, socket, head) {
    const claims = await this.#admit(request);
    const { pathname } = new URL(request.url, 'http://cop');
    const status = !claims ? '401 Unauthorized' : pathname !== '/tracks' ? '404 Not Found' : undefined;
    if (status || this.#watchers.clients.size >= kWatchersMax) {
      socket.end(
        `HTTP/1.1 ${status ?? '503 Service Unavailable'}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
      );
      return;
    }
    this.#watchers.handleUpgrade(request, socket, head, (watcher) => this.#show(watcher));
  }

  async #picture() {
    const picture = await this.feed.picture();
    return { ...picture, symbols: symbolsFor(picture.tracks.map((track) => track.symbol)) };
  }

  async #show(watcher) {
    watcher.on('error', () => watcher.terminate());
    watcher.send(JSON.stringify(await this.#picture()));
    const stop = this.feed.listen((moves) => {
      if (watcher.readyState === watcher.OPEN && watcher.bufferedAmount < kBehindBytesMax)
        watcher.send(JSON.stringify(moves));
    });
    watcher.on('close', stop);
    if (watcher.readyState !== watcher.OPEN) stop();
  }

  end() {
    for (const watcher of this.#watchers.clients) watcher.terminate();
  }
}

async function main(path) {
  const settings = readSettings(path, settingsShape);
  if (!settings.keys.file === !settings.keys.url) {
    throw new SettingsError(`${path}: /keys: either file or url belongs here`);
  }
  const picture = new Picture(settings);
  const server = createServer({ keepAliveTimeout: kIdleMsMax });
  const failed = (error) => process.stderr.write(`cop: ${error.stack}\n`);
  server.on('request', (request, response) => {
    picture.serve(request, response).catch((error) => {
      failed(error);
      response.destroy();
    });
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    picture.watch(request, socket, head).catch((error) => {
      failed(error);
      socket.destroy();
    });
  });
  process.umask(0o077); // the socket is for the connector's user alone
  rmSync(settings.socket, { force: true });
  await new Promise((resolve, reject) => server.once('error', reject).listen(settings.socket, resolve));
  endWithParent(() => {
    picture.end();
    server.close();
    server.closeAllConnections();
    rmSync(settings.socket, { force: true });
  });
  sayReady({ socket: settings.socket });
}

await runWithSettings('cop', main);
