// The unmodified npm client of OpenTDF, in a process of its own (its authority comes from NODE_EXTRA_CA_CERTS):
//   opentdf_client.mjs seal|open SETTINGS INPUT OUTPUT
// SETTINGS: { kas, allowed, through, token, pair: { privateKey, publicKey } (JWK), attributes }.
import dns from 'node:dns';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import tls from 'node:tls';
import { proof } from './token.mjs';

// What a browser does by itself, and the C library does not.
const lookup = dns.lookup;
dns.lookup = (host, options, done) => {
  const callback = done ?? options;
  if (!host.endsWith('.localhost')) return lookup(host, options, done);
  return options?.all
    ? callback(null, [{ address: '127.0.0.1', family: 4 }])
    : callback(null, '127.0.0.1', 4);
};
globalThis.document = { documentElement: { style: { MozAppearance: 1 } } }; // streamsaver looks at a page

const [verb, settingsPath, input, output] = process.argv.slice(2);
const settings = JSON.parse(readFileSync(settingsPath, 'utf8'));
// The nation's network leads every key service's name to its own door: { "kas.xaa.localhost:8441": 8442 }.
https.globalAgent.createConnection = (options, done) => {
  const port = settings.through?.[`${options.host}:${options.port}`] ?? options.port;
  return tls.connect({ ...options, port, servername: options.host }, done);
};

const require = createRequire(import.meta.url);
const { TDF3Client, EncryptParamsBuilder, DecryptParamsBuilder } = require('@opentdf/client');
const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
const pair = {
  privateKey: await crypto.subtle.importKey('jwk', settings.pair.privateKey, algorithm, true, ['sign']),
  publicKey: await crypto.subtle.importKey('jwk', settings.pair.publicKey, algorithm, true, ['verify']),
};
const authProvider = {
  updateClientPublicKey: async () => {},
  withCreds: async (request) => ({
    ...request,
    headers: {
      ...request.headers,
      Authorization: `Bearer ${settings.token}`,
      DPoP: await proof(pair, request.method, request.url, { token: settings.token }),
    },
  }),
};
const client = new TDF3Client({
  authProvider,
  kasEndpoint: settings.kas,
  allowedKases: settings.allowed ?? [settings.kas],
  clientId: 'entente-cli',
  dpopKeys: Promise.resolve(pair),
});
const bytes = new Uint8Array(readFileSync(input));
if (verb === 'seal') {
  const source = new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
  const parameters = new EncryptParamsBuilder()
    .withStreamSource(source)
    .withOffline()
    .withAttributes(settings.attributes.map((attribute) => ({ attribute })))
    .build();
  writeFileSync(output, Buffer.from(await (await client.encrypt(parameters)).toBuffer()));
} else {
  const parameters = new DecryptParamsBuilder().withArrayBufferSource(bytes.buffer).build();
  writeFileSync(output, Buffer.from(await (await client.decrypt(parameters)).toBuffer()));
}
