// Debian's fossil as a wiki for people who are known already. Nothing of it listens: each request starts
// `fossil http`, which reads it as SCGI from a pipe, with REMOTE_USER set to the visitor's name.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SettingsError } from '../settings.mjs';
import { headersFor, refusalOf } from './fossil_pages.mjs';
import { isPlain } from './plain.mjs';

const kRequestMsMax = 60_000;
const kHeadBytesMax = 64 * 1024;
const kProvisionedMax = 10_000; // people remembered; of one more, fossil is told again
const kAddressesMax = 100; // likewise
const kMenu = 'Home /home * {}\nPages /wcontent * {}\nChanges /timeline?y=w * {}';
// Not the cookies: fossil takes them for fields of the request, and its own for a way to sign in.
const passed = [
  'accept',
  'accept-encoding',
  'accept-language',
  'if-modified-since',
  'if-none-match',
  'origin',
  'referer',
  'user-agent',
];

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

// RFC 3875's variables as an SCGI head: a netstring of names and values, CONTENT_LENGTH first.
export function scgiHead(request, user, length) {
  const [path, ...rest] = request.url.split('?');
  const { headers } = request;
  const variables = [
    ['CONTENT_LENGTH', String(length)],
    ['SCGI', '1'],
    ['REQUEST_METHOD', request.method],
    ['REQUEST_URI', request.url],
    ['SCRIPT_NAME', ''],
    ['PATH_INFO', decodeURIComponent(path)],
    ['QUERY_STRING', rest.join('?')],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['REMOTE_ADDR', '127.0.0.1'],
    ['REMOTE_USER', user],
    ['HTTPS', 'on'], // browsers come over TLS, to the name in Host: fossil compares origins with it
    ['HTTP_HOST', headers.host ?? ''],
    ...passed.map((name) => [`HTTP_${name.toUpperCase().replaceAll('-', '_')}`, headers[name] ?? '']),
    ['CONTENT_TYPE', headers['content-type'] ?? ''],
  ];
  if (!variables.every(([, value]) => isPlain(value))) throw new Error('a value would end early');
  const text = variables
    .filter(([name, value]) => value !== '' || name === 'SCRIPT_NAME') // fossil would guess it
    .map(([name, value]) => `${name}\0${value}\0`)
    .join('');
  return Buffer.from(`${Buffer.byteLength(text)}:${text},`);
}

// What fossil writes before its body: { status, headers, rest }, headers by their names in lower case.
export async function readHead(output) {
  let bytes = Buffer.alloc(0);
  while (!bytes.includes('\r\n\r\n')) {
    const chunk = output.read();
    if (chunk) bytes = Buffer.concat([bytes, chunk]);
    else if (output.readableEnded || output.destroyed) throw new Error('fossil ended without an answer');
    else await new Promise((go) => output.once('readable', go).once('end', go).once('close', go));
    if (bytes.length > kHeadBytesMax && !bytes.includes('\r\n\r\n')) throw new Error('fossil answers without an end');
  }
  const end = bytes.indexOf('\r\n\r\n');
  const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(/^(?:HTTP\/1\.\d|Status:) (\d{3})/.exec(first)?.[1]);
  if (!status) throw new Error(`fossil answers "${first}"`);
  const headers = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 1).trim(),
  ]);
  return { status, headers: new Map(headers), rest: bytes.subarray(end + 4) };
}

// What roles give, by role: letters of fossil's, but for those that administer it (a, s).
function capabilitiesIn({ path, capabilities = {} }) {
  for (const [role, letters] of Object.entries(capabilities)) {
    if (!/^[a-z][a-z0-9-]*$/.test(role) || typeof letters !== 'string' || !/^[b-rt-z0-9]*$/.test(letters))
      throw new SettingsError(
        `${path}: /capabilities/${JSON.stringify(role)}: a role, and letters of fossil's capabilities other than a and s`,
      );
  }
  return new Map(Object.entries(capabilities));
}

export class Wiki {
  #provisioned = new Map(); // name -> capabilities
  #addresses = new Set(); // that fossil has noted

  constructor(settings) {
    this.repository = join(settings.data, 'wiki.fossil');
    this.capabilities = capabilitiesIn(settings);
    this.env = { HOME: settings.data, PATH: '/usr/bin:/bin', USER: 'keeper' };
  }

  static async start(settings) {
    const wiki = new Wiki(settings);
    if (!existsSync(wiki.repository)) await wiki.#found(settings);
    return wiki;
  }

  #fossil(words, input) {
    return new Promise((resolve, reject) => {
      const child = execFile('fossil', words, { env: this.env, timeout: kRequestMsMax }, (error, output, said) => {
        if (error?.code === 'ENOENT') reject(new Error('fossil is not installed; ./dev setup brings it'));
        else if (error) reject(new Error(`fossil ${words[0]}: ${said || error.message}`));
        else resolve(output);
      });
      child.stdin.on('error', () => {});
      child.stdin.end(input ?? '');
    });
  }

  #sql(statements, repository = this.repository) {
    return this.#fossil(['sql', '-R', repository], `.bail on\n${statements.join(';\n')};\n`);
  }

  // Whoever is not provisioned here is nobody, and nobody may do nothing. Nobody knows a password: fossil compares
  // what is stored also as it stands, so each is drawn by lot. A wiki that was not finished is made anew.
  async #found({ title, marking }) {
    const begun = `${this.repository}.begun`;
    rmSync(begun, { force: true });
    await this.#fossil(['init', begun, '--admin-user', 'keeper', '--project-name', `${marking} | ${title}`]);
    const statements = [
      'UPDATE user SET pw = lower(hex(randomblob(20)))',
      "UPDATE user SET cap = '' WHERE login <> 'keeper'",
      "REPLACE INTO config (name, value, mtime) VALUES ('remote_user_ok', '1', 0), ('self-register', '0', 0), " +
        "('localauth', '1', 0), ('backoffice-disable', '1', 0), ('index-page', '/wiki?name=Harbor+Light', 0)",
      `REPLACE INTO config (name, value, mtime) VALUES ('mainmenu', ${quoted(kMenu)}, 0)`,
    ];
    await this.#sql(statements, begun);
    const page = [`**${marking}**`, '', `# ${title}`, '', 'Plans, port notes and files of the staffs.', ''].join('\n');
    const words = ['wiki', 'create', 'Harbor Light', '-', '--mimetype', 'text/x-markdown', '-R', begun];
    await this.#fossil(words, page);
    renameSync(begun, this.repository);
  }

  #lettersOf(roles) {
    const letters = roles.map((role) => this.capabilities.get(role) ?? '').join('');
    return [...new Set(letters)].sort().join('');
  }

  // The account is there with exactly what the roles give before fossil sees the name.
  async #provision({ name, nation, roles }) {
    const wanted = this.#lettersOf(roles);
    if (this.#provisioned.get(name) === wanted) return;
    const info = `${roles.filter((role) => this.capabilities.has(role)).join(', ')} of ${nation}`;
    const row = [name, randomBytes(20).toString('hex'), wanted, info].map(quoted).join(', ');
    await this.#sql([
      `INSERT INTO user (login, pw, cap, info, mtime) VALUES (${row}, strftime('%s', 'now'))
       ON CONFLICT (login) DO UPDATE SET pw = excluded.pw, cap = excluded.cap, info = excluded.info`,
    ]);
    if (this.#provisioned.size >= kProvisionedMax) this.#provisioned.clear();
    this.#provisioned.set(name, wanted);
  }

  // Fossil notes each address that it is reached by, and answers 400 when two requests bring a new one at once.
  async #note(host) {
    const address = `https://${host.toLowerCase().replace(/:443$/, '').replace(/\.$/, '')}`;
    if (this.#addresses.has(address)) return;
    await this.#sql([`INSERT OR IGNORE INTO config (name, value, mtime) VALUES (${quoted(`baseurl:${address}`)}, '1', 0)`]);
    if (this.#addresses.size >= kAddressesMax) this.#addresses.clear();
    this.#addresses.add(address);
  }

  // Without a capability fossil would look for another way to know who it is.
  refusalOf({ roles }, request) {
    if (!this.#lettersOf(roles)) return [403, 'The wiki gives your role nothing to read.'];
    return refusalOf(request);
  }

  async serve(person, request, body, response) {
    await this.#provision(person);
    await this.#note(request.headers.host ?? '');
    if (response.destroyed) return;
    const words = ['http', this.repository, '--scgi', '--https', '--nojail', '--nodelay', '--nocompress'];
    const limits = { timeout: kRequestMsMax, killSignal: 'SIGKILL' };
    const child = spawn('fossil', words, { env: this.env, stdio: ['pipe', 'pipe', 'ignore'], ...limits });
    const exited = once(child, 'exit').catch(() => ['is not there']);
    response.once('close', () => child.kill('SIGKILL'));
    child.stdin.on('error', () => {}); // it may answer without reading all
    child.stdin.end(Buffer.concat([scgiHead(request, person.name, body.length), body]));
    const { status, headers, rest } = await readHead(child.stdout);
    response.writeHead(status, headersFor(request, status, headers));
    response.write(rest);
    await pipeline(child.stdout, response, { end: false });
    const [code] = await exited;
    if (code !== 0) throw new Error(`fossil ended with ${code}`);
    response.end();
  }

  async end() {}
}
