// What the lobby's pages do by themselves, where scripts run: a waiting request goes on when it is answered, and
// lists that changed are loaded again. Everything here can also be done by loading the page again.
const main = document.querySelector('main');
const waiting = main?.dataset.waiting;
const home = main?.hasAttribute('data-home'); // the apps of somebody who answers requests
const listens = waiting || home || main?.hasAttribute('data-things');

function goOn() {
  const open = document.querySelector('[data-action="open"]');
  if (open && sessionStorage.getItem('entente-waits-for') === waiting) {
    sessionStorage.removeItem('entente-waits-for');
    location.assign(open.href);
  }
}

// What is new, in words, above a list that stays as it is until its reader loads it again.
function tell(words) {
  const news = document.querySelector('[data-news]');
  if (!news) return false;
  news.querySelector('[data-news-words]').textContent = words;
  news.hidden = false;
  return true;
}

// Nothing moves under the hand of somebody who is about to press or writes: they are told, and load it themselves.
function look() {
  const at = document.activeElement;
  const busy = document.querySelector('[data-answer]') || (at && at !== main && main.contains(at));
  if (!busy || !tell('Something changed.')) location.reload();
}

// Half of the time in which somebody could answer is over: said, whatever else is on the page.
function remind({ app, since }) {
  if (!tell(`Somebody has waited since ${since} for an answer about ${app}.`)) location.reload();
}

if (waiting && main.dataset.state === 'open') sessionStorage.setItem('entente-waits-for', waiting);
if (waiting && main.dataset.state === 'granted') goOn();

let events;
function listen() {
  events = new EventSource('/events');
  events.addEventListener('request', (event) => {
    if (!home && (!waiting || JSON.parse(event.data).id === waiting)) look();
  });
  for (const kind of home ? ['answer', 'reload'] : ['answer', 'sessions', 'reload'])
    events.addEventListener(kind, () => waiting || look());
  events.addEventListener('reminder', (event) => waiting || remind(JSON.parse(event.data)));
  // A browser gives up what was answered with a refusal (too many pages at once): later there may be room.
  events.addEventListener('error', () => events.readyState === EventSource.CLOSED && setTimeout(listen, 5000));
}

if (listens) {
  listen();
  addEventListener('pagehide', () => events.close());
  // Kept by the browser and shown again, it has heard of nothing meanwhile.
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
}
