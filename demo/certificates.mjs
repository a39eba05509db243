// The demonstration's own certificate authority, made by Debian's openssl for one run and thrown away with
// its folder.
import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const kDaysValid = '7';
const openssl = (...args) => promisify(execFile)('openssl', args);

const authorityExtensions = `[v3]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`;

function leafExtensions(names) {
  return `[v3]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = ${names.map((name) => `DNS:${name}`).join(', ')}
`;
}

const newKey = (path) =>
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', path);

// What a Chromium flag calls a certificate: the digest of its public key.
function publicKeyDigest(certificate) {
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

async function request(folder, name, extensions, signing) {
  const at = (suffix) => join(folder, `${name}.${suffix}`);
  writeFileSync(
    at('cnf'),
    `[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nO = Entente demo\nCN = ${name}\n${extensions}`,
  );
  await newKey(at('key.pem'));
  await openssl('req', '-new', '-config', at('cnf'), '-key', at('key.pem'), '-out', at('csr'));
  await openssl(
    'x509',
    '-req',
    '-in',
    at('csr'),
    '-extfile',
    at('cnf'),
    '-extensions',
    'v3',
    '-days',
    kDaysValid,
    '-sha256',
    ...signing(at),
    '-out',
    at('cert.pem'),
  );
  return { certificate: at('cert.pem'), key: at('key.pem') };
}

// Makes an authority in `folder` and a certificate for each entry of `leaves` ({ xaa: ["*.xaa.localhost"],
// ... }).
export async function makeCertificates(folder, leaves) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = await request(folder, 'authority', authorityExtensions, (at) => [
    '-signkey',
    at('key.pem'),
  ]);
  const signedByAuthority = () => ['-CA', authority.certificate, '-CAkey', authority.key, '-CAcreateserial'];
  const made = { authority: authority.certificate, publicKeyDigests: [] };
  for (const [name, hosts] of Object.entries(leaves)) {
    made[name] = await request(folder, name, leafExtensions(hosts), signedByAuthority);
    const certificate = new X509Certificate(readFileSync(made[name].certificate));
    made[name].thumbprint = createHash('sha256').update(certificate.raw).digest('base64url');
    made.publicKeyDigests.push(publicKeyDigest(certificate));
  }
  return made;
}
