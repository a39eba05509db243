// The page "Sealed objects": opens a file here, in the page, with keys that the reader's own node asks for, and shows it
// for as long as it may be shown. It fails closed: what ends a view, and what keeps the page from hearing of it, takes
// the content off the page.
import {
  KeysRefused,
  TdfError,
  collectKey,
  contentOf,
  markingOf,
  openObject,
  readObject,
  signerOf,
  signerWords,
} from './tdf.js';
import { make, timeText } from './page.js';
import { recallForm } from './recalls.js';
import { Wishes } from './wishes.js';

const kSilenceMsMax = 5000; // without hearing from the node
const kConnectMsMax = 5000;
const kAnswerMsMax = 20_000;
const kTickMs = 250;
const kShutRemembered = 256;

const isOver = ({ until, time }) => performance.now() >= until || Date.now() >= time; // one stands still in sleep

const main = document.querySelector('main[data-objects]');
const find = (name) => main.querySelector(`[${name}]`);

// What the node says while the page listens: every 2 s it says at least that it is there (`beat`). To the page of
// another sign-in than the browser has now it says nothing.
class Ear {
  #events;
  #heard = { tick: 0, time: 0 };
  shut = new Map(); // view -> why: one may end before its answer has arrived here

  constructor(page, { onShut, onReload, onRelease, onDeaf }) {
    Object.assign(this, { page, onShut, onReload, onRelease, onDeaf });
  }

  async listen() {
    if (this.hears() && this.#events?.readyState === EventSource.OPEN) return;
    this.#events?.close();
    const events = new EventSource(`/events?page=${this.page}`);
    this.#events = events;
    events.addEventListener('object-shut', ({ data }) => this.#take(data));
    events.addEventListener('reload', () => this.onReload());
    events.addEventListener('release', ({ data }) => this.onRelease(JSON.parse(data)));
    events.addEventListener('error', () => events.readyState === EventSource.CLOSED && this.onDeaf());
    for (const kind of ['open', 'beat', 'request', 'answer', 'reminder', 'object-shut', 'release'])
      events.addEventListener(kind, () => this.#note());
    await new Promise((done) => {
      events.addEventListener('open', done);
      events.addEventListener('error', () => events.readyState === EventSource.CLOSED && done());
      setTimeout(done, kConnectMsMax);
    });
    if (events.readyState !== EventSource.OPEN)
      throw new TdfError(
        'page.deaf',
        'Your node could not end what is open here: it does not reach this page. Load it again.',
      );
  }

  // By both clocks: one stands still while a machine sleeps, the other can be set.
  #note() {
    this.#heard = { tick: performance.now(), time: Date.now() };
  }

  #take(data) {
    const { view, why } = JSON.parse(data);
    this.shut.set(view, why);
    if (this.shut.size > kShutRemembered) this.shut.delete(this.shut.keys().next().value);
    this.onShut(view, why);
  }

  // Whether the node would reach the page now.
  hears() {
    const { tick, time } = this.#heard;
    const silent = Math.max(performance.now() - tick, Date.now() - time);
    return (
      this.#events !== undefined && this.#events.readyState !== EventSource.CLOSED && silent < kSilenceMsMax
    );
  }

  close() {
    this.#events?.close();
    this.#events = undefined;
  }
}

class Page {
  #views = []; // { view, until (on performance.now()'s clock), time (on Date.now()'s) }
  #turn = 0; // what began before the newest file was chosen ends without effect
  #name = ''; // of the file that is shown
  #source = ''; // of an image
  #offered = 0; // counts what its author may take back: an older one's answer is of no other file

  constructor() {
    this.token = main.dataset.token;
    this.services = JSON.parse(main.dataset.services ?? '{}');
    this.originators = JSON.parse(main.dataset.originators ?? '{}'); // code: { name, keys }
    this.chooser = main.querySelector('#object-file');
    this.status = find('data-status');
    this.viewer = find('data-viewer');
    this.content = find('data-content');
    this.signed = find('data-signed');
    this.ear = new Ear(main.dataset.page, {
      onShut: (view, why) => this.#views.some((one) => one.view === view) && this.blank(why),
      onReload: () => {
        this.blank('Your node asked its pages to begin anew.');
        this.wishes.missed();
      },
      onRelease: (news) => this.wishes.heard(news),
      onDeaf: () => this.wishes.clear(), // refused: of this sign-in it will hear nothing more
    });
    this.answer = make('section', '', { 'data-answer': '', hidden: '' });
    this.wishes = new Wishes({
      nation: (service) => this.nation(service),
      ask: (service, request) => this.#ask(service, request),
      open: (file) => this.open(file),
      tell: (text, state) => this.say(text, state),
    });
    this.own = make('section', '', { 'data-own': '', 'aria-label': 'What its author can do' });
    this.status.after(this.answer, this.wishes.section);
    this.viewer.after(this.own);
    this.#listen();
    this.say(
      'Choose a sealed file, or drop it on this page. It stays in this browser; only its key is asked for.',
      'ready',
    );
  }

  #listen() {
    this.chooser.addEventListener('change', () => this.chooser.files[0] && this.open(this.chooser.files[0]));
    find('data-close').addEventListener('click', () => this.blank('You closed it.'));
    addEventListener('dragover', (event) => event.preventDefault());
    addEventListener('drop', (event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) this.open(file);
    });
    addEventListener('pagehide', () => {
      this.blank('You left the page.');
      this.wishes.clear();
      this.ear.close();
    });
    setInterval(() => this.#look(), kTickMs);
    document.addEventListener('visibilitychange', () => this.#look()); // timers of hidden pages are slow
  }

  #look() {
    if (this.#views.length === 0) return;
    if (!this.ear.hears())
      this.blank('The connection to your node was lost, so that it could not end this view.');
    else if (this.#views.some(isOver)) this.blank('Its time was over.');
  }

  say(text, state) {
    main.dataset.state = state;
    this.status.textContent = text;
  }

  // The name of the nation whose key service that is, or the service's own.
  nation(service) {
    if (Object.hasOwn(this.services, service)) return this.services[service];
    try {
      return new URL(service).host || service;
    } catch {
      return service;
    }
  }

  async #post(path, fields, signal) {
    const body = new URLSearchParams({ token: this.token, ...fields });
    return fetch(path, {
      method: 'POST',
      body,
      redirect: 'error',
      cache: 'no-store',
      signal,
      keepalive: path.endsWith('close'),
    });
  }

  async #ask(service, request) {
    const answer = await this.#post('/objects/keys', { request }, AbortSignal.timeout(kAnswerMsMax));
    const text = await answer.text();
    try {
      return { status: answer.status, json: JSON.parse(text) };
    } catch {
      const message =
        answer.status === 200 ? '' : `Your node refused to ask (${answer.status}). Sign in again.`;
      return { status: answer.status === 200 ? 502 : answer.status, json: { message } };
    }
  }

  // Who signed it, and what the page says of that.
  async #signer({ manifest }, segments) {
    const nation = (code) => (Object.hasOwn(this.originators, code) ? this.originators[code] : undefined);
    const signer = await signerOf(manifest, segments, (code) => nation(code)?.keys ?? []);
    return { ...signer, words: signerWords(signer, nation(signer.name)?.name) };
  }

  // Lets go of views that are not shown (any more).
  #release(views) {
    for (const view of new Set(views.filter(Boolean))) this.#post('/objects/close', { view }).catch(() => {});
  }

  // Takes what is shown off the page, and says why.
  blank(why) {
    this.#turn += 1;
    const shown = this.#views;
    this.#views = [];
    const inside = this.viewer.contains(document.activeElement);
    this.content.replaceChildren();
    for (const banner of this.viewer.querySelectorAll('[data-banner]')) banner.textContent = '';
    this.signed.textContent = this.signed.dataset.signed = '';
    this.viewer.hidden = true;
    if (this.#source) URL.revokeObjectURL(this.#source);
    this.#source = '';
    this.own.replaceChildren();
    if (shown.length === 0) return;
    this.#release(shown.map(({ view }) => view));
    this.say(`Shut: ${this.#name}. ${why}`, 'shut');
    if (inside) this.chooser.focus();
  }

  async open(file) {
    this.blank('Another file was chosen.');
    this.#offered += 1;
    const turn = (this.#turn += 1);
    this.answer.replaceChildren();
    this.answer.hidden = true;
    let permits = [];
    let object;
    try {
      this.say(`Looking at ${file.name}, here in this page.`, 'reading');
      object = await readObject(file);
      await this.ear.listen();
      const asked = new Set(object.manifest.access.map(({ service }) => this.nation(service)));
      this.say(`Your node asks for the key: ${[...asked].join(', ')}. This is recorded.`, 'asking');
      const got = await collectKey(object, (service, request) => this.#ask(service, request));
      ({ permits } = got);
      let bytes, signer;
      try {
        const opened = await openObject(object, got.key);
        bytes = opened.plain;
        signer = await this.#signer(object, opened.segments);
      } catch (error) {
        bytes?.fill(0);
        throw error;
      } finally {
        got.key.fill(0);
      }
      this.#show(turn, bytes, signer, permits, file.name);
      this.#offer(object, permits, file.name);
    } catch (error) {
      this.#release((error.permits ?? permits).map(({ view }) => view));
      if (turn === this.#turn) this.#refuse(file, object, error, permits);
    } finally {
      this.chooser.value = ''; // the same file can be chosen again
    }
  }

  #show(turn, bytes, signer, permits, name) {
    const ended = permits.find(({ view }) => this.ear.shut.has(view));
    const content = contentOf(bytes);
    let marking;
    try {
      if (turn !== this.#turn) throw new TdfError('page.late', 'Another file was chosen.');
      if (ended) throw new TdfError('page.shut', this.ear.shut.get(ended.view));
      if (!this.ear.hears()) throw new TdfError('page.deaf', 'The connection to your node was lost.');
      if (
        permits.some(({ view, until }) => typeof view !== 'string' || view === '' || !Number.isFinite(until))
      )
        throw new TdfError('page.view', 'Your node did not say how it would end this view.');
      if (permits.some(({ until, asked }) => performance.now() >= asked + 1000 * until))
        throw new TdfError('page.over', 'Its time was over before it was here.');
      if (content.kind === 'other')
        throw new TdfError(
          'page.kind',
          'It is neither text nor a PNG or JPEG picture. Open it with the command line: entente open.',
        );
      marking = markingOf(permits);
      this.content.replaceChildren(this.#contentElement(content, bytes));
    } finally {
      bytes.fill(0);
    }
    // From when it was asked for: the node's own limit began no sooner, however long all the rest took.
    this.#views = permits.map(({ view, until, asked }) => {
      const end = asked + 1000 * until;
      return { view, until: end, time: Date.now() - performance.now() + end };
    });
    for (const banner of this.viewer.querySelectorAll('[data-banner]')) banner.textContent = marking;
    this.signed.textContent = signer.words;
    this.signed.dataset.signed = signer.state;
    this.viewer.hidden = false;
    this.#name = name;
    const time = timeText(Math.min(...this.#views.map((view) => view.time)));
    this.say(
      `Open and verified: ${name}. It leaves this page as soon as a nation that gave its key, or your own, takes it back, and at ${time} at the latest.`,
      'open',
    );
    this.content.firstElementChild.focus();
  }

  // Of one that the node says they sealed: that they can take it back.
  #offer(object, answers, name) {
    const offered = (this.#offered += 1);
    const form = recallForm(object, answers, {
      ask: (service, request) => this.#ask(service, request),
      done: (durable) => {
        if (offered !== this.#offered) return;
        this.blank('You recalled it.');
        const later = durable ? '' : ' Your node has not written that to its disk yet, and keeps trying.';
        this.say(`Recalled: ${name}. No key of it is given out any more.${later}`, 'recalled');
      },
      failed: (words) => offered === this.#offered && this.say(`Not recalled: ${name}. ${words}`, 'refused'),
    });
    this.own.replaceChildren(...form);
  }

  // Text is text, whatever it looks like; nothing of a file becomes part of the page.
  #contentElement(content, bytes) {
    if (content.kind === 'text')
      return make('pre', content.text, {
        tabindex: '0',
        'data-text': '',
        role: 'region',
        'aria-label': 'The text of the object',
      });
    this.#source = URL.createObjectURL(new Blob([bytes], { type: content.type }));
    return make('img', '', {
      src: this.#source,
      tabindex: '0',
      'data-image': '',
      alt: 'The picture in the object',
    });
  }

  #refuse(file, object, error, permits) {
    const refused = error instanceof KeysRefused;
    const words =
      error instanceof TdfError || refused
        ? error.message
        : 'Something went wrong on the way. Try again in a minute.';
    this.say(refused ? `${file.name} does not open for you.` : `${file.name} is not shown.`, 'refused');
    const list = document.createElement('dl');
    if (refused) {
      for (const { service, permitted, words: said } of error.answers)
        list.append(
          make('dt', `Key of ${this.nation(service)}`),
          make('dd', permitted ? 'Permitted. All its nations of origin have to.' : `Refused. ${said}`, {
            'data-said': permitted ? 'yes' : 'no',
          }),
        );
    } else {
      list.append(make('dt', 'Why'), make('dd', words));
      if (error.code?.startsWith('data.'))
        list.append(
          make('dt', 'What would help'),
          make('dd', 'Get it again from whoever sealed it. Nothing of it was shown.'),
        );
    }
    const form = refused ? this.wishes.form(file, object, error.answers) : [];
    this.answer.replaceChildren(make('h2', refused ? 'Who said what' : 'Not shown'), list, ...form);
    this.answer.hidden = false;
    if (object) this.#offer(object, refused ? error.answers : (error.permits ?? permits), file.name);
  }
}

if (main) new Page();
