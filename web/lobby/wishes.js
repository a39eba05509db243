// Releases that somebody asks for on the page "Sealed objects": the form, under an object that its originator has to
// release first, and the list of what was asked for, which goes on by itself when it is answered. What others wrote is
// text here, and nothing else.
import { make, timeText } from './page.js';
import { askRelease, wishOf } from './tdf.js';

const kListedMax = 16;
const kPurposeMax = 500;
const kMissed = ' It may be answered by now: open the file again to see.';
const kLasts = [
  [60, '1 hour'],
  [240, '4 hours'],
  [1440, '1 day'],
  [10080, '7 days'],
];


// How it stands, in words.
export function wishText({ state, words, until }, nation) {
  const by = until === undefined ? '' : ` until ${timeText(until)}`;
  const said = words ? ` They say: ${words}` : '';
  if (state === 'open') return `You asked ${nation} for a release. It waits for an answer${by}.`;
  if (state === 'granted') return `Released by ${nation}${by}: open it again.${said}`;
  if (state === 'denied') return `${nation} does not release it.${said}`;
  if (state === 'revoked') return `${nation} took the release back.${said}`;
  return `${nation} did not answer in time.`;
}

export const mayAsk = ({ wish }) => wish !== undefined && wish.state !== 'open' && wish.state !== 'granted';

export class Wishes {
  #listed = new Map(); // service and release -> { file, nation, wish, item }

  // `nation(service)`: its name; `ask(service, request)`: as collectKey() wants it; `open(file)`: opens it (again);
  // `tell(text)`: says what came of it.
  constructor({ nation, ask, open, tell }) {
    Object.assign(this, { nation, ask, open, tell });
    this.list = make('ul', '', { class: 'things' });
    this.section = make('section', '', { 'data-wishes': '', 'aria-label': 'What you asked to be released' });
    this.section.append(make('h2', 'What you asked to be released'), this.list);
    this.section.hidden = true;
  }

  // What a refusal said of wishes: those that were made are listed, and a form is given back where one may ask.
  form(file, object, answers) {
    for (const { service, wish } of answers)
      if (wish !== undefined && wish.state !== 'none') this.#note(file, service, wish);
    const askable = new Map(answers.filter(mayAsk).map((one) => [one.service, one]));
    if (askable.size === 0) return [];
    const nations = [...askable.keys()].map((service) => this.nation(service)).join(' and ');
    const form = make('form', '', { class: 'ask', 'data-ask-release': '' });
    const purpose = make('input', '', {
      id: 'release-purpose',
      name: 'purpose',
      required: '',
      maxlength: String(kPurposeMax),
      autocomplete: 'off',
    });
    const minutes = make('select', '', { id: 'release-minutes', name: 'minutes' });
    for (const [value, text] of kLasts) minutes.append(make('option', text, { value: String(value) }));
    const button = make('button', 'Ask for a release', { 'data-action': 'ask-release' });
    form.append(
      make('h2', `Ask ${nations} to release it`),
      make(
        'p',
        'Its originators decide who else reads it. They see your role, clearance and nation, but not your name; what ' +
          'the object bears; and what you write here. This is recorded.',
      ),
      make('label', 'What for', { for: 'release-purpose' }),
      ' ',
      purpose,
      ' ',
      make('label', 'For how long', { for: 'release-minutes' }),
      ' ',
      minutes,
      ' ',
      button,
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (button.disabled || purpose.value.trim() === '') return;
      button.disabled = true;
      const release = { purpose: purpose.value.trim(), minutes: Number(minutes.value) };
      this.#send(file, object, [...askable.values()], release).then((sent) => {
        if (sent) form.remove();
        button.disabled = false;
      });
    });
    return [form];
  }

  async #send(file, object, answers, release) {
    const refusals = [];
    for (const { service, index } of answers) {
      try {
        const { asked, wish, refused } = await askRelease(object, index, this.ask, release);
        if (wish !== undefined && wish.state !== 'none') this.#note(file, service, wish);
        if (!asked) refusals.push(`${this.nation(service)}: ${refused}`);
      } catch {
        refusals.push(`${this.nation(service)}: it could not be asked. Try again in a minute.`);
      }
    }
    if (refusals.length === 0)
      this.tell(`You asked for a release of ${file.name}. This page says so when it is answered.`, 'waits');
    else this.tell(`Not asked. ${refusals.join(' ')}`, 'refused');
    return refusals.length === 0;
  }

  #note(file, service, wish) {
    const key = `${service} ${wish.release}`;
    const item = this.#listed.get(key)?.item ?? make('li', '', { class: 'thing' });
    if (item.firstChild === null) item.append(make('h3', file.name), make('p', '', { role: 'status' }));
    this.#listed.delete(key);
    this.#listed.set(key, { file, service, wish, item });
    this.#show(this.#listed.get(key));
    this.list.prepend(item);
    for (const [oldest, { item: last }] of this.#listed) {
      if (this.#listed.size <= kListedMax) break;
      this.#listed.delete(oldest);
      last.remove();
    }
    this.section.hidden = false;
  }

  #show({ file, service, wish, item }) {
    item.dataset.wish = wish.state;
    item.dataset.release = wish.release;
    delete item.dataset.missed;
    while (item.childNodes.length > 2) item.lastChild.remove();
    item.lastChild.textContent = wishText(wish, this.nation(service));
    if (wish.state !== 'granted') return;
    const again = make('button', 'Open it again', { type: 'button', 'data-action': 'open-again' });
    again.addEventListener('click', () => this.open(file));
    item.append(again);
  }

  // The node says that one was answered. Ids are drawn by those who release: all of that name are looked at.
  heard(said) {
    const wish = wishOf(said);
    if (wish === undefined || wish.state === 'none') return;
    for (const one of this.#listed.values()) {
      if (one.wish.release !== wish.release || one.wish.state === wish.state) continue;
      one.wish = wish;
      this.#show(one);
    }
  }

  // Something may have been missed: said of all that wait.
  missed() {
    for (const { wish, item } of this.#listed.values())
      if (wish.state === 'open' && !('missed' in item.dataset)) {
        item.dataset.missed = '';
        item.children[1].textContent += kMissed;
      }
  }

  // Nothing stays for whoever sits here next.
  clear() {
    this.#listed.clear();
    this.list.replaceChildren();
    this.section.hidden = true;
  }
}
