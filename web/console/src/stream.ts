// One stream of events from the node: that something may have changed, and every few seconds a beat, so that a node
// that stands still or a network that lost everything is told from a quiet hour.
const kListenAgainMs = 5000;
const kSilentMs = 12_000; // the node lets no more than 5 s pass without a word
export const changed = new EventTarget();
let connected = false;
let events: EventSource | undefined;
let silent: ReturnType<typeof setTimeout> | undefined;

// Also when it is lost, all is asked for again: it may be that nobody is signed in any more.
function tell(isConnected: boolean) {
  if (connected === isConnected) return;
  connected = isConnected;
  changed.dispatchEvent(new Event('connection'));
  changed.dispatchEvent(new Event('changed'));
}

function heard() {
  clearTimeout(silent);
  silent = setTimeout(() => tell(false), kSilentMs);
  tell(true);
}

export const isConnected = () => connected;

export function listen() {
  if (events && events.readyState !== EventSource.CLOSED) return;
  events = new EventSource('/events');
  events.addEventListener('open', heard);
  events.addEventListener('beat', heard);
  events.addEventListener('changed', () => {
    heard();
    changed.dispatchEvent(new Event('changed'));
  });
  events.addEventListener('error', () => {
    clearTimeout(silent);
    tell(false);
    if (events?.readyState === EventSource.CLOSED) setTimeout(listen, kListenAgainMs);
  });
}
