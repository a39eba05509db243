// An identity provider in the place of a nation's own, at its address and with its certificate, that signs
// whatever a test wants. It plays the whole code flow (PAR, PKCE, private_key_jwt are taken unchecked).
import { generateKeyPairSync, randomBytes, sign, constants } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { jws } from './hostile_node.mjs';

const seconds = () => Math.floor(Date.now() / 1000);
export const ps256 = (key) => (bytes) =>
  sign('sha256', bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });

export class HostileProvider {
  secrets = new Set(); // codes and tokens it gave out
  asked = []; // paths it was asked for
  codes = new Map();
  requests = new Map();
  twist = {}; // { claims, drop, header, signer, token(answer), late }

  constructor(coalition, nation) {
    const { issuer } = coalition.nation(nation);
    Object.assign(this, { issuer, name: `${nation.toLowerCase()}-idp`, coalition });
    this.key = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.kid = 'h-1';
    this.jwks = [this.#jwk()];
  }

  #jwk() {
    return { ...this.key.publicKey.export({ format: 'jwk' }), kid: this.kid, alg: 'PS256', use: 'sig' };
  }

  // Signs with another key from now on, and shows both. Answers the old one, as a twist for idToken().
  rotate(kid) {
    const old = { header: { kid: this.kid }, signer: ps256(this.key.privateKey) };
    this.key = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.kid = kid;
    this.jwks = [...this.jwks, this.#jwk()];
    return old;
  }

  withdrawOldKeys() {
    this.jwks = [this.#jwk()];
  }

  async listen() {
    const file = (kind) => readFileSync(this.coalition.file('certificates', `${this.name}.${kind}.pem`));
    this.server = createServer({ cert: file('cert'), key: file('key') }, (request, response) =>
      this.#serve(request, response).catch(() => response.destroy()),
    );
    this.server.listen(new URL(this.issuer).port, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  idToken(nonce) {
    const { claims = {}, drop = [], header = {}, signer = ps256(this.key.privateKey) } = this.twist;
    const all = {
      iss: this.issuer,
      sub: 'hostile-subject',
      aud: 'entente-node-xbb',
      iat: seconds(),
      exp: seconds() + 300,
      auth_time: seconds(),
      nonce,
      acr: 'nivaa-4',
      amr: ['hwk', 'pin', 'mfa'],
      nasjon: 'Borealis',
      sikkerhetsgrad: 'FORTROLEG-B',
      stilling: 'planleggjar',
      ...claims,
    };
    for (const name of drop) delete all[name];
    return jws({ alg: 'PS256', typ: 'JWT', kid: this.kid, ...header }, all, signer);
  }

  async #serve(request, response) {
    const url = new URL(request.url, this.issuer);
    this.asked.push(`${request.method} ${url.pathname}`);
    let text = '';
    for await (const chunk of request) text += chunk;
    const form = new URLSearchParams(text);
    const json = (value, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (url.pathname === '/.well-known/openid-configuration') {
      const at = (path) => `${this.issuer}${path}`;
      return json({
        issuer: this.issuer,
        authorization_endpoint: at('/auth'),
        token_endpoint: at('/token'),
        jwks_uri: at('/jwks'),
        pushed_authorization_request_endpoint: at('/par'),
        authorization_response_iss_parameter_supported: true,
        response_types_supported: ['code'],
        subject_types_supported: ['pairwise'],
        code_challenge_methods_supported: ['S256'],
        token_endpoint_auth_methods_supported: ['private_key_jwt'],
        token_endpoint_auth_signing_alg_values_supported: ['ES256'],
        id_token_signing_alg_values_supported: ['PS256'],
      });
    }
    if (url.pathname === '/jwks') return json({ keys: this.jwks });
    if (url.pathname === '/par') {
      const uri = `urn:ietf:params:oauth:request_uri:${randomBytes(12).toString('hex')}`;
      this.requests.set(uri, form);
      return json({ request_uri: uri, expires_in: 60 }, 201);
    }
    if (url.pathname === '/auth') {
      const asked = this.requests.get(url.searchParams.get('request_uri'));
      const code = randomBytes(24).toString('base64url');
      this.codes.set(code, asked.get('nonce'));
      this.secrets.add(code);
      const back = new URL(asked.get('redirect_uri'));
      for (const [name, value] of Object.entries({ code, state: asked.get('state'), iss: this.issuer }))
        back.searchParams.set(name, value);
      return response.writeHead(303, { location: back.href }).end();
    }
    if (url.pathname === '/token') {
      if (this.twist.token) return this.twist.token(response);
      const [id, access] = [this.idToken(this.codes.get(form.get('code'))), randomBytes(24).toString('base64url')];
      for (const secret of [id, access, form.get('client_assertion'), form.get('code_verifier')])
        this.secrets.add(secret);
      return json({ access_token: access, token_type: 'Bearer', id_token: id, expires_in: 300 });
    }
    return response.writeHead(404).end();
  }
}
