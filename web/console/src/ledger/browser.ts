// What this browser fetches from its node, and what it keeps of it between visits.
import { get } from '../api.ts';
import { NoAnswer } from './bytes.ts';
import { Gone, type Remembered, type Source } from './verify.ts';

const kKept = 'entente.ledger';
const kWaitMs = 500;

export const source: Source = {
  list: () => get('/v1/ledger?last=50&disclose=1'),
  wait: () => new Promise((done) => setTimeout(done, kWaitMs)),
  async checkpoint() {
    return (await load('checkpoint')).text();
  },
  async file(path) {
    return new Uint8Array(await (await load(path)).arrayBuffer());
  },
};

async function load(path: string): Promise<Response> {
  const response = await fetch(`/ledger/${path}`, { cache: 'no-store', redirect: 'manual' }).catch(() => {
    throw new NoAnswer('The node does not answer now.');
  });
  if (response.status === 404) throw new Gone(`the node has no ${path}`);
  if (!response.ok) throw new NoAnswer(`The node answers ${response.status} for ${path}.`);
  return response;
}

export function remembered(): Remembered | undefined {
  const kept = localStorage.getItem(kKept);
  return kept === null ? undefined : (JSON.parse(kept) as Remembered);
}

export function remember(found: Remembered) {
  localStorage.setItem(kKept, JSON.stringify(found));
}
