// The provider's own secrets, made at its first start and kept in its data folder, readable by its owner
// alone.
import { createHmac, generateKeyPair, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const recipes = {
  ES256: ['ec', { namedCurve: 'P-256' }],
  PS256: ['rsa', { modulusLength: 3072 }],
  EdDSA: ['ed25519', {}],
};

async function makeSecrets(code, algorithm) {
  const { privateKey } = await promisify(generateKeyPair)(...recipes[algorithm]);
  const kid = `${code.toLowerCase()}-${randomBytes(6).toString('hex')}`;
  return {
    signing: { ...privateKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' },
    cookies: randomBytes(32).toString('base64url'),
    pairwise: randomBytes(32).toString('base64url'),
  };
}

export async function secretsIn(folder, code, algorithm) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'secrets.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const secrets = await makeSecrets(code, algorithm);
  writeFileSync(path, JSON.stringify(secrets), { mode: 0o600, flag: 'wx' });
  return secrets;
}

// What a provider with pairwise subjects calls a person towards one client, by its sector (OpenID Connect Core,
// section 8.1).
export function pairwiseSubject(secrets, sector, subject) {
  return createHmac('sha256', secrets.pairwise).update(`${sector}\n${subject}`).digest('base64url');
}
