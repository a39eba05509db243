// Where a journey takes place: a running coalition (its demo.json), a browser, the people in it, and a
// stopwatch.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openHeadless } from '../../demo/browser.mjs';
import { firstLine } from '../../demo/lifeline.mjs';
import { Stopwatch } from './stopwatch.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const kAccessibility = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const kNarrow = { width: 320, height: 800 }; // WCAG 2.2 1.4.10: no scrolling in two directions
const kTabsMax = 120; // of any page; more is no way
const kStepMsMax = 15_000; // when a step is given up; far beyond any target

// A person at a screen: their own browser context, a count of their clicks, and what their live connections
// received.
export class Visitor {
  clicks = 0;
  frames = 0;
  liveConnections = 0;

  constructor(stage, person, context, page) {
    Object.assign(this, { stage, person, context, page });
    this.nation = stage.demo.nations[person.nation];
    this.#watch(page);
  }

  async newPage() {
    const page = await this.context.newPage();
    this.#watch(page);
    return page;
  }

  #watch(page) {
    page.setDefaultTimeout(kStepMsMax);
    page.on('websocket', (socket) => {
      this.liveConnections += 1;
      socket.on('framereceived', () => {
        this.frames += 1;
        this.lastFrameAt = performance.now();
      });
    });
  }

  async click(selector) {
    this.clicks += 1;
    await this.page.click(selector);
  }

  // With the keyboard alone: moves the focus on until it is on what the selector names.
  async tabTo(selector) {
    await this.page.waitForSelector(selector);
    for (let tabs = 0; tabs < kTabsMax; tabs += 1) {
      await this.page.keyboard.press('Tab');
      if (await this.page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    }
    assert.fail(`no way by keyboard to ${selector}`);
  }

  async press(selector) {
    await this.tabTo(selector);
    await this.page.keyboard.press('Enter');
  }

  async type(selector, text) {
    await this.tabTo(selector);
    await this.page.keyboard.type(text);
  }

  async shoot(name) {
    if (this.stage.shots) await this.page.screenshot({ path: join(this.stage.shots, `${name}.png`) });
  }

  // On a narrow screen, or a wide one enlarged four times, nothing is cut off and nobody scrolls sideways. A table that
  // does so within its own frame is excepted.
  async #reflows(what) {
    const size = this.page.viewportSize();
    await this.page.setViewportSize(kNarrow);
    const over = await this.page.evaluate((width) => {
      const scrolls = (one) => one && (getComputedStyle(one).overflowX === 'auto' || scrolls(one.parentElement));
      const wide = [...document.body.querySelectorAll('*')].filter((one) => {
        const { right, width: own } = one.getBoundingClientRect();
        return own > 0 && right > width + 1 && !scrolls(one.parentElement) && !one.closest('svg');
      });
      const page = document.documentElement.scrollWidth;
      return page > width || wide.length > 0
        ? [`${page} px wide`, ...wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 120))]
        : [];
    }, kNarrow.width);
    await this.page.setViewportSize(size);
    assert.deepEqual(over, [], `${what}, ${kNarrow.width} px wide`);
  }

  // The page breaks no accessibility rule that axe-core can check, in the dark and in the light, and reflows.
  async isAccessible(what) {
    await this.page.evaluate(axe);
    for (const colorScheme of ['light', 'dark']) {
      await this.page.emulateMedia({ colorScheme });
      const { violations, passes } = await this.page.evaluate(
        (rules) => window.axe.run(document, { runOnly: rules }),
        kAccessibility,
      );
      const found = violations.map(
        ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
      );
      assert.deepEqual(found, [], `${what}, ${colorScheme}`);
      assert.ok(passes.length > 5, `${what}: there was something to check`);
    }
    await this.#reflows(what);
    this.stage.accessible.add(what);
  }

  text(selector = 'body') {
    return this.page.innerText(selector);
  }

  openLobby() {
    return this.page.goto(`${this.nation.lobby}/`);
  }

  // From the lobby through the nation's own provider and back. A provider that still knows the person asks
  // nothing.
  async signIn() {
    const atLobby = () => new URL(this.page.url()).host === new URL(this.nation.lobby).host;
    await this.#arrive(() => this.click('a[data-action="sign-in"]'));
    this.submittedAt = performance.now();
    if (atLobby()) return;
    assert.ok(
      this.page.url().startsWith(this.nation.issuer),
      `sign-in leads to ${this.nation.issuer}, not ${this.page.url()}`,
    );
    await this.page.fill('#login', this.person.login);
    await this.page.fill('#passphrase', this.person.passphrase);
    this.submittedAt = performance.now();
    await this.#arrive(() => this.click('button[type="submit"]'));
    assert.ok(
      atLobby(),
      `after signing in at the provider one is back at the lobby, not at ${this.page.url()}`,
    );
  }

  // A page of another address or content has been reached; redirects on the way are one journey to the
  // browser.
  async #arrive(go) {
    const arrived = this.page.waitForEvent('framenavigated');
    await go();
    await arrived;
    await this.page.waitForLoadState('load');
  }

  get card() {
    return `article[data-app="${this.stage.demo.app}"]`;
  }

  // From the lobby into any app by its card; answers how long it took until its page was there.
  async openCard(app) {
    const link = `article[data-app="${app}"] a[data-action="open"]`;
    await this.openLobby();
    await this.page.waitForSelector(link);
    const clickedAt = performance.now();
    await this.#arrive(() => this.click(link));
    assert.equal(new URL(this.page.url()).host, new URL(this.nation.apps[app]).host);
    return performance.now() - clickedAt;
  }

  positions() {
    return this.page.$$eval('[data-track]', (tracks) =>
      tracks.map((track) => track.getAttribute('transform')),
    );
  }

  // Clicks the card and waits for the map. Answers when the first track stood there, and when one had moved,
  // since the click; and what carried the page and its WebSocket (200 is HTTP/2's answer, 101 HTTP/1.1's).
  async openApp() {
    await this.page.waitForSelector(`${this.card} a[data-action="open"]`);
    const handshakes = [];
    const network = await this.context.newCDPSession(this.page);
    network.on('Network.webSocketHandshakeResponseReceived', ({ response }) => handshakes.push(response.status));
    await network.send('Network.enable');
    const clickedAt = performance.now();
    await this.click(`${this.card} a[data-action="open"]`);
    await this.page.waitForSelector('body[data-link="live"] [data-track]');
    const first = performance.now();
    await this.waitForMove();
    const carriedBy = await this.page.evaluate(
      () => performance.getEntriesByType('navigation')[0].nextHopProtocol,
    );
    await network.detach();
    return {
      carriedBy,
      handshakes,
      firstTrack: first - clickedAt,
      moving: performance.now() - clickedAt,
      sinceSignIn: first - this.submittedAt,
    };
  }

  async waitForMove() {
    const before = await this.positions();
    await this.page.waitForFunction(
      (old) =>
        [...document.querySelectorAll('[data-track]')].some(
          (track, index) => track.getAttribute('transform') !== old[index],
        ),
      before,
    );
  }

  async waitForFrames(count) {
    const goal = this.frames + count;
    while (this.frames < goal) {
      if (performance.now() - (this.lastFrameAt ?? 0) > kStepMsMax)
        throw new Error(`${this.person.login}: no more tracks arrive`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

export class Stage {
  stopwatch = new Stopwatch();
  visitors = [];
  accessible = new Set(); // pages that axe-core found no fault with

  constructor(demo, browser, shots) {
    Object.assign(this, { demo, browser, shots });
    if (shots) mkdirSync(shots, { recursive: true });
  }

  person(login) {
    return this.demo.people.find((person) => person.login === login);
  }

  async visitor(login) {
    const context = await this.browser.newContext({
      viewport: { width: 1440, height: 900 },
      colorScheme: 'dark',
    });
    const visitor = new Visitor(this, this.person(login), context, await context.newPage());
    this.visitors.push(visitor);
    return visitor;
  }

  // Where everyone was when something went wrong, for the message of a failure.
  async whereabouts() {
    const lines = this.visitors
      .filter(({ page }) => !page.isClosed())
      .map(async (visitor) => {
        await visitor.shoot(`broken-${visitor.person.login}`).catch(() => {});
        const text = await visitor.text().catch(() => '(no page)');
        return `${visitor.person.login} at ${visitor.page.url()}: ${text.replace(/\s+/g, ' ').slice(0, 300)}`;
      });
    return (await Promise.all(lines)).join('\n');
  }

  // Runs a verb of `entente` against a nation's node, as its operator. Answers { code, output, ms }.
  async cli(nation, ...verb) {
    const command = this.demo.nations[nation].cli.flatMap((word) => (word === '{}' ? verb : [word]));
    const started = performance.now();
    const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => output.push(data));
    const [code] = await once(child, 'close');
    return { code, output: Buffer.concat(output).toString('utf8').trim(), ms: performance.now() - started };
  }

  get authority() {
    this.trusted ??= readFileSync(this.demo.authority, 'utf8');
    return this.trusted;
  }

  async close() {
    await this.browser.close();
    if (!this.launcher) return;
    this.launcher.kill('SIGTERM');
    if (this.launcher.exitCode === null) await once(this.launcher, 'exit');
  }
}

const readDemo = (path) => JSON.parse(readFileSync(path, 'utf8'));

export async function stageFor(demo, shots) {
  return new Stage(demo, await openHeadless(demo.publicKeyDigests), shots);
}

// A stage of this test's own: the coalition that ENTENTE_DEMO (a demo.json) describes, or one started here
// from the program that ENTENTE_PROGRAM names. Answers undefined where there is neither, for the test to skip
// itself.
export async function ownStage() {
  if (process.env.ENTENTE_DEMO)
    return stageFor(readDemo(process.env.ENTENTE_DEMO), process.env.ENTENTE_SHOTS);
  const program = process.env.ENTENTE_PROGRAM;
  if (!program) return undefined;
  const coalition = process.env.ENTENTE_COALITION ? ['--coalition', process.env.ENTENTE_COALITION] : [];
  const args = [join(here, '../../demo/launch.mjs'), '--json', '--entente', program, ...coalition];
  const launcher = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const { demo } = JSON.parse(await firstLine(launcher));
  const stage = await stageFor(readDemo(demo), process.env.ENTENTE_SHOTS);
  stage.launcher = launcher;
  return stage;
}
