// A partner's node that keeps to no rule: a true link key and a true statement key, and everything else as a test
// says it. HTTP/2 by Node, control messages and statements by hand.
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createServer as createTls } from 'node:tls';
import { until } from './coalition.mjs';
import { openTls } from './wire.mjs';

const base64url = (value) => Buffer.from(value).toString('base64url');
const unbounded = { maxSessionMemory: 4096 }; // MB of what waits to be sent: who attacks has no less than whoever is attacked
const seconds = () => Math.floor(Date.now() / 1000);

// What a nation's record in a genesis says, and what only its node holds.
export function makeNation(code, folder) {
  const at = (name) => join(folder, `${code}-${name}`);
  const made = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2'.split(' ');
  const files = ['-keyout', at('key.pem'), '-out', at('cert.pem')];
  execFileSync('openssl', [...made, '-subj', `/CN=${code}`, ...files], { stdio: 'ignore' });
  const [key, cert] = [readFileSync(at('key.pem')), readFileSync(at('cert.pem'))];
  const thumbprint = createHash('sha256').update(new X509Certificate(cert).raw).digest('base64url');
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  const kid = `${code}-1`;
  const record = {
    name: code,
    state: 'active',
    member_since: 'now-30d',
    member_until: 'now+180d',
    ceiling: 'CONFIDENTIAL',
    link_thumbprints: [thumbprint],
    statement_keys: { keys: [{ kty, crv, x, y, kid, alg: 'ES256', use: 'sig' }] },
  };
  return { code, key, cert, kid, privateKey, thumbprint, record };
}

// Compact JWS, as twisted as `header` and `signer` are.
export function jws(header, claims, signer) {
  const text = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
  return `${text}.${signer ? base64url(signer(Buffer.from(text))) : ''}`;
}

export const es256 = (key) => (bytes) => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' });

export class HostileNode {
  seq = 0;
  prev = '';
  epoch = 0;
  number = 0;
  pulses = 0;
  heard = [];

  constructor(nation, port) {
    Object.assign(this, { nation, port });
  }

  async dial(alpn = 'entente-link/1') {
    const { key, cert } = this.nation;
    const socket = await openTls(this.port, { alpn: [alpn], insecure: true, key, cert });
    socket.on('error', () => {});
    this.session = connectHttp2('https://node', { createConnection: () => socket, ...unbounded });
    this.closed = once(this.session, 'close').catch(() => {});
    this.session.on('error', () => {});
    await once(this.session, 'remoteSettings');
    return this;
  }

  hangUp() {
    this.session?.destroy();
  }

  // One request on the link; the answer's { status, headers, body }. A reset stream answers status 0.
  request(path, headers = {}) {
    const stream = this.session.request({ ':method': 'GET', ':path': path, ':authority': 'node', ...headers });
    return new Promise((done) => {
      const answer = { status: 0, headers: {}, body: '' };
      stream.on('response', (fields) => Object.assign(answer, { status: fields[':status'], headers: fields }));
      stream.setEncoding('utf8').on('data', (text) => (answer.body += text));
      stream.on('error', () => {}).on('close', () => done(answer));
      stream.end();
    });
  }

  // A request whose body the test sends: its stream.
  post(path) {
    const stream = this.session.request({ ':method': 'POST', ':path': path, ':authority': 'node' });
    return stream.on('error', () => {});
  }

  // Opens the control stream and greets, as a home does that has no sessions.
  async control() {
    this.stream = this.session.request({
      ':method': 'CONNECT',
      ':protocol': 'entente-control',
      ':scheme': 'https',
      ':path': '/entente/control',
      ':authority': 'node',
    });
    let rest = '';
    this.stream.setEncoding('utf8').on('error', () => {});
    this.stream.on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      this.heard.push(...lines.map((line) => JSON.parse(line)));
    });
    const [{ ':status': status }] = await once(this.stream, 'response');
    if (status !== 200) throw new Error(`the control stream is answered with ${status}`);
    await this.hello();
    return this;
  }

  async hello() {
    this.epoch += 1_000;
    this.number = 0;
    const before = this.heard.length;
    this.say({ kind: 'hello', sessions: [] });
    await until('a welcome', () => this.heard.slice(before).some(({ kind }) => kind === 'welcome'));
  }

  write(text) {
    this.stream.write(text);
  }

  envelope(message) {
    return { v: 1, epoch: this.epoch, n: ++this.number, ...message };
  }

  say(message) {
    this.write(`${JSON.stringify(this.envelope(message))}\n`);
  }

  // Returns once all that was said before has been acted upon: what is said is taken in order, and this answered.
  async heardAll() {
    const at = ++this.pulses;
    this.say({ kind: 'pulse', at });
    await until('a beat', () => this.heard.some(({ kind, echo }) => kind === 'beat' && echo === at));
  }

  // What is said of a person, right unless twisted: `claims` and `facts` over the right ones. Takes the next
  // number unless `claims` names one.
  statement({ claims = {}, facts = {}, body = {}, header = {}, signer = es256(this.nation.privateKey) } = {}) {
    const end = new Date((seconds() + 3000) * 1000).toISOString().replace(/\.\d+/, '');
    const fact = (value) => ({ value, source: 'idp:hostile', end });
    const right = {
      role: 'planner',
      clearance: 'CONFIDENTIAL',
      nationality: this.nation.code,
      assurance: 3,
      missions: 'harbor-light',
      signed_in_at: Date.now(),
      'context.risk': 0,
      'context.network': 'door',
      ...facts,
    };
    const all = {
      iss: this.nation.code,
      aud: 'XAA',
      seq: this.seq + 1,
      prev: this.prev,
      iat: seconds(),
      exp: seconds() + 3000,
      kind: 'person',
      body: {
        partner: this.nation.code,
        person: 'person-1',
        app: 'cop',
        facts: Object.fromEntries(Object.entries(right).map(([name, value]) => [name, fact(value)])),
        ...body,
      },
      ...claims,
    };
    return jws({ alg: 'ES256', typ: 'entente-statement+jwt', kid: this.nation.kid, ...header }, all, signer);
  }

  // The host took it: the next one follows it.
  took(statement) {
    this.seq = JSON.parse(Buffer.from(statement.split('.')[1], 'base64url')).seq;
    this.prev = createHash('sha256').update(statement).digest('base64url');
  }

  // Asks for an admission; the host's answer, or nothing when it gives none.
  async ask(statement, msMax = 3000) {
    const request = randomBytes(9).toString('base64url');
    this.say({ kind: 'ask', request, statement });
    const end = performance.now() + msMax;
    for (;;) {
      const found = this.heard.find((message) => message.kind === 'answer' && message.request === request);
      if (found || performance.now() > end) return found;
      await wait(20);
    }
  }

  // A planner of theirs gets in at the host: the session's id there.
  async admitted() {
    const statement = this.statement();
    const answer = await this.ask(statement, 8000);
    if (!answer?.session) throw new Error(`not admitted: ${JSON.stringify(answer)}`);
    this.took(statement);
    return answer.session;
  }
}

// The same nation as one that is dialed: it takes the control stream, says nothing on it, and answers what is asked of
// its key service as `keys(stream)` does.
export class HostileService {
  keys = () => {};

  constructor(nation) {
    this.nation = nation;
    this.http2 = createHttp2({ settings: { enableConnectProtocol: true }, ...unbounded });
    this.http2.on('sessionError', () => {});
    this.http2.on('stream', (stream, headers) => {
      stream.on('error', () => {}).resume();
      if (headers[':method'] === 'CONNECT') stream.respond({ ':status': 200 });
      else if (headers[':path'] === '/entente/keys') this.keys(stream);
      else stream.respond({ ':status': 403 }, { endStream: true });
    });
  }

  async listen() {
    const { key, cert } = this.nation;
    this.server = createTls({ key, cert, ALPNProtocols: ['entente-link/1'] });
    this.server.on('tlsClientError', () => {});
    this.server.on('secureConnection', (socket) => this.http2.emit('connection', socket.on('error', () => {})));
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
    this.port = this.server.address().port;
    return this;
  }

  close() {
    this.server.close();
  }
}
