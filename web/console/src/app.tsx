// The frame of every page: marking, who is here, where one can go.
import { useEffect, useRef, useState, type ComponentType } from 'react';
import { kSignedOut, Refused, type Hello, type Waiting } from './api.ts';
import { useConnected, useLive, useLost, useOver } from './live.ts';
import { NoAnswer } from './ledger/bytes.ts';
import { Problem, type PageProps } from './parts.tsx';
import { LedgerPage } from './pages/ledger.tsx';
import { MapPage } from './pages/map.tsx';
import { MissionsPage } from './pages/missions.tsx';
import { PartnersPage } from './pages/partners.tsx';
import { ReleasesPage } from './pages/releases.tsx';
import { RequestsPage } from './pages/requests.tsx';
import { SessionsPage } from './pages/sessions.tsx';
import { listen } from './stream.ts';

const pages: Readonly<Record<string, readonly [string, ComponentType<PageProps>]>> = {
  sessions: ['Sessions', SessionsPage],
  requests: ['Requests', RequestsPage],
  releases: ['Releases', ReleasesPage],
  partners: ['Partners', PartnersPage],
  missions: ['Missions', MissionsPage],
  map: ['Who reaches what', MapPage],
  ledger: ['Ledger', LedgerPage],
};
const kFirst = 'sessions';

const kOver = new Refused(403, kSignedOut);
const kLost = new NoAnswer('This page is not live any more: nothing is shown until the node answers again.');

function usePlace(): string {
  const read = () => location.hash.replace('#/', '');
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const moved = () => setPlace(read());
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return Object.hasOwn(pages, place) ? place : kFirst;
}

function Banner({ text }: { text: string }) {
  return <p className="banner">{text || 'No marking is set for what this node tells of'}</p>;
}

// Beside a section that needs this operator. Read as a part of the link, and none where nothing waits.
function Due({ of }: { of: Waiting | undefined }) {
  if (!of || (of.count === 0 && !of.more)) return null;
  return (
    <>
      {' '}
      <span className="due" data-due={of.count}>
        {of.count}
        {of.more && '+'}
      </span>
      <span className="unseen"> {of.more ? 'or more ' : ''}for your answer</span>
    </>
  );
}

const dueIn = (hello: Hello, place: string): Waiting | undefined =>
  place === 'requests' || place === 'releases' ? hello.waiting[place] : undefined;

function Header({ hello, place }: { hello: Hello; place: string }) {
  const connected = useConnected();
  return (
    <header>
      <span className="place">
        {hello.nation_name} ({hello.nation}) console
      </span>
      <nav aria-label="Console">
        {Object.entries(pages).map(([name, [title]]) => (
          <a key={name} href={`#/${name}`} aria-current={name === place ? 'page' : undefined}>
            {title}
            <Due of={dueIn(hello, name)} />
          </a>
        ))}
      </nav>
      <span className="who" data-operator>
        {hello.operator}
      </span>
      <span className="who" data-live={connected} role="status">
        {connected ? 'Live' : 'Not live: what you see may be old'}
      </span>
      <a href={hello.lobby}>Lobby</a>
    </header>
  );
}

export function App() {
  const { data: hello, problem } = useLive('/hello');
  const place = usePlace();
  const lost = useLost();
  const over = useOver(hello?.until);
  const [said, setSaid] = useState('');
  const main = useRef<HTMLElement>(null);
  const told = useRef<HTMLParagraphElement>(null);
  const visited = useRef(false);
  useEffect(listen, []);
  const [title, Shown] = pages[place] ?? ['', SessionsPage];
  useEffect(() => {
    document.title = `${title} - ${hello?.nation_name ?? ''} console`;
    setSaid('');
    // A new page is read from its heading on, like one that was loaded.
    if (visited.current) main.current?.querySelector('h1')?.focus();
    visited.current = Boolean(hello);
  }, [title, Boolean(hello)]);
  // What was pressed may be gone by now, and the focus with it: go on from what was done.
  useEffect(() => {
    if (said) told.current?.focus();
  }, [said]);
  // Nothing of what was shown stays for whoever sits here next.
  const signedOut = problem instanceof Refused && problem.code === kSignedOut.code;
  const why = over ? kOver : lost && !signedOut ? kLost : problem;
  if (!hello || signedOut || over || lost)
    return (
      <main>
        <Problem problem={why} />
        {hello && (signedOut || over) && <a href={hello.lobby}>Go to the lobby</a>}
      </main>
    );
  return (
    <>
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.querySelector('h1')?.focus();
        }}
      >
        Skip to the content
      </a>
      <Banner text={hello.banner} />
      <Header hello={hello} place={place} />
      <main ref={main} data-page={place}>
        <Problem problem={problem} />
        <p ref={told} tabIndex={-1} className={said ? 'notice' : 'none'} data-said>
          {said}
        </p>
        <Shown key={place} hello={hello} done={setSaid} />
      </main>
      <footer>What you look at and what you change here is decided and written to the ledger of {hello.nation}.</footer>
      <Banner text={hello.banner} />
    </>
  );
}
