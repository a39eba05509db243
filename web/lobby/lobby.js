// What the lobby's pages do by themselves, where scripts run: a waiting request goes on when it is answered, and
// lists that changed are loaded again. Everything here can also be done by loading the page again.
const main = document.querySelector('main');
const waiting = main?.dataset.waiting;
const listens = waiting || main?.hasAttribute('data-things');

function goOn() {
  const open = document.querySelector('[data-action="open"]');
  if (open && sessionStorage.getItem('entente-waits-for') === waiting) {
    sessionStorage.removeItem('entente-waits-for');
    location.assign(open.href);
  }
}

function busyWriting() {
  const at = document.activeElement;
  return at instanceof HTMLInputElement && at.type !== 'hidden' && at.value !== '';
}

if (waiting && main.dataset.state === 'open') sessionStorage.setItem('entente-waits-for', waiting);
if (waiting && main.dataset.state === 'granted') goOn();

if (listens) {
  const events = new EventSource('/events');
  const look = () => (busyWriting() ? undefined : location.reload());
  events.addEventListener('request', (event) => {
    if (!waiting || JSON.parse(event.data).id === waiting) look();
  });
  for (const kind of ['answer', 'reminder', 'reload', 'session'])
    events.addEventListener(kind, () => waiting || look());
  addEventListener('pagehide', () => events.close());
}
