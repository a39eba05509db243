// What this browser fetches from its node, and what it keeps of it between visits.
import { Gone, type Remembered, type Source } from './verify.ts';

const kKept = 'entente.ledger';

export const source: Source = {
  async checkpoint() {
    return (await load('checkpoint')).text();
  },
  async file(path) {
    return new Uint8Array(await (await load(path)).arrayBuffer());
  },
};

async function load(path: string): Promise<Response> {
  const response = await fetch(`/ledger/${path}`, { cache: 'no-store', redirect: 'manual' });
  if (response.status === 404) throw new Gone(`the node has no ${path} now`);
  if (!response.ok) throw new Error(`the node answers ${response.status} for ${path}`);
  return response;
}

export function remembered(): Remembered | undefined {
  const kept = localStorage.getItem(kKept);
  return kept === null ? undefined : (JSON.parse(kept) as Remembered);
}

export function remember(found: Remembered) {
  localStorage.setItem(kKept, JSON.stringify(found));
}
