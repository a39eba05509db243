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

// Nothing moves under the hand of somebody who is about to press or writes: they are told, and load it themselves.
function look() {
  const news = document.querySelector('[data-news]');
  if (document.querySelector('[data-answer]') && news) news.hidden = false;
  else location.reload();
}

if (waiting && main.dataset.state === 'open') sessionStorage.setItem('entente-waits-for', waiting);
if (waiting && main.dataset.state === 'granted') goOn();

function listen() {
  const events = new EventSource('/events');
  events.addEventListener('request', (event) => {
    if (!waiting || JSON.parse(event.data).id === waiting) look();
  });
  for (const kind of ['answer', 'reminder', 'reload'])
    events.addEventListener(kind, () => waiting || look());
  // A browser gives up what was answered with a refusal (too many pages at once): later there may be room.
  events.addEventListener('error', () => events.readyState === EventSource.CLOSED && setTimeout(listen, 5000));
  addEventListener('pagehide', () => events.close());
}

if (listens) listen();
