// For tests without a node: stands where host and connector stand, signing an assertion onto each request and
// passing it to the app's Unix socket.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';

export const audience = 'cop';
export const issuer = 'https://lobby.test.localhost/';

export class HostStandIn {
  #pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  #sockets = new Set();
  refusing = false;
  claims = {}; // of whoever comes, beside what a test signs itself

  constructor(socket) {
    this.socket = socket;
  }

  get privateKey() {
    return this.#pair.privateKey;
  }

  get publicKey() {
    return this.#pair.publicKey;
  }

  writeKeys(path) {
    const key = {
      ...this.#pair.publicKey.export({ format: 'jwk' }),
      kid: 'host-1',
      alg: 'ES256',
      use: 'sig',
    };
    writeFileSync(path, JSON.stringify({ keys: [key] }));
  }

  // What the app beside it is started with: its settings' path.
  writeSettings(folder) {
    const keys = { file: join(folder, 'host.jwks') };
    this.writeKeys(keys.file);
    const marking = 'EXERCISE RESTRICTED REL XAA XBB';
    const path = join(folder, 'cop.json');
    writeFileSync(path, JSON.stringify({ socket: this.socket, audience, issuer, keys, marking, seed: 7 }));
    return path;
  }

  // Changes: claims to replace (undefined removes one), and `header`, `key` to sign otherwise.
  async sign({ header = {}, key = this.#pair.privateKey, ...claims } = {}) {
    const now = Math.floor(Date.now() / 1000);
    const all = {
      iss: issuer,
      aud: audience,
      sub: 'p-7f3a',
      iat: now,
      exp: now + 60,
      jti: randomUUID(),
      nation: 'XBB',
      role: 'planner',
      ...this.claims,
      ...claims,
    };
    for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
    return new SignJWT(all).setProtectedHeader({ alg: 'ES256', kid: 'host-1', ...header }).sign(key);
  }

  // A request to the app itself; `assertion` as given, an array for several headers, or undefined for none.
  ask(path, { method = 'GET', assertion, body } = {}) {
    return new Promise((resolve, reject) => {
      const headers = { host: 'cop', ...(assertion === undefined ? {} : { 'entente-assertion': assertion }) };
      const outgoing = httpRequest({ socketPath: this.socket, path, method, headers }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () =>
          resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }),
        );
        answer.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  // Serves the app on a loopback port, for a browser.
  async listen() {
    this.server = createServer(async (incoming, response) => {
      if (this.refusing) {
        response.writeHead(403).end();
        return;
      }
      const headers = { ...incoming.headers, 'entente-assertion': await this.sign() };
      const outgoing = httpRequest(
        { socketPath: this.socket, path: incoming.url, method: incoming.method, headers },
        (answer) => {
          response.writeHead(answer.statusCode, answer.headers);
          answer.pipe(response);
        },
      );
      outgoing.on('error', () => response.destroy());
      incoming.pipe(outgoing);
    });
    this.server.on('upgrade', async (incoming, socket) => {
      if (this.readOnly) {
        socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
        return;
      }
      const headers = { ...incoming.headers, 'entente-assertion': await this.sign() };
      const outgoing = httpRequest({ socketPath: this.socket, path: incoming.url, headers });
      outgoing.on('upgrade', (answer, inner, early) => {
        const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`);
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
        socket.write(early); // the app may speak in the same breath as its 101
        this.#sockets.add(socket);
        inner.on('error', () => socket.destroy()).on('close', () => socket.destroy());
        socket.on('error', () => inner.destroy()).on('close', () => inner.destroy());
        socket.pipe(inner).pipe(socket);
      });
      outgoing.on('error', () => socket.destroy());
      outgoing.end();
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://localhost:${this.server.address().port}/`;
  }

  cutStreams() {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close() {
    this.cutStreams();
    this.server?.close();
    this.server?.closeAllConnections();
  }
}
