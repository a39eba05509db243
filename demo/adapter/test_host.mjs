// For tests without a node: an adapter with its app, and people whom a host vouches for in front of it.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { audience, HostStandIn, issuer } from '../cop/host_stand_in.mjs';
import { firstLine } from '../lifeline.mjs';

const here = dirname(fileURLToPath(import.meta.url));
export const kMarking = 'EXERCISE RESTRICTED REL XAA XBB XCC';
export const kDoor = 'wiki-xbb.xcc.localhost:4443'; // the host name that a visitor's browser shows

export class AdapterUnderTest {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'entente-adapter-'));
    this.socket = join(this.folder, 'app.sock');
    this.host = new HostStandIn(this.socket);
  }

  // Runs the adapter: { ready } or { code, said } of one that does not start.
  async start(app, more = {}) {
    this.host.writeKeys(join(this.folder, 'host.jwks'));
    this.data = join(this.folder, 'data');
    mkdirSync(this.data, { recursive: true });
    const keys = { file: join(this.folder, 'host.jwks') };
    const common = { socket: this.socket, data: this.data, audience, issuer, keys };
    const settings = join(this.folder, 'settings.json');
    writeFileSync(
      settings,
      JSON.stringify({ app, ...common, marking: kMarking, title: 'Harbor Light', ...more }),
    );
    const program = join(here, 'server.mjs');
    this.child = spawn(process.execPath, [program, settings], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.said = '';
    this.child.stderr.on('data', (data) => (this.said += data));
    try {
      return { ready: JSON.parse(await firstLine(this.child)) };
    } catch {
      return { code: this.child.exitCode, said: this.said };
    }
  }

  person(sub, role, partner = 'XCC') {
    return new Person(this, { sub, partner, nation: partner, session: `s-${sub}`, attributes: { role } });
  }

  async sql(statement) {
    const words = ['sql', '-R', join(this.data, 'wiki.fossil'), statement];
    return (await promisify(execFile)('fossil', words, { env: { HOME: this.data, USER: 'keeper' } })).stdout;
  }

  async end() {
    this.host.close();
    if (this.child?.exitCode === null) {
      this.child.kill();
      await once(this.child, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

class Person {
  constructor(adapter, claims) {
    Object.assign(this, { adapter, claims });
  }

  // A request as far as its head; the caller ends it, and reads what `answered` brings.
  async begin(method, path, headers = {}) {
    const assertion = await this.adapter.host.sign(this.claims);
    const outgoing = request({
      socketPath: this.adapter.socket,
      agent: false,
      method,
      path,
      headers: { host: kDoor, referer: `https://${kDoor}/wiki`, 'entente-assertion': assertion, ...headers },
    });
    outgoing.on('error', () => {});
    const answered = new Promise((done, failed) => {
      outgoing.once('response', done).once('error', failed);
    });
    answered.catch(() => {});
    return { outgoing, answered };
  }

  async ask(method, path, body, headers = {}) {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const { outgoing, answered } = await this.begin(method, path, { ...length, ...headers });
    outgoing.end(body);
    const answer = await answered;
    const chunks = [];
    for await (const chunk of answer) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    return { status: answer.statusCode, headers: answer.headers, bytes, body: bytes.toString('utf8') };
  }

  get(path, headers) {
    return this.ask('GET', path, undefined, headers);
  }

  post(path, fields, headers = {}) {
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    return this.ask('POST', path, new URLSearchParams(fields).toString(), { ...type, ...headers });
  }

  save(page, content) {
    const mimetype = 'text/x-markdown';
    return this.post('/wikiajax/save', { page, mimetype, content: `**${kMarking}**\n\n${content}`, isnew: 1 });
  }

  attach(page, name, bytes) {
    return this.ask('POST', '/attachadd', ...multipart({ page, comment: 'EXERCISE', ok: 'Add' }, name, bytes));
  }
}

// A body and its headers, as a browser sends a form with a file in its field "f".
export function multipart(fields, name, bytes) {
  const boundary = 'entente-test-boundary';
  const part = (field, more = '') =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${field}"${more}\r\n`;
  const texts = Object.entries(fields).map(([field, value]) => Buffer.from(`${part(field)}\r\n${value}\r\n`));
  const head = `${part('f', `; filename="${name}"`)}Content-Type: application/octet-stream\r\n\r\n`;
  const body = Buffer.concat([...texts, Buffer.from(head), Buffer.from(bytes), Buffer.from(`\r\n--${boundary}--\r\n`)]);
  return [body, { 'content-type': `multipart/form-data; boundary=${boundary}` }];
}
