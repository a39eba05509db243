// The stream of events tells all of the page that something may have changed; what is on the screen is then asked
// for again, at most every two seconds and only while somebody can see it.
import { useEffect, useState, useSyncExternalStore } from 'react';
import { get, type Lists } from './api.ts';
import { NoAnswer } from './ledger/bytes.ts';
import { changed, isConnected } from './stream.ts';

const kLookAgainMs = 2000;
const kLostMs = 30_000;

export function useConnected(): boolean {
  return useSyncExternalStore(
    (told) => {
      changed.addEventListener('connection', told);
      return () => changed.removeEventListener('connection', told);
    },
    isConnected,
  );
}

// Whether there has been no connection for so long that what is shown says nothing about now.
export function useLost(): boolean {
  const connected = useConnected();
  const [lost, setLost] = useState(false);
  useEffect(() => {
    setLost(false);
    if (connected) return;
    const timer = setTimeout(() => setLost(true), kLostMs);
    return () => clearTimeout(timer);
  }, [connected]);
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

const isAsking = () => document.querySelector('dialog[open]') !== null;

// `holds`: while a dialog asks about something in the list, the list stays as it was read, and the dialog with it.
export function useLive<Path extends keyof Lists>(path: Path, { follows = true, holds = false, after = '' } = {}): Loaded<Lists[Path]> {
  const [state, setState] = useState<{ data?: Lists[Path]; problem?: Error }>({});
  const [asked, setAsked] = useState(0);
  const reload = () => setAsked((count) => count + 1);
  useEffect(() => {
    let current = true;
    get(path, after).then(
      (data) => current && !(holds && isAsking()) && setState({ data, ...unrecorded(data) }),
      (problem: Error) => current && setState((old) => ({ ...old, problem })),
    );
    return () => {
      current = false;
    };
  }, [path, after, asked]);
  useEffect(() => {
    if (!follows) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let last = performance.now();
    const look = () => {
      timer = undefined;
      if (document.hidden || (holds && isAsking())) return;
      last = performance.now();
      setAsked((count) => count + 1);
    };
    const soon = () => {
      timer ??= setTimeout(look, Math.max(0, last + kLookAgainMs - performance.now()));
    };
    changed.addEventListener('changed', soon);
    document.addEventListener('visibilitychange', soon);
    if (holds) document.addEventListener('close', soon, true); // a dialog's, which does not bubble
    return () => {
      clearTimeout(timer);
      changed.removeEventListener('changed', soon);
      document.removeEventListener('visibilitychange', soon);
      document.removeEventListener('close', soon, true);
    };
  }, [follows, holds]);
  return { ...state, reload };
}

// The list of a page on which things are done: each of them is said, and the list read again. `go` shows another part
// of one that is long.
export function usePage<Path extends keyof Lists>(path: Path, done: (text: string) => void) {
  const [after, go] = useState('');
  const { reload, ...loaded } = useLive(path, { holds: true, after });
  const changed = (text: string) => {
    done(text);
    reload();
  };
  return { ...loaded, changed, after, go };
}
