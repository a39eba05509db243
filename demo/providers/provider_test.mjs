// A national provider as its node meets it, driven by npm openid-client, which is nobody's of this project.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as openid from 'openid-client';
import { makeCertificates } from '../certificates.mjs';
import { firstLine } from '../lifeline.mjs';
import { ask } from '../loopback.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const callback = 'https://lobby.test.localhost:1/entente/callback';
const clientId = 'entente-test';
const passphrase = 'a test passphrase';

let folder;
let ca;
let clientKey;
const children = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'entente-providers-'));
  const people = JSON.parse(readFileSync(join(here, '../coalition/people.json'), 'utf8'));
  people.people.forEach((person) => Object.assign(person, { passphrase }));
  writeFileSync(join(folder, 'people.json'), JSON.stringify(people));
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  clientKey = await crypto.subtle.importKey(
    'pkcs8',
    pair.privateKey.export({ type: 'pkcs8', format: 'der' }),
    { name: 'ECDSA', namedCurve: 'P-256' },
    false,
    ['sign'],
  );
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' };
  writeFileSync(join(folder, 'client.jwks'), JSON.stringify({ keys: [jwk] }));
});

after(async () => {
  for (const child of children) child.kill();
  await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')));
  rmSync(folder, { recursive: true, force: true });
});

async function start(nationFile, overrides = {}) {
  const name = nationFile.replace('.json', '');
  const made = await makeCertificates(join(folder, name), { idp: [`idp.${name}.localhost`] });
  ca = readFileSync(made.authority);
  const settings = {
    nation: join(here, nationFile),
    host: `idp.${name}.localhost`,
    port: 0,
    tls: { certificate: made.idp.certificate, key: made.idp.key },
    data: join(folder, name, 'data'),
    people: join(folder, 'people.json'),
    clients: [{ client_id: clientId, redirect_uris: [callback], jwks: join(folder, 'client.jwks') }],
    ...overrides,
  };
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(settings));
  const child = spawn(process.execPath, [join(here, 'provider.mjs'), path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  return { child, ...JSON.parse(await firstLine(child)) };
}

async function loopbackFetch(address, { method, headers, body }) {
  const sent = { ...headers };
  const text = body === undefined || body === null ? undefined : String(body);
  if (text) sent['content-length'] = Buffer.byteLength(text);
  const answer = await ask(address, { method, headers: sent, body: text, ca });
  return new Response(answer.body || null, { status: answer.status, headers: answer.headers });
}

const discover = (issuer) =>
  openid.discovery(
    new URL(issuer),
    clientId,
    undefined,
    openid.PrivateKeyJwt({ key: clientKey, kid: 'k1' }),
    {
      [openid.customFetch]: loopbackFetch,
    },
  );

// A browser without a screen: keeps cookies by host, follows redirects, stops at our callback.
class Visitor {
  cookies = new Map();

  async go(address, init = {}) {
    let answer;
    for (let hop = 0; hop < 8; hop += 1) {
      if (address.startsWith(callback)) return { address };
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      answer = await ask(address, { ...init, headers: { cookie, ...init.headers }, ca });
      for (const line of answer.headers['set-cookie'] ?? []) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        if (value) this.cookies.set(name, value);
        else this.cookies.delete(name);
      }
      if (!answer.headers.location) return { address, ...answer };
      address = new URL(answer.headers.location, address).href;
      init = {};
    }
    throw new Error(`no end of redirects at ${address}`);
  }

  submit(page, fields, origin = new URL(page.address).origin) {
    const body = new URLSearchParams(fields).toString();
    const headers = {
      origin,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(body),
    };
    return this.go(page.address, { method: 'POST', headers, body });
  }
}

async function beginSignIn(config, scope) {
  const verifier = openid.randomPKCECodeVerifier();
  const checks = {
    pkceCodeVerifier: verifier,
    expectedNonce: openid.randomNonce(),
    expectedState: openid.randomState(),
  };
  const address = await openid.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: callback,
    scope,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    nonce: checks.expectedNonce,
    state: checks.expectedState,
    claims: JSON.stringify({ id_token: { amr: null, acr: null, auth_time: null } }),
  });
  return { checks, address: address.href };
}

const nations = [
  {
    file: 'aldoria.json',
    alg: 'ES256',
    scope: 'dienst',
    login: 'konrad',
    claim: ['clearance', 'GEHEIM-2'],
    acr: 'urn:xaa:ausweis:karte',
  },
  {
    file: 'borealis.json',
    alg: 'PS256',
    scope: 'tjeneste',
    login: 'ingrid',
    claim: ['sikkerhetsgrad', 'FORTROLEG-B'],
    acr: 'nivaa-4',
  },
];

for (const nation of nations) {
  describe(nation.file, () => {
    let idp;
    let config;
    before(async () => {
      idp = await start(nation.file);
      config = await discover(idp.issuer);
    });

    test('a person signs in and the node learns national claims, signed by the nation', async () => {
      const visitor = new Visitor();
      const { checks, address } = await beginSignIn(config, `openid profile ${nation.scope}`);
      const page = await visitor.go(address);
      assert.equal(page.status, 200);
      assert.match(page.headers['content-security-policy'], /default-src 'none'/);
      const end = await visitor.submit(page, { login: nation.login, passphrase });
      assert.equal(new URL(end.address).searchParams.get('iss'), idp.issuer);
      const tokens = await openid.authorizationCodeGrant(config, new URL(end.address), checks);
      const claims = tokens.claims();
      assert.equal(claims[nation.claim[0]], nation.claim[1]);
      assert.equal(claims.acr, nation.acr);
      assert.ok(claims.amr.includes('hwk'));
      const header = JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url'));
      assert.equal(header.alg, nation.alg);
    });

    test('a wrong passphrase says so and signs nobody in', async () => {
      const visitor = new Visitor();
      const page = await visitor.go((await beginSignIn(config, 'openid')).address);
      const again = await visitor.submit(page, { login: nation.login, passphrase: 'wrong' });
      assert.equal(again.status, 403);
      assert.match(again.body, /role="alert"/);
      const other = nation.login === 'konrad' ? 'ingrid' : 'konrad';
      assert.equal(
        (await visitor.submit(page, { login: other, passphrase })).status,
        403,
        'a person of another nation',
      );
    });

    test('a form from another origin is refused', async () => {
      const visitor = new Visitor();
      const page = await visitor.go((await beginSignIn(config, 'openid')).address);
      const answer = await visitor.submit(
        page,
        { login: nation.login, passphrase },
        'https://elsewhere.localhost',
      );
      assert.equal(answer.status, 403);
    });

    test('an authorization request that was not pushed is refused', async () => {
      const plain = openid.buildAuthorizationUrl(config, {
        redirect_uri: callback,
        scope: 'openid',
        state: 's',
      });
      const end = await new Visitor().go(plain.href);
      assert.match(end.address + (end.body ?? ''), /invalid_request/);
    });
  });
}

test('a provider ends when the pipe from its parent closes', async () => {
  const idp = await start('cassia.json');
  idp.child.stdin.end();
  const [code] = await once(idp.child, 'exit');
  assert.equal(code, 0);
});

test('an unknown key in the settings is one line that names file and place, and nothing starts', async () => {
  const path = join(folder, 'wrong.json');
  writeFileSync(path, JSON.stringify({ nation: join(here, 'aldoria.json'), porte: 1 }));
  const child = spawn(process.execPath, [join(here, 'provider.mjs'), path], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data) => {
    said += data;
  });
  const [code] = await once(child, 'exit');
  assert.equal(code, 2);
  assert.match(said, /^provider: .*wrong\.json: \/porte: unknown key; known here: nation, host/);
  assert.equal(said.trim().split('\n').length, 1);
});
