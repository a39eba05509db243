// What the provider remembers (sessions, codes, grants): in memory, with an end each, and no more than a
// bounded number.
import { readFileSync } from 'node:fs';

const kRecordsMax = 20_000; // far above what a demonstration makes; the oldest goes first beyond it

class Records {
  #values = new Map();

  put(key, value, secondsToLive) {
    this.#values.delete(key);
    this.#values.set(key, { value, ends: secondsToLive ? Date.now() + secondsToLive * 1000 : Infinity });
    if (this.#values.size > kRecordsMax) this.#values.delete(this.#values.keys().next().value);
  }

  get(key) {
    const found = this.#values.get(key);
    if (!found) return undefined;
    if (found.ends > Date.now()) return found.value;
    this.#values.delete(key);
    return undefined;
  }

  remove(key) {
    this.#values.delete(key);
  }
}

// Clients are looked up in settings at each use and their keys read from the file that the node writes, so
// that provider and node may start in either order and a node may replace its key.
function clientFinder(clients) {
  return (id) => {
    const client = clients.find((candidate) => candidate.metadata.client_id === id);
    if (!client) return undefined;
    if (!client.jwksPath) return client.metadata; // a program that holds no key of its own
    try {
      return { ...client.metadata, jwks: JSON.parse(readFileSync(client.jwksPath, 'utf8')) };
    } catch (error) {
      process.stderr.write(`provider: ${client.jwksPath}, the keys of ${id}: ${error.code ?? 'not JSON'}\n`);
      return undefined;
    }
  };
}

// The storage class that oidc-provider asks for: one object for each kind of record.
export function storage(clients) {
  const records = new Records();
  const findClient = clientFinder(clients);
  return class Storage {
    constructor(kind) {
      this.kind = kind;
    }

    #key(id) {
      return `${this.kind}:${id}`;
    }

    async upsert(id, payload, secondsToLive) {
      records.put(this.#key(id), payload, secondsToLive);
      if (this.kind === 'Session') records.put(`uid:${payload.uid}`, id, secondsToLive);
      if (payload.grantId && this.kind !== 'Grant') {
        const members = records.get(`grant:${payload.grantId}`) ?? new Set();
        members.add(this.#key(id));
        records.put(`grant:${payload.grantId}`, members, secondsToLive);
      }
    }

    async find(id) {
      return this.kind === 'Client' ? findClient(id) : records.get(this.#key(id));
    }

    async findByUid(uid) {
      const id = records.get(`uid:${uid}`);
      return id && this.find(id);
    }

    async findByUserCode() {
      return undefined;
    }

    async consume(id) {
      const payload = records.get(this.#key(id));
      if (payload) payload.consumed = Math.floor(Date.now() / 1000);
    }

    async destroy(id) {
      records.remove(this.#key(id));
    }

    async revokeByGrantId(grantId) {
      for (const key of records.get(`grant:${grantId}`) ?? []) records.remove(key);
      records.remove(`grant:${grantId}`);
    }
  };
}
