// How the console asks its node: the operators' API (docs/openapi.json), with this sign-in's token on each change.
import { NoAnswer } from './ledger/bytes.ts';
import type { Disclosure } from './ledger/entry.ts';
import type { Listed } from './ledger/verify.ts';

export interface Hello {
  readonly operator: string;
  readonly nation: string;
  readonly nation_name: string;
  readonly banner: string;
  readonly token: string;
  readonly until: string;
  readonly lobby: string;
  readonly ledger_key: string;
  readonly waiting: { readonly requests: Waiting; readonly releases: Waiting };
}

// How much waits for this operator's answer, of what was looked at.
export interface Waiting {
  readonly count: number;
  readonly more: boolean; // nobody looked at all of it
}

export interface Session {
  readonly id: string;
  readonly side: 'local' | 'home' | 'host';
  readonly person: string;
  readonly partner: string;
  readonly who: string;
  readonly app: string;
  readonly state: string;
  readonly since: string;
  readonly streams: number;
  readonly requests: number;
  readonly verdict: string;
  readonly reasons: readonly string[];
  readonly valid_until: string;
}

export interface Request {
  readonly id: string;
  readonly app: string;
  readonly partner: string;
  readonly person: string;
  readonly who: string;
  readonly purpose: string;
  readonly minutes: number;
  readonly scope: string;
  readonly asked: string;
  readonly seen: string; // the mark of what is read here
  readonly end: string;
  readonly approvals: readonly { readonly by: string; readonly at: string }[];
  readonly approvals_needed: number;
  readonly may_answer: boolean;
  readonly preview?: {
    readonly opens: boolean;
    readonly until: string;
    readonly why_not?: string;
    readonly obligations: readonly string[];
  };
}

export interface Release {
  readonly id: string;
  readonly object: string;
  readonly marking?: string;
  readonly attributes?: readonly string[];
  readonly partner: string;
  readonly person?: string;
  readonly who?: string; // what their nation says of whoever asks
  readonly rights: readonly string[];
  readonly purpose: string;
  readonly minutes: number;
  readonly by: string;
  readonly asked: string;
  readonly end: string;
  readonly until?: string;
  readonly seen: string; // the mark of what is read here
  readonly state: string;
  readonly approvals: readonly { readonly by: string; readonly at: string }[];
  readonly approvals_needed: number;
  readonly may_approve: boolean;
  readonly may_end: boolean;
}

export interface Partner {
  readonly code: string;
  readonly name: string;
  readonly state: 'active' | 'suspended' | 'isolated' | 'fenced';
  readonly reason: string;
  readonly member_until: string;
  readonly link: string;
  readonly sessions: number;
}

export interface Mission {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly phase: string;
  readonly threat: string;
  readonly phases: readonly string[]; // the words that may be said; none: any
  readonly threats: readonly string[];
  readonly partners: readonly string[];
  readonly lead: string;
  readonly number: number; // of the lead's last word
  readonly known_by: readonly string[];
  readonly start: string;
  readonly end: string;
  readonly sessions: number;
  readonly requests: number;
  readonly grants: number;
}

export interface AppRow {
  readonly app: string;
  readonly name: string;
  readonly banner: string;
  readonly mission: string;
  readonly offered_to: readonly string[];
  readonly end: string;
  readonly state: string;
}

export interface Domain {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly mission: string;
  readonly partners: readonly string[];
  readonly highest: string;
}

export interface Grant {
  readonly id: string;
  readonly app: string;
  readonly partner: string;
  readonly person: string;
  readonly purpose: string;
  readonly scope: string;
  readonly end: string;
  readonly approved_by: readonly string[];
  readonly sessions: number;
  readonly state: string;
}

// Of a list that others choose the length of: where it goes on, and how much is behind it.
export interface Paged {
  readonly more?: number;
  readonly next?: string;
}

export interface Lists {
  readonly '/v1/sessions': { readonly sessions: readonly Session[] };
  readonly '/v1/requests': Paged & { readonly requests: readonly Request[] };
  readonly '/v1/releases': Paged & { readonly releases: readonly Release[] };
  readonly '/v1/partners': { readonly partners: readonly Partner[] };
  readonly '/v1/missions': { readonly missions: readonly Mission[] };
  readonly '/v1/apps': { readonly apps: readonly AppRow[] };
  readonly '/v1/domains': { readonly domains: readonly Domain[] };
  readonly '/v1/grants': Paged & { readonly grants: readonly Grant[] };
  readonly '/v1/ledger?last=50&disclose=1': Listed;
  readonly '/hello': Hello;
}

// What the node says when it does not do something.
export class Refused extends NoAnswer {
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  constructor(status: number, { code, what, hint }: { code: string; what: string; hint: string }) {
    super(what);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

// To whoever is not, or no longer, an operator the node answers nothing that could be read.
export const kSignedOut = {
  code: 'console.signed-out',
  what: 'You are not signed in here any more.',
  hint: 'go to the lobby, sign in, and open the console from there',
};

async function answer<T>(response: Response): Promise<T> {
  const isJson = response.headers.get('Content-Type')?.startsWith('application/json') ?? false;
  if (!isJson) throw new Refused(response.status, kSignedOut);
  const body = (await response.json()) as T & { error?: { code: string; what: string; hint: string } };
  // 507: what narrows acts, and is not written yet. It is said in the same words.
  if (!response.ok && body.error) throw new Refused(response.status, body.error);
  return body;
}

const plain: RequestInit = { redirect: 'manual', cache: 'no-store', credentials: 'same-origin' };

const ask = (path: string, init: RequestInit): Promise<Response> =>
  fetch(path, init).catch(() => {
    throw new NoAnswer('The node does not answer now.');
  });

// `after`: the `next` of another page.
export const get = async <Path extends keyof Lists>(path: Path, after = ''): Promise<Lists[Path]> =>
  answer<Lists[Path]>(await ask(after ? `${path}?after=${encodeURIComponent(after)}` : path, plain));

// What a change would come to, in the node's words; nothing is changed by asking.
export const preview = async (path: string): Promise<string> =>
  (await answer<{ text: string }>(await ask(path, plain))).text;

export const getEntry = async (index: number): Promise<Disclosure> =>
  answer<Disclosure>(await ask(`/v1/ledger/${index}`, plain));

// Answers what the node says was done.
export async function post(hello: Hello, path: string, body: Record<string, string>): Promise<string> {
  const headers = { 'Content-Type': 'application/json', 'Entente-Token': hello.token };
  const request = { ...plain, method: 'POST', headers, body: JSON.stringify(body) };
  return (await answer<{ text?: string; state?: string }>(await ask(path, request))).text ?? 'Done.';
}
