// An app of the test's own behind the connector: it remembers every request that reaches it, and can misbehave.
import { rmSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer } from 'node:net';
import { WebSocketServer } from 'ws';

export function assertionOf(seen) {
  const values = seen.headers.filter(([name]) => name.toLowerCase() === 'entente-assertion');
  return values.map(([, value]) => JSON.parse(Buffer.from(value.split('.')[1], 'base64url')));
}

export class Witness {
  seen = []; // { method, url, headers: [[name, value]], body }
  misbehave; // (socket) => void instead of HTTP
  sockets = new Set();

  constructor(path) {
    this.path = path;
    this.http = createHttp({ insecureHTTPParser: true }, (request, response) =>
      this.#serve(request, response),
    );
    this.watchers = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    this.http.on('upgrade', (request, socket, head) => {
      this.#remember(request);
      this.watchers.handleUpgrade(request, socket, head, (watcher) => watcher.send('welcome'));
    });
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket)).on('error', () => socket.destroy());
      if (this.misbehave) this.misbehave(socket);
      else this.http.emit('connection', socket);
    });
  }

  async listen() {
    rmSync(this.path, { force: true });
    await new Promise((done, failed) => this.server.once('error', failed).listen(this.path, done));
    return this;
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((done) => this.server.close(done));
    rmSync(this.path, { force: true });
  }

  #remember(request) {
    const headers = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      headers.push([request.rawHeaders[i], request.rawHeaders[i + 1]]);
    const seen = { method: request.method, url: request.url, headers, body: '' };
    this.seen.push(seen);
    return seen;
  }

  async #serve(request, response) {
    const seen = this.#remember(request);
    response.setHeader('connection', 'close');
    try {
      for await (const chunk of request) seen.body += chunk.toString('latin1');
    } catch {
      seen.broken = true;
      return;
    }
    seen.whole = true;
    if (request.url === '/rude') {
      response.setHeader('set-cookie', [
        'track=1; Domain=xbb.localhost; Path=/',
        '__Host-entente-app=stolen; Secure; Path=/',
        'plain=2; Path=/; domain=.localhost',
      ]);
      response.setHeader('cache-control', 'public, max-age=86400');
      response.setHeader('service-worker-allowed', '/');
      response.setHeader('clear-site-data', '"*"');
      response.setHeader('strict-transport-security', 'max-age=0');
      response.setHeader('alt-svc', 'h3=":443"');
      response.setHeader('entente-refusal', '{"kind":"denied","what":"made up by the app"}');
    }
    response.end(JSON.stringify(seen));
  }
}
