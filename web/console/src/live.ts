// One stream of events tells all of the page that something may have changed; what is on the screen is then asked
// for again, at most every two seconds and only while somebody can see it.
import { useEffect, useState, useSyncExternalStore } from 'react';
import { get, type Lists } from './api.ts';
import { NoAnswer } from './ledger/bytes.ts';

const kLookAgainMs = 2000;
const kListenAgainMs = 5000;
const kLostMs = 30_000;
const changed = new EventTarget();
let connected = false;
let events: EventSource | undefined;

// Also when it is lost, all is asked for again: it may be that nobody is signed in any more.
function tell(isConnected: boolean) {
  if (connected === isConnected) return;
  connected = isConnected;
  changed.dispatchEvent(new Event('connection'));
  changed.dispatchEvent(new Event('changed'));
}

export function listen() {
  if (events && events.readyState !== EventSource.CLOSED) return;
  events = new EventSource('/events');
  events.addEventListener('open', () => tell(true));
  events.addEventListener('changed', () => changed.dispatchEvent(new Event('changed')));
  events.addEventListener('error', () => {
    tell(false);
    if (events?.readyState === EventSource.CLOSED) setTimeout(listen, kListenAgainMs);
  });
}

export function useConnected(): boolean {
  return useSyncExternalStore(
    (told) => {
      changed.addEventListener('connection', told);
      return () => changed.removeEventListener('connection', told);
    },
    () => connected,
  );
}

// Whether there has been no connection for so long that what is shown says nothing about now.
export function useLost(): boolean {
  const isConnected = useConnected();
  const [lost, setLost] = useState(false);
  useEffect(() => {
    setLost(false);
    if (isConnected) return;
    const timer = setTimeout(() => setLost(true), kLostMs);
    return () => clearTimeout(timer);
  }, [isConnected]);
  return lost;
}

// Whether that instant has come.
export function useOver(until: string | undefined): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    setOver(false);
    if (until === undefined) return;
    const look = () => setOver(Date.now() >= Date.parse(until));
    look();
    const timer = setInterval(look, kLookAgainMs);
    return () => clearInterval(timer);
  }, [until]);
  return over;
}

export interface Loaded<T> {
  readonly data?: T;
  readonly problem?: Error;
  readonly reload: () => void;
}

// Shown, and the node could not write down that it was.
const unrecorded = (data: object): { problem?: Error } =>
  'unrecorded' in data
    ? { problem: new NoAnswer(`That you looked is not in the ledger yet: ${String(data.unrecorded)}.`) }
    : {};

export function useLive<Path extends keyof Lists>(path: Path, follows = true): Loaded<Lists[Path]> {
  const [state, setState] = useState<{ data?: Lists[Path]; problem?: Error }>({});
  const [asked, setAsked] = useState(0);
  const reload = () => setAsked((count) => count + 1);
  useEffect(() => {
    let current = true;
    get(path).then(
      (data) => current && setState({ data, ...unrecorded(data) }),
      (problem: Error) => current && setState((old) => ({ ...old, problem })),
    );
    return () => {
      current = false;
    };
  }, [path, asked]);
  useEffect(() => {
    if (!follows) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let last = performance.now();
    const look = () => {
      timer = undefined;
      if (document.hidden) return;
      last = performance.now();
      setAsked((count) => count + 1);
    };
    const soon = () => {
      timer ??= setTimeout(look, Math.max(0, last + kLookAgainMs - performance.now()));
    };
    changed.addEventListener('changed', soon);
    document.addEventListener('visibilitychange', soon);
    return () => {
      clearTimeout(timer);
      changed.removeEventListener('changed', soon);
      document.removeEventListener('visibilitychange', soon);
    };
  }, [follows]);
  return { ...state, reload };
}

// The list of a page on which things are done: each of them is said, and the list read again.
export function usePage<Path extends keyof Lists>(path: Path, done: (text: string) => void) {
  const { reload, ...loaded } = useLive(path);
  const changed = (text: string) => {
    done(text);
    reload();
  };
  return { ...loaded, changed };
}
