// Debian's radicale as a calendar for people who are known already. It believes X-Remote-User, so it listens on
// loopback for TLS from the holder of one certificate alone: this adapter's.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { makeCertificates } from '../certificates.mjs';

const kRequestMsMax = 60_000;
const kShared = 'harbor-light'; // the calendar that everybody finds among their own

const passed = [
  'accept',
  'accept-language',
  'content-type',
  'depth',
  'destination',
  'host',
  'if',
  'if-match',
  'if-none-match',
  'overwrite',
  'prefer',
  'user-agent',
];
const dropped = /^(connection|date|server|transfer-encoding|keep-alive)$/i;
const kFrontBytesMax = 256 * 1024;
const fronts = new Set(['/.web/', '/.web/index.html']);
const isFront = ({ url, method }) => method === 'GET' && fronts.has(url.split('?')[0]);
const without = (headers, name) =>
  headers.filter((_, index) => headers[index - (index % 2)].toLowerCase() !== name);
const escape = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

// Radicale's own page asks for a name and a password, believes any, and bears no marking. Nobody should think that it
// wants the passphrase of their nation.
const above = (marking) => `<div data-marking style="background:#7a4a00;color:#fff;padding:.3rem 1rem;text-align:center">
<strong>${escape(marking)}</strong><br>
You are signed in already, by your own nation. Below, write any name and no password: neither is used.
</div>
`;

async function fromFront(answer, marking) {
  const chunks = [];
  let length = 0;
  for await (const chunk of answer) {
    length += chunk.length;
    if (length > kFrontBytesMax) throw new Error("radicale's page is longer than it can be");
    chunks.push(chunk);
  }
  const page = Buffer.concat(chunks).toString('utf8');
  if (!page.includes('<nav>')) throw new Error("radicale's page is not the one that is known here");
  return Buffer.from(page.replace('<nav>', () => `${above(marking)}<nav>`));
}

function settingsFile({ certificates, data }) {
  const { authority, radicale } = certificates;
  return `[server]
hosts = 127.0.0.1:0
ssl = True
certificate = ${radicale.certificate}
key = ${radicale.key}
certificate_authority = ${authority}
[auth]
type = http_x_remote_user
[rights]
type = from_file
file = ${join(data, 'rights')}
[storage]
filesystem_folder = ${join(data, 'collections')}
[web]
type = internal
[logging]
level = info
`;
}

// Everybody reads and writes below their own name, and nothing else; the shared calendar is a link there. Who
// may write it is the node's policy, which sees the method.
const rights = `[root]
user: .+
collection:
permissions: R
[principal]
user: .+
collection: {user}
permissions: RW
[calendars]
user: .+
collection: {user}/[^/]+
permissions: rw
`;

const firstEvent = (marking) =>
  [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//Entente//demonstration//EN',
    'BEGIN:VEVENT',
    'UID:convoy-briefing',
    'DTSTAMP:20260101T000000Z',
    'DTSTART:20260105T080000Z',
    'DTEND:20260105T083000Z',
    'SUMMARY:EXERCISE Convoy briefing\\, West Ferry',
    `DESCRIPTION:${marking}`,
    'END:VEVENT',
    'END:VCALENDAR',
    '',
  ].join('\r\n');

export class Calendar {
  constructor({ data, marking }) {
    this.data = data;
    this.marking = marking;
    this.collections = join(data, 'collections', 'collection-root');
  }

  static async start(settings) {
    const calendar = new Calendar(settings);
    const { data } = settings;
    calendar.certificates = await makeCertificates(join(data, 'certificates'), {
      radicale: ['localhost'],
      adapter: ['adapter'],
    });
    const { authority, adapter } = calendar.certificates;
    calendar.tls = {
      ca: readFileSync(authority),
      cert: readFileSync(adapter.certificate),
      key: readFileSync(adapter.key),
      servername: 'localhost',
    };
    calendar.#found(settings);
    writeFileSync(join(data, 'rights'), rights);
    writeFileSync(join(data, 'config'), settingsFile(calendar));
    await calendar.#run();
    return calendar;
  }

  #found({ title, marking }) {
    const shared = join(this.collections, 'staff', kShared);
    if (existsSync(shared)) return;
    mkdirSync(shared, { recursive: true });
    const properties = { tag: 'VCALENDAR', 'D:displayname': title, 'C:calendar-description': marking };
    writeFileSync(join(shared, '.Radicale.props'), JSON.stringify(properties));
    writeFileSync(join(shared, 'convoy-briefing.ics'), firstEvent(marking));
  }

  async #run() {
    const options = { stdio: ['ignore', 'ignore', 'pipe'], env: { HOME: this.data, PATH: '/usr/bin:/bin' } };
    this.child = spawn('radicale', ['--config', join(this.data, 'config')], options);
    this.port = await new Promise((resolve, reject) => {
      this.child.once('error', () => reject(new Error('radicale is not installed; ./dev setup brings it')));
      this.child.once('exit', (code) => reject(new Error(`radicale ended with ${code}`)));
      createInterface(this.child.stderr).on('line', (line) => {
        const port = /Listening on .*:(\d+)/.exec(line)?.[1];
        if (port) resolve(Number(port));
        else if (/\[(WARNING|ERROR|CRITICAL)\]/.test(line)) process.stderr.write(`radicale: ${line}\n`);
      });
    });
    this.child.on('exit', (code, signal) => {
      if (this.ending) return;
      process.stderr.write(`radicale ended with ${code ?? signal}\n`);
      process.exit(1);
    });
  }

  get facts() {
    return { port: this.port };
  }

  #provision(name) {
    const own = join(this.collections, name);
    mkdirSync(own, { recursive: true });
    // Who removes it removes the link alone, and finds it again.
    if (!existsSync(join(own, kShared))) symlinkSync(join('..', 'staff', kShared), join(own, kShared));
  }

  // Whose collection a path names, radicale's rights say.
  refusalOf() {
    return undefined;
  }

  async serve({ name }, request, body, response) {
    this.#provision(name);
    const headers = { 'x-remote-user': name, 'content-length': body.length };
    for (const header of passed) if (request.headers[header]) headers[header] = request.headers[header];
    const { url: path, method } = request;
    const target = { host: '127.0.0.1', port: this.port, path, method, headers, agent: false, ...this.tls };
    const answer = await new Promise((resolve, reject) => {
      const outgoing = httpsRequest({ ...target, signal: AbortSignal.timeout(kRequestMsMax) }, resolve);
      outgoing.on('error', reject);
      response.once('close', () => outgoing.destroy());
      outgoing.end(body);
    });
    const kept = ['x-content-type-options', 'nosniff'];
    for (let i = 0; i < answer.rawHeaders.length; i += 2)
      if (!dropped.test(answer.rawHeaders[i])) kept.push(answer.rawHeaders[i], answer.rawHeaders[i + 1]);
    if (isFront(request) && answer.statusCode === 200) {
      const page = await fromFront(answer, this.marking);
      response.writeHead(200, [...without(kept, 'content-length'), 'content-length', page.length]).end(page);
      return;
    }
    response.writeHead(answer.statusCode, kept);
    await pipeline(answer, response);
  }

  async end() {
    this.ending = true;
    this.child.kill('SIGTERM');
  }
}
