// A person with a browser that does only what it is told: it keeps cookies by host name, follows redirects when
// asked, and can be made to show any header.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { ask, toLoopback } from '../../demo/loopback.mjs';
import { until } from './coalition.mjs';

const kHopsMax = 14;

export class Visitor {
  jar = new Map(); // host name -> cookie name and path -> { name, value, path }
  told = []; // every Set-Cookie, as it came: { hostname, line }

  constructor(coalition, login) {
    this.coalition = coalition;
    this.person = coalition.person(login);
    this.nation = coalition.nation(this.person.nation);
  }

  cookies(address) {
    const { hostname, pathname } = new URL(address);
    const kept = [...(this.jar.get(hostname)?.values() ?? [])].filter(({ path }) =>
      pathname.startsWith(path),
    );
    return kept.map(({ name, value }) => `${name}=${value}`).join('; ');
  }

  cookie(address, name) {
    const kept = this.jar.get(new URL(address).hostname) ?? new Map();
    return [...kept.values()].find((cookie) => cookie.name === name)?.value;
  }

  #keep(address, lines = []) {
    const { hostname } = new URL(address);
    if (!this.jar.has(hostname)) this.jar.set(hostname, new Map());
    for (const line of lines) {
      this.told.push({ hostname, line });
      const [first, ...attributes] = line.split(';').map((part) => part.trim());
      const equals = first.indexOf('=');
      const [name, value] = [first.slice(0, equals), first.slice(equals + 1)];
      const path = attributes.find((part) => /^path=/i.test(part))?.slice(5) ?? '/';
      if (value === '') this.jar.get(hostname).delete(`${name} ${path}`);
      else this.jar.get(hostname).set(`${name} ${path}`, { name, value, path });
    }
  }

  // One request, no redirect followed.
  async go(address, { method = 'GET', headers = {}, body, cookies = true } = {}) {
    const cookie = cookies ? this.cookies(address) : '';
    const answer = await ask(address, {
      method,
      headers: cookie ? { cookie, ...headers } : headers,
      body,
      ca: this.coalition.ca,
    });
    if (cookies) this.#keep(address, answer.headers['set-cookie']);
    return { ...answer, address };
  }

  // A form, as a page of the same origin sends it.
  submit(address, fields, headers = {}) {
    const type = 'application/x-www-form-urlencoded';
    return this.go(address, {
      method: 'POST',
      headers: { origin: new URL(address).origin, 'content-type': type, ...headers },
      body: new URLSearchParams(fields).toString(),
    });
  }

  // What the forms of a page of the lobby carry.
  async token(path = '/things') {
    const { body } = await this.go(`${this.nation.lobby}${path}`);
    const [, token] = /name="token" value="([^"]+)"/.exec(body) ?? [];
    assert.ok(token, `${path} has a form: ${body.slice(0, 500)}`);
    return token;
  }

  // Asks for an app; answers the request's id.
  async asksFor(app, purpose) {
    const fields = { token: await this.token(), app, purpose, minutes: '60' };
    const sent = await this.submit(`${this.nation.lobby}/requests`, fields);
    assert.equal(sent.status, 303, sent.body);
    return new URL(sent.headers.location).pathname.split('/').pop();
  }

  // What the lobby's card of an app says of it; undefined where there is no card.
  async card(app = 'cop-xaa') {
    const { body } = await this.go(`${this.nation.lobby}/`);
    const [, rest] = body.split(`data-app="${app}"`);
    return /data-state>([^<]*)</.exec(rest ?? '')?.[1];
  }

  async signOut() {
    const out = await this.submit(`${this.nation.lobby}/sign-out`, { token: await this.token('/') });
    assert.equal(out.status, 303);
  }

  // Follows redirects until a page comes, or until one leads where `stopAt` says.
  async follow(address, stopAt = () => false) {
    let at = address;
    for (let hop = 0; hop < kHopsMax; hop += 1) {
      if (stopAt(at)) return { address: at, stopped: true };
      const answer = await this.go(at);
      if (answer.status < 300 || answer.status > 399) return answer;
      at = new URL(answer.headers.location, at).href;
    }
    throw new Error(`${address}: more than ${kHopsMax} redirects`);
  }

  // To the provider and through its form; stops before `stopAt` (by default nowhere).
  async signIn(stopAt) {
    const form = await this.follow(`${this.nation.lobby}/sign-in`, stopAt);
    if (form.stopped || !form.address.startsWith(this.nation.issuer)) return form;
    return this.fill(form, stopAt);
  }

  // The provider's form, with this person's passphrase.
  async fill(form, stopAt) {
    const sent = await this.submit(form.address, { login: this.person.login, passphrase: this.person.passphrase });
    assert.ok(
      sent.status === 303 || sent.status === 302,
      `the provider takes the passphrase: ${sent.status}`,
    );
    return this.follow(new URL(sent.headers.location, form.address).href, stopAt);
  }

  // Opens the app from its own address; answers its first page.
  openApp(path = '/') {
    return this.follow(`${this.nation.app}${path}`);
  }

  static async in(coalition, login) {
    const visitor = new Visitor(coalition, login);
    const lobby = await visitor.signIn();
    assert.equal(lobby.status, 200, `${login} is signed in`);
    return visitor;
  }

  // Signed in, and the app open.
  static async inside(coalition, login) {
    const visitor = await Visitor.in(coalition, login);
    const page = await visitor.openApp();
    assert.equal(page.status, 200, `${login} opens the app: ${page.body.slice(0, 300)}`);
    return visitor;
  }

  // The same as soon as what keeps them out is over.
  static insideAgain(coalition, login) {
    return until(
      `${login} is inside again`,
      async () => {
        const visitor = await Visitor.in(coalition, login).catch(() => undefined);
        return visitor && (await visitor.openApp()).status === 200 && visitor;
      },
      20_000,
    );
  }

  // A WebSocket of the app, with this browser's cookies.
  async watch(path = '/tracks', headers = {}) {
    const address = `${this.nation.app}${path}`;
    const socket = new WebSocket(address.replace('https:', 'wss:'), {
      ca: this.coalition.ca,
      lookup: toLoopback,
      perMessageDeflate: false,
      headers: { cookie: this.cookies(address), origin: this.nation.app, ...headers },
    });
    const stream = { socket, messages: 0, lastAt: 0, closed: undefined };
    socket.on('message', () => {
      stream.messages += 1;
      stream.lastAt = performance.now();
    });
    stream.closed = new Promise((done) => {
      socket.on('close', () => done());
    });
    socket.on('error', () => {});
    const refused = once(socket, 'unexpected-response').then(([, answer]) => {
      socket.terminate();
      throw Object.assign(new Error(`refused with ${answer.statusCode}`), { status: answer.statusCode });
    });
    refused.catch(() => {});
    await Promise.race([once(socket, 'open'), refused]);
    return stream;
  }
}
