// Debian's fossil as a wiki for people who are known already. Nothing of it listens: each request starts
// `fossil http`, which reads it as SCGI from a pipe, with REMOTE_USER set to the visitor's name.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { answerText } from './answer.mjs';

const kRunningMax = 8; // more wait; one is a process of some milliseconds
const kWaitingMax = 256;
const kRequestMsMax = 60_000;
const kHeadBytesMax = 64 * 1024;

// A stored password of this form is no hash and no text that fossil compares with: none opens the account.
const kNoPassword = '*'.repeat(40);
const kMenu = 'Home /home * {}\nPages /wcontent * {}\nChanges /timeline?y=w * {}';
// What is the administrator's, or a way to become somebody else.
const shut = /^\/(login|logout|register|resetpw|setup|admin|xfer|json|ext|cgi|test)/i;
const passed = [
  'accept',
  'accept-encoding',
  'accept-language',
  'if-modified-since',
  'if-none-match',
  'origin',
  'range',
  'referer',
  'user-agent',
];

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

// A fossil login would count for more than REMOTE_USER: its cookie does not reach it.
const cookiesFor = (header = '') =>
  header
    .split(';')
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie && !/^fossil-/i.test(cookie))
    .join('; ');

// RFC 3875's variables as an SCGI head: a netstring of names and values, CONTENT_LENGTH first.
export function scgiHead(request, user) {
  const [path, ...rest] = request.url.split('?');
  const { headers } = request;
  const variables = [
    ['CONTENT_LENGTH', headers['content-length'] ?? '0'],
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
    ['HTTP_COOKIE', cookiesFor(headers.cookie)],
    ...passed.map((name) => [`HTTP_${name.toUpperCase().replaceAll('-', '_')}`, headers[name] ?? '']),
    ['CONTENT_TYPE', headers['content-type'] ?? ''],
  ];
  const text = variables
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}\0${value}\0`)
    .join('');
  return Buffer.from(`${Buffer.byteLength(text)}:${text},`);
}

// What fossil writes before its body: { status, headers, rest }.
export async function readHead(output) {
  let bytes = Buffer.alloc(0);
  while (!bytes.includes('\r\n\r\n')) {
    const chunk = output.read() ?? (output.readableEnded ? undefined : await once(output, 'readable').then(() => output.read()));
    if (chunk) bytes = Buffer.concat([bytes, chunk]);
    else if (output.readableEnded || output.destroyed) throw new Error('fossil ended without an answer');
    if (bytes.length > kHeadBytesMax && !bytes.includes('\r\n\r\n')) throw new Error('fossil answers without an end');
  }
  const end = bytes.indexOf('\r\n\r\n');
  const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(/^(?:HTTP\/1\.\d|Status:) (\d{3})/.exec(first)?.[1]);
  if (!status) throw new Error(`fossil answers "${first}"`);
  const headers = lines
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])
    .filter(([name]) => !/^(connection|date|transfer-encoding)$/i.test(name));
  return { status, headers, rest: bytes.subarray(end + 4) };
}

export class Wiki {
  #provisioned = new Map(); // name -> capabilities
  #running = 0;
  #waiting = [];

  constructor({ data, capabilities = {} }) {
    this.repository = join(data, 'wiki.fossil');
    this.capabilities = capabilities;
    this.env = { HOME: data, PATH: '/usr/bin:/bin', USER: 'keeper' };
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

  #sql(statements) {
    return this.#fossil(['sql', '-R', this.repository], `.bail on\n${statements.join(';\n')};\n`);
  }

  // Whoever is not provisioned here is nobody, and nobody may do nothing. No account has a password.
  async #found({ title, marking }) {
    await this.#fossil(['init', this.repository, '--admin-user', 'keeper', '--project-name', `${marking} | ${title}`]);
    await this.#sql([
      `UPDATE user SET pw = ${quoted(kNoPassword)}`,
      "UPDATE user SET cap = '' WHERE login <> 'keeper'",
      "REPLACE INTO config (name, value, mtime) VALUES ('remote_user_ok', '1', 0), ('self-register', '0', 0), " +
        "('localauth', '1', 0), ('backoffice-disable', '1', 0), ('index-page', '/wiki?name=Harbor+Light', 0)",
      `REPLACE INTO config (name, value, mtime) VALUES ('mainmenu', ${quoted(kMenu)}, 0)`,
    ]);
    const page = [`**${marking}**`, '', `# ${title}`, '', 'Plans, port notes and files of the staffs.', ''].join('\n');
    const words = ['wiki', 'create', 'Harbor Light', '-', '--mimetype', 'text/x-markdown', '-R', this.repository];
    await this.#fossil(words, page);
  }

  // The account is there with exactly what the role gives before fossil sees the name.
  async #provision({ name, nation, roles }) {
    const letters = roles.map((role) => this.capabilities[role] ?? '').join('');
    const wanted = [...new Set(letters)].sort().join('');
    if (this.#provisioned.get(name) === wanted) return;
    const info = `${roles.join(', ')} of ${nation}`;
    const row = [name, kNoPassword, wanted, info].map(quoted).join(', ');
    await this.#sql([
      `INSERT INTO user (login, pw, cap, info, mtime) VALUES (${row}, strftime('%s', 'now'))
       ON CONFLICT (login) DO UPDATE SET pw = excluded.pw, cap = excluded.cap, info = excluded.info`,
    ]);
    this.#provisioned.set(name, wanted);
  }

  async #turn() {
    if (this.#running < kRunningMax) {
      this.#running += 1;
      return true;
    }
    if (this.#waiting.length >= kWaitingMax) return false;
    await new Promise((resolve) => this.#waiting.push(resolve));
    return true;
  }

  #done() {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running -= 1;
  }

  async serve(person, request, response) {
    const { pathname } = new URL(request.url, 'http://wiki');
    if (shut.test(pathname) || !['GET', 'HEAD', 'POST'].includes(request.method)) {
      answerText(response, 403, 'This part of the wiki is not served here.');
      return;
    }
    if (!(await this.#turn())) {
      answerText(response, 503, 'The wiki is busy; try again in a moment.');
      return;
    }
    try {
      await this.#provision(person);
      await this.#run(person, request, response);
    } finally {
      this.#done();
    }
  }

  async #run({ name }, request, response) {
    const words = ['http', this.repository, '--scgi', '--https', '--nojail', '--nodelay', '--nocompress'];
    const child = spawn('fossil', words, { env: this.env, stdio: ['pipe', 'pipe', 'ignore'], timeout: kRequestMsMax });
    const kill = () => child.kill('SIGKILL');
    response.once('close', kill);
    child.on('error', () => {});
    child.stdin.on('error', () => {}); // it may answer without reading all
    child.stdin.write(scgiHead(request, name));
    request.pipe(child.stdin);
    const { status, headers, rest } = await readHead(child.stdout);
    response.writeHead(status, headers.flat());
    response.write(rest);
    await pipeline(child.stdout, response);
  }

  async end() {}
}
