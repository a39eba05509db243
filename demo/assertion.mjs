// Who a request comes from: only what the host node's one-minute assertion says, and only if every part of it
// holds.
import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import { ask } from './loopback.mjs';

const kHeader = 'entente-assertion';
const kLifeSecondsMax = 120; // the host signs for a minute; more is not one of its assertions
const kSkewSeconds = 60;
const kSeenMax = 200_000; // assertions remembered until they end
const kReloadEveryMs = 1000; // an unknown key id may be a new key, but must not buy a read for each request
const kHeaderBytesMax = 8192;

export class Refusal extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

// The host's public keys, from a file or its address, read again when an unknown key id turns up.
class HostKeys {
  #keys;
  #readAt = -Infinity;
  #reading;

  constructor(source) {
    this.source = source;
  }

  // Whoever comes while it is being read waits for the same.
  #read() {
    if (performance.now() - this.#readAt >= kReloadEveryMs) {
      this.#readAt = performance.now();
      this.#reading = this.#load();
    }
    return this.#reading;
  }

  async #load() {
    const { file, url, ca } = this.source;
    const text = file
      ? await readFile(file, 'utf8')
      : (await ask(url, { ca: ca && (await readFile(ca)) })).body;
    this.#keys = createLocalJWKSet(JSON.parse(text));
  }

  async find(header, token) {
    try {
      if (this.#keys) return await this.#keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    await this.#read();
    if (!this.#keys) throw new Refusal('keys.unavailable');
    return this.#keys(header, token);
  }
}

// Remembers whom the living assertions name; forgets them when they end. The node sends one assertion with
// several requests of a session (never with those of another): an id that comes again is fine, an id that
// comes again for somebody else is not. With `once`, no id is good a second time.
class Seen {
  #living = new Map();

  constructor(once) {
    this.once = once;
  }

  admit(claims, end, now) {
    const whose = JSON.stringify([claims.sub, claims.partner, claims.session]);
    const known = this.#living.get(claims.jti);
    if (known && known.end > now) return !this.once && known.whose === whose;
    if (this.#living.size >= kSeenMax) this.#forget(now);
    if (this.#living.size >= kSeenMax) throw new Refusal('assertion.too_many');
    this.#living.set(claims.jti, { end, whose });
    return true;
  }

  #forget(now) {
    for (const [id, { end }] of this.#living) if (end <= now) this.#living.delete(id);
  }
}

// The one header, exactly once: two of them is somebody trying to put theirs beside the host's.
function headerOf(request) {
  const values = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    if (request.rawHeaders[i].toLowerCase() === kHeader) values.push(request.rawHeaders[i + 1]);
  }
  if (values.length === 0) throw new Refusal('assertion.missing');
  if (values.length > 1 || values[0].length > kHeaderBytesMax) throw new Refusal('assertion.malformed');
  return values[0];
}

export class IdentityCheck {
  #keys;
  #seen;

  // settings: { audience, issuer, keys: { file } | { url, ca }, connector?, once? } - `connector` is the
  // thumbprint of the certificate that a `cnf` claim must name; `once` goes with "assertion": "each_request"
  // in the app's record.
  constructor(settings, now = () => Date.now()) {
    this.settings = settings;
    this.now = now;
    this.#keys = new HostKeys(settings.keys);
    this.#seen = new Seen(settings.once === true);
  }

  // Answers the assertion's claims, or throws a Refusal whose code says which check failed.
  async admit(request) {
    const token = headerOf(request);
    const claims = await this.#verify(token);
    const { audience, connector } = this.settings;
    if (claims.aud !== audience) throw new Refusal('assertion.audience'); // one, not among several
    if (claims.exp - claims.iat > kLifeSecondsMax) throw new Refusal('assertion.lifetime');
    if (claims.iat > this.now() / 1000 + kSkewSeconds) throw new Refusal('assertion.early');
    if (connector && claims.cnf?.['x5t#S256'] !== connector) throw new Refusal('assertion.connector');
    if (typeof claims.jti !== 'string' || typeof claims.sub !== 'string')
      throw new Refusal('assertion.malformed');
    const remembered = (claims.exp + kSkewSeconds) * 1000;
    if (!this.#seen.admit(claims, remembered, this.now())) throw new Refusal('assertion.replayed');
    return claims;
  }

  async #verify(token) {
    try {
      const { payload } = await jwtVerify(token, (header, parts) => this.#keys.find(header, parts), {
        algorithms: ['ES256'],
        issuer: this.settings.issuer,
        requiredClaims: ['iss', 'aud', 'exp', 'iat', 'jti', 'sub'],
        clockTolerance: kSkewSeconds,
        currentDate: new Date(this.now()),
      });
      return payload;
    } catch (error) {
      if (error instanceof Refusal) throw error;
      if (error instanceof errors.JWTExpired) throw new Refusal('assertion.expired');
      if (error instanceof errors.JWTClaimValidationFailed) throw new Refusal(`assertion.${error.claim}`);
      if (error instanceof errors.JOSEError) throw new Refusal('assertion.signature');
      throw new Refusal('keys.unavailable');
    }
  }
}

const protocolClaims = new Set(['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'cnf', 'sid']);

function flat(name, value) {
  if (Array.isArray(value)) return [[name, value.join(', ')]];
  if (value === null || typeof value !== 'object') return [[name, String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => flat(key, inner));
}

// What the page may show of the visitor: the identity made for this app, and what the host chose to say with
// it.
export function whoAmI(claims) {
  const facts = Object.entries(claims).filter(([name]) => !protocolClaims.has(name));
  return {
    subject: claims.sub,
    issuer: claims.iss,
    facts: facts.flatMap(([name, value]) => flat(name, value)),
  };
}
