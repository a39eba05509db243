// The page in a real browser: it draws, moves, breaks no rule of its own content policy, and ends calmly.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openHeadless } from '../browser.mjs';
import { firstLine } from '../lifeline.mjs';
import { HostStandIn } from './host_stand_in.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let folder;
let host;
let app;
let address;
let browser;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'entente-page-'));
  host = new HostStandIn(join(folder, 'cop.sock'));
  app = spawn(process.execPath, [join(here, 'server.mjs'), host.writeSettings(folder)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await firstLine(app);
  address = await host.listen();
  browser = await openHeadless();
});

after(async () => {
  await browser?.close();
  host?.close();
  app?.kill();
  rmSync(folder, { recursive: true, force: true });
});

async function openPage(options = {}) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, ...options });
  const complaints = [];
  page.on(
    'console',
    (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()),
  );
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(address);
  await page.waitForSelector('body[data-link="live"] [data-track]');
  return { page, complaints };
}

const positions = (page) =>
  page.$$eval('[data-track]', (tracks) => tracks.map((track) => track.getAttribute('transform')));

test('tracks are drawn and move, and the page keeps its own content policy', async () => {
  const { page, complaints } = await openPage();
  const first = await positions(page);
  assert.ok(first.length >= 20);
  await page.waitForFunction(
    (old) =>
      [...document.querySelectorAll('[data-track]')].some(
        (track, index) => track.getAttribute('transform') !== old[index],
      ),
    first,
  );
  assert.equal(await page.textContent('[data-subject]'), 'p-7f3a');
  assert.deepEqual(complaints, []);
  if (process.env.ENTENTE_SHOTS)
    await page.screenshot({ path: join(process.env.ENTENTE_SHOTS, 'cop-dark.png') });
  await page.close();
});

for (const colorScheme of ['dark', 'light']) {
  test(`no accessibility rule is broken (${colorScheme})`, async () => {
    const context = await browser.newContext({
      bypassCSP: true,
      colorScheme,
      viewport: { width: 1440, height: 900 },
    });
    const page = await context.newPage();
    await page.goto(address);
    await page.waitForSelector('body[data-link="live"] [data-track]');
    await page.click('.who summary');
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() =>
      window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }),
    );
    assert.deepEqual(
      violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`),
      [],
    );
    if (process.env.ENTENTE_SHOTS)
      await page.screenshot({ path: join(process.env.ENTENTE_SHOTS, `cop-${colorScheme}-who.png`) });
    await context.close();
  });
}

test('the keyboard moves and zooms the map and switches the theme', async () => {
  const { page } = await openPage();
  const coast = () => page.getAttribute('path.land', 'd');
  await page.focus('[data-map]');
  const seen = [await coast()];
  for (const key of ['ArrowLeft', '+', '0']) {
    await page.keyboard.press(key);
    seen.push(await coast());
  }
  assert.equal(new Set(seen).size, 3);
  assert.equal(seen[0], seen[3], 'zero shows the whole bay again');
  await page.focus('[data-action="theme"]');
  const theme = () => page.getAttribute('html', 'data-theme');
  const before = await theme();
  await page.keyboard.press('Enter');
  assert.notEqual(await theme(), before);
  await page.close();
});

test('a cut that the door confirms ends the page calmly, with a way to the lobby', async () => {
  const { page } = await openPage();
  host.refusing = true;
  host.cutStreams();
  await page.waitForSelector('body[data-link="ended"]');
  assert.match(
    await page.textContent('[data-ended]'),
    /no longer admitted.*lobby says why.*no longer moves/s,
  );
  assert.equal(await page.isVisible('[data-action="lobby"]'), true);
  const updates = await page.getAttribute('body', 'data-updates');
  assert.equal(await page.getAttribute('body', 'data-updates'), updates);
  if (process.env.ENTENTE_SHOTS)
    await page.screenshot({ path: join(process.env.ENTENTE_SHOTS, 'cop-ended.png') });
  host.refusing = false;
  await page.click('[data-action="retry"]');
  await page.waitForSelector('body[data-link="live"]');
  await page.close();
});

test('a lost connection that the door would open again comes back by itself', async () => {
  const { page } = await openPage();
  host.cutStreams();
  await page.waitForSelector('body[data-link="waiting"]');
  await page.waitForSelector('body[data-link="live"]');
  await page.close();
});

test('who may only read sees a picture that is asked for again and again, and is told that it is not live', async () => {
  host.readOnly = true;
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(address);
  await page.waitForSelector('body[data-link="reading"] [data-track]');
  assert.match(await page.textContent('[data-state]'), /^Not live: .* read only/);
  const first = await positions(page);
  await page.waitForFunction(
    (old) =>
      [...document.querySelectorAll('[data-track]')].some(
        (track, index) => track.getAttribute('transform') !== old[index],
      ),
    first,
  );
  host.refusing = true;
  await page.waitForSelector('body[data-link="ended"]');
  host.refusing = false;
  host.readOnly = false;
  await page.click('[data-action="retry"]');
  await page.waitForSelector('body[data-link="live"]');
  await page.close();
});

test('an app that stands still is not called live, however open its connection is', async () => {
  const { page } = await openPage();
  app.kill('SIGSTOP');
  try {
    await page.waitForSelector('body[data-link="still"]');
    assert.match(await page.textContent('[data-state]'), /^No news for more than 5 s: the picture stands still$/);
  } finally {
    app.kill('SIGCONT');
  }
  await page.waitForSelector('body[data-link="live"]');
  assert.equal(await page.textContent('[data-state]'), 'Live');
  await page.close();
});
