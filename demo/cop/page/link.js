// The live connection: opens it, hands on what it brings, and when it ends finds out whether trying again
// makes sense.
const kTries = 5;
const kFirstWaitMs = 1000;
const kWaitMsMax = 15_000;
const kReadEveryMs = 5000;
const kReadsBeforeLive = 12;

// What the door says about us now: "welcome" (we may come back), "refused" (it answers, but not with this
// app), "silent".
async function askDoor() {
  try {
    const answer = await fetch('/me', { redirect: 'manual', cache: 'no-store' });
    if (answer.ok) return 'welcome';
    return answer.status >= 500 ? 'silent' : 'refused';
  } catch {
    return 'silent';
  }
}

export class Link {
  #tries = 0;
  #timer;

  // `on` has picture(message), moves(message), state(name, detail).
  constructor(on) {
    this.on = on;
  }

  open() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(new URL('/tracks', window.location.href.replace(/^http/, 'ws')));
    let live = false;
    let opened = false;
    socket.addEventListener('open', () => (opened = true));
    socket.addEventListener('message', async (event) => {
      const message = JSON.parse(event.data);
      if (message.type === 'picture') {
        await this.on.picture(message);
        if (socket.readyState !== WebSocket.OPEN) return;
        live = true;
        this.#tries = 0;
        this.on.state('live');
      } else if (live) {
        this.on.moves(message); // moves hold whole positions, so those before the picture may be missed
      }
    });
    socket.addEventListener('close', () => this.#closed(opened));
  }

  // Whoever may read alone gets no live connection: the picture is asked for instead, again and again.
  async #read(times) {
    try {
      const signal = AbortSignal.timeout(kReadEveryMs);
      const answer = await fetch('/picture', { redirect: 'manual', cache: 'no-store', signal });
      if (!answer.ok) return false;
      await this.on.picture(await answer.json());
    } catch {
      return false;
    }
    this.#tries = 0;
    this.on.state('reading', kReadEveryMs);
    this.#timer = setTimeout(async () => {
      if (times > 1 ? !(await this.#read(times - 1)) : true) this.open();
    }, kReadEveryMs);
    return true;
  }

  async #closed(opened) {
    if (!opened && (await this.#read(kReadsBeforeLive))) return;
    this.on.state('asking');
    const door = await askDoor();
    if (door === 'refused') {
      this.on.state('ended', 'You are no longer admitted to this app. The lobby says why.');
      return;
    }
    if (this.#tries >= kTries) {
      this.on.state('ended', 'The app does not answer. You can try again, or see in the lobby how it is.');
      return;
    }
    const wait = Math.min(kWaitMsMax, kFirstWaitMs * 2 ** this.#tries);
    this.#tries += 1;
    this.on.state('waiting', wait);
    this.#timer = setTimeout(() => this.open(), wait * (0.8 + Math.random() * 0.4));
  }

  retry() {
    clearTimeout(this.#timer);
    this.#tries = 0;
    this.open();
  }
}
