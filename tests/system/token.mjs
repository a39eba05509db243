// Access tokens for people, as a program of theirs gets them: authorization code with PKCE at their nation's
// provider, bound to a key by DPoP, for the nation's key service.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT, exportJWK } from 'jose';
import { ask } from '../../demo/loopback.mjs';
import { Visitor } from './visitor.mjs';

const kRedirect = 'http://127.0.0.1/callback';
const scopes = { XAA: 'dienst', XBB: 'tjeneste', XCC: 'servizio' };
const levels = { XAA: 'urn:xaa:ausweis:karte', XBB: 'nivaa-4', XCC: 'livello-3' };

export const keyService = (coalition, code) => coalition.nation(code).lobby.replace('//lobby.', '//kas.');
const sha256 = (text) => createHash('sha256').update(text).digest('base64url');

// A DPoP proof by this WebCrypto key pair.
export async function proof({ privateKey, publicKey }, method, url, { token, nonce, ...changed } = {}) {
  const alg = privateKey.algorithm.name === 'ECDSA' ? 'ES256' : 'RS256';
  const { kty, crv, x, y, n, e } = await exportJWK(publicKey);
  const jwk = JSON.parse(JSON.stringify({ kty, crv, x, y, n, e }));
  const claims = { jti: randomBytes(16).toString('base64url'), htm: method, htu: url, nonce, ...changed };
  if (token) claims.ath = sha256(token);
  return new SignJWT(JSON.parse(JSON.stringify(claims)))
    .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk })
    .setIssuedAt()
    .sign(privateKey);
}

export const makePair = () =>
  crypto.subtle.generateKey(
    { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
    true,
    ['sign', 'verify'],
  );

// Signs the person in, and leaves their token and its key in the coalition's folder: what the command line takes to ask
// XAA's key service for them, through their own nation's.
export async function commandOptions(coalition, login, home) {
  const file = (name) => join(coalition.folder, name);
  const pair = await makePair();
  const held = Buffer.from(await crypto.subtle.exportKey('pkcs8', pair.privateKey)).toString('base64');
  const pem = `-----BEGIN PRIVATE KEY-----\n${held.match(/.{1,64}/g).join('\n')}\n-----END PRIVATE KEY-----\n`;
  writeFileSync(file(`${login}.pem`), pem, { mode: 0o600 });
  writeFileSync(file(`${login}.txt`), `${await accessToken(coalition, login, pair)}\n`, { mode: 0o600 });
  const via = keyService(coalition, home).replace('//kas.', '//kas-xaa.');
  const trust = ['--trust', coalition.demo.authority, '--service', `${keyService(coalition, 'XAA')}=${via}`];
  return ['--token', file(`${login}.txt`), '--proof', file(`${login}.pem`), ...trust];
}

// Signs the person in and answers their token, bound to `pair`.
export async function accessToken(coalition, login, pair) {
  const visitor = new Visitor(coalition, login);
  const { nation: code } = visitor.person;
  const { issuer } = visitor.nation;
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: 'entente-cli',
    response_type: 'code',
    redirect_uri: kRedirect,
    scope: `openid profile ${scopes[code]}`,
    resource: keyService(coalition, code),
    code_challenge: sha256(verifier),
    code_challenge_method: 'S256',
    acr_values: levels[code],
    state: 'one',
  });
  const there = (at) => at.startsWith(kRedirect);
  const form = await visitor.follow(`${issuer}/auth?${query}`, there);
  assert.ok(!form.stopped, `the provider asks who it is: ${form.address}`);
  const end = await visitor.fill(form, there);
  assert.ok(end.stopped, `back at the program: ${end.body?.slice(0, 300)}`);
  const answer = await ask(`${issuer}/token`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      dpop: await proof(pair, 'POST', `${issuer}/token`),
    },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'entente-cli',
      code: new URL(end.address).searchParams.get('code'),
      redirect_uri: kRedirect,
      code_verifier: verifier,
      resource: keyService(coalition, code),
    }).toString(),
    ca: coalition.ca,
  });
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body).access_token;
}
