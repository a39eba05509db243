// What the pages are made of.
import { useId, type ReactNode } from 'react';
import { Refused, type Hello, type Paged } from './api.ts';
import { NoAnswer } from './ledger/bytes.ts';
import { visible } from './ledger/entry.ts';

export interface PageProps {
  readonly hello: Hello;
  readonly done: (text: string) => void; // says that something was done
}

export function When({ at }: { at: string }) {
  return <time dateTime={at}>{at.replace('T', ' ').replace(/(\.\d+)?Z$/, 'Z')}</time>;
}

// What helps at a command line, where something is not there, is a list of this page here.
const kNotFound = 'api.not-found';
const hintOf = ({ code, hint }: Refused) => (code === kNotFound ? 'look at the list again' : hint);

export function Problem({ problem }: { problem: Error | undefined }) {
  if (!problem) return null;
  const refused = problem instanceof Refused ? problem : undefined;
  return (
    <div className="notice bad" role="alert">
      <p>{problem instanceof NoAnswer ? problem.message : `What the node answered cannot be used: ${problem.message}`}</p>
      {refused?.hint && <p>What would help: {hintOf(refused)}.</p>}
      {refused && <p className="quiet">{refused.code}</p>}
    </div>
  );
}

// Two people of one role and nation are told apart by the start of the name that they have here.
const kNameShown = 8;
export const nameOf = (person: string) => person.slice(0, kNameShown);

export function Who({ of }: { of: { readonly who: string; readonly person: string } }) {
  return (
    <>
      {visible(of.who)} <code className="quiet">{nameOf(of.person)}</code>
    </>
  );
}

// Of a list of what is known about something that waits for them.
export function Approvals({ of }: { of: { readonly approvals: readonly unknown[]; readonly approvals_needed: number } }) {
  return (
    <>
      <dt>Approvals</dt>
      <dd>
        {of.approvals.length} of {of.approvals_needed}
      </dd>
    </>
  );
}

interface TableProps {
  readonly caption: string;
  readonly heads: readonly string[];
  readonly children: ReactNode;
  readonly empty: string;
}

export function Table({ caption, heads, children, empty }: TableProps) {
  const id = useId();
  if (Array.isArray(children) && children.length === 0) return <p className="quiet">{empty}</p>;
  return (
    <div className="table" role="region" aria-labelledby={id} tabIndex={0}>
      <table>
        <caption id={id}>{caption}</caption>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function Page({ title, lead, children }: { title: string; lead: string; children: ReactNode }) {
  return (
    <>
      <h1 tabIndex={-1}>{title}</h1>
      <p className="quiet">{lead}</p>
      {children}
    </>
  );
}

export const count = (number: number, one: string, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

// The way through a list of which one page is shown.
export function Rest({ of, after, go }: { of: Paged | undefined; after: string; go: (after: string) => void }) {
  const { more = 0, next = '' } = of ?? {};
  if (!after && !next) return null;
  return (
    <div className="row" data-pages>
      {after && <button onClick={() => go('')}>From the start</button>}
      {next && <button onClick={() => go(next)}>Show more: {more} behind these</button>}
    </div>
  );
}

// A state in its own word, never by colour alone.
export function State({ word, good }: { word: string; good: boolean }) {
  return <span className={good ? 'state good' : 'state bad'}>{word}</span>;
}
