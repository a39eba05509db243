// Sealed objects in the lobby's page, in a browser: what a file could do to the page, and what must take content off it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { zipOf } from '../../web/lobby/tdf_for_test.mjs';
import { readZip } from '../../web/lobby/tdf_zip.js';
import { stageFor } from '../journeys/stage.mjs';
import { Coalition, command, skip, system, until } from './coalition.mjs';

const kText = 'EXERCISE EXERCISE EXERCISE: two relief convoys reach Harbor Light Bay at dusk.\n';
const kPicture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
let coalition, stage, reader, report;

const as = (...words) => command([coalition.file('as'), ...words], { cwd: coalition.folder });

async function seal(name, content, ...more) {
  writeFileSync(coalition.file(name), content);
  const sealed = await as('konrad', 'seal', name, '--for', 'XBB', ...more, '-o', `${name}.tdf`);
  assert.equal(sealed.code, 0, sealed.output);
  return { file: coalition.file(`${name}.tdf`), id: /as object (\S+)/.exec(sealed.output)[1] };
}

const choose = async (file, state) => {
  await reader.page.setInputFiles('#object-file', file);
  await reader.page.waitForSelector(`main[data-state="${state}"]`);
};
const kBlankMsMax = 5000; // as long as a page may show what it hears nothing of: against never, not a measure
const isBlank = () =>
  reader.page.waitForFunction(
    () =>
      document.querySelector('[data-viewer]').hidden &&
      document.querySelector('[data-content]').childNodes.length === 0,
  );
const said = () => reader.text('main');

async function comeIn() {
  await reader.openLobby();
  if ((await reader.page.locator('a[data-action="sign-in"]').count()) > 0) await reader.signIn();
  await reader.page.goto(`${reader.nation.lobby}/objects`);
  await reader.page.waitForSelector('main[data-objects]');
}

before(async () => {
  if (skip) return;
  coalition = await Coalition.start();
  stage = await stageFor(coalition.demo);
  reader = await stage.visitor('ingrid');
  report = await seal('report.txt', kText);
});
after(async () => {
  await stage?.close();
  await coalition?.end();
});

system('a stranger sees no page for objects', async () => {
  await reader.page.goto(`${reader.nation.lobby}/objects`);
  assert.equal(await reader.page.locator('main[data-objects]').count(), 0);
  await reader.page.waitForSelector('a[data-action="sign-in"]');
});

system('what opens is shown word for word, marked above and below, and closes by its button', async () => {
  await comeIn();
  await choose(report.file, 'open');
  assert.equal(await reader.page.textContent('[data-text]'), kText);
  const banners = await reader.page.locator('[data-viewer] [data-banner]').allTextContents();
  assert.deepEqual(
    banners.map((text) => /^EXERCISE.*RESTRICTED.*XBB/.test(text)),
    [true, true],
    banners.join(' | '),
  );
  assert.equal(
    await reader.page.evaluate(() => document.activeElement.hasAttribute('data-text')),
    true,
    'the focus is on it',
  );
  await reader.page.click('[data-close]');
  await isBlank();
  assert.equal(
    await reader.page.evaluate(() => document.activeElement.id),
    'object-file',
    'the focus is not lost',
  );
});

system('attack: a file that would be a page is text', async () => {
  const evil = await seal(
    'evil.txt',
    '<img src=x onerror="document.title=1"><script>document.title=1</script>',
  );
  await comeIn();
  await choose(evil.file, 'open');
  assert.equal(await reader.page.locator('[data-viewer] img, [data-viewer] script').count(), 0);
  assert.match(await reader.page.textContent('[data-text]'), /^<img src=x/);
  assert.notEqual(await reader.page.title(), '1');
});

system('a picture is shown from memory, and gone with the view', async () => {
  const picture = await seal('picture.png', kPicture);
  await choose(picture.file, 'open');
  const source = await reader.page.getAttribute('[data-image]', 'src');
  assert.match(source, /^blob:/);
  await reader.page.waitForFunction(() => document.querySelector('[data-image]').naturalWidth === 1);
  await reader.page.click('[data-close]');
  await isBlank();
  const left = await reader.page.evaluate(
    (url) =>
      fetch(url).then(
        () => 'there',
        () => 'gone',
      ),
    source,
  );
  assert.equal(left, 'gone');
});

system(
  'a labelled object opens under its label; one whose label says less than its policy stays shut',
  async () => {
    const sealWith = (classification) => {
      const catl = [{ type: 'P', name: 'Releasable To', vals: ['XAA', 'XBB'] }];
      writeFileSync(
        coalition.file('label.json'),
        JSON.stringify({ ocl: { pol: 'HARBOR LIGHT', cls: classification, catl } }),
      );
      return seal(`${classification}.txt`, kText, '--label', 'label.json');
    };
    await choose((await sealWith('RESTRICTED')).file, 'open');
    assert.match(await reader.text('[data-banner]'), /^EXERCISE RESTRICTED\/\/REL TO XAA, XBB$/);
    await choose((await sealWith('UNCLASSIFIED')).file, 'refused');
    await isBlank();
  },
);

system('attack: a damaged file shows nothing, and no key is asked for one that is none', async () => {
  const bytes = readFileSync(report.file);
  bytes[60] ^= 1; // in the payload
  writeFileSync(coalition.file('damaged.tdf'), bytes);
  await choose(coalition.file('damaged.tdf'), 'refused');
  assert.match(await said(), /damaged or was changed/);
  let asked = 0;
  reader.page.on('request', (request) => request.url().endsWith('/objects/keys') && (asked += 1));
  writeFileSync(coalition.file('none.tdf'), kText);
  await choose(report.file, 'open');
  assert.equal(asked, 1);
  await choose(coalition.file('none.tdf'), 'refused');
  assert.equal(asked, 1);
  await isBlank();
});

// The file with its manifest changed, as anybody can who has it.
async function rewritten(from, name, change) {
  const bytes = readFileSync(from);
  const { payload, manifest } = await readZip(new Blob([bytes]));
  const part = ({ dataAt, size }) => bytes.subarray(dataAt, dataAt + size);
  const json = JSON.parse(part(manifest));
  change(json);
  const entries = [
    { name: '0.payload', bytes: part(payload) },
    { name: '0.manifest.json', bytes: Buffer.from(JSON.stringify(json)) },
  ];
  writeFileSync(coalition.file(name), zipOf(entries));
  return coalition.file(name);
}

system('attack: what its originator signed is told from what anybody made of it', async () => {
  await comeIn();
  await choose(report.file, 'open');
  assert.match(await reader.text('[data-signed="signed"]'), /^Signed by Aldoria \(XAA\)/);
  await reader.page.click('[data-close]');
  assert.equal(await reader.text('[data-signed]'), '');
  // The signature taken off, which nothing shows but that it is not there.
  const bare = await rewritten(report.file, 'bare.tdf', (manifest) => {
    const { length } = manifest.assertions;
    manifest.assertions = manifest.assertions.filter(({ id }) => id !== 'entente-originator');
    assert.equal(manifest.assertions.length, length - 1);
  });
  await choose(bare, 'open');
  assert.match(await reader.text('[data-signed="unsigned"]'), /^Not signed by its originator/);
  // What is covered by no other signature of the format, changed under it.
  const other = await rewritten(report.file, 'other.tdf', (manifest) => (manifest.payload.mimeType = 'text/html'));
  await choose(other, 'refused');
  assert.match(await said(), /originator signed something else than what is here/);
  await isBlank();
  // And the same at the command line.
  const again = await as('konrad', 'open', 'bare.tdf', '-o', 'bare.txt');
  assert.match(again.output, /not signed by its originator/);
  assert.equal((await as('konrad', 'open', 'other.tdf', '-o', 'other.txt')).code, 4);
});

system('attack: an answer that does not say how the view ends or is marked, and one that ends it at once', async () => {
  const answersWith = (change) =>
    reader.page.evaluate((edit) => {
      const { fetch } = window;
      window.fetch = async (...request) => {
        const answer = await fetch(...request);
        if (request[0] !== '/objects/keys') return answer;
        const json = await answer.json();
        for (const { results } of json.responses) for (const result of results) Object.assign(result, edit);
        return new Response(JSON.stringify(json), { status: answer.status });
      };
    }, change);
  for (const change of [{ view: null }, { until: null }, { view: '' }, { marking: null }, { marking: '' }]) {
    await comeIn();
    await answersWith(change);
    await choose(report.file, 'refused');
    await isBlank();
    assert.doesNotMatch(await reader.page.content(), /RESTRICTED|convoys/);
  }
  await comeIn();
  await answersWith({ until: 1 });
  await choose(report.file, 'shut');
  await isBlank();
  assert.match(await said(), /Its time was over/);
  await comeIn();
});

system("leaving the page and coming back by the browser's own button brings nothing back", async () => {
  await choose(report.file, 'open');
  await reader.page.goto(`${reader.nation.lobby}/things`);
  await reader.page.goBack();
  await reader.page.waitForSelector('main[data-objects]');
  await isBlank();
  assert.doesNotMatch(await reader.page.content(), /convoys/);
});

system(
  'a recall by the nation of origin blanks the open page and says why; lifted, it opens again',
  async () => {
    await choose(report.file, 'open');
    const given = performance.now();
    const blanked = isBlank().then(() => performance.now() - given);
    await coalition.ask('XAA', 'recall', 'policy', report.id, '--reason', 'EXERCISE: sent by mistake');
    const blank = await blanked;
    assert.ok(blank < kBlankMsMax, `the page still showed it ${blank} ms after its recall was given`);
    assert.match(await said(), /Shut: /);
    assert.doesNotMatch(await reader.page.content(), /convoys/);
    await choose(report.file, 'refused');
    await coalition.ask('XAA', 'recall', 'lift', 'policy', report.id, '--reason', 'EXERCISE: it was right');
    await choose(report.file, 'open');
  },
);

system('its author is offered the recall and nobody else, also of what this page does not show', async () => {
  const author = await stage.visitor('konrad');
  const theirs = (state, file) =>
    author.page.setInputFiles('#object-file', file).then(() => author.page.waitForSelector(`main[data-state="${state}"]`));
  const offers = (visitor) => visitor.page.locator('[data-recall-own]').count();
  const text = await seal('mine.txt', kText);
  const other = await seal('mine.bin', Buffer.from([0, 1, 2, 3]));
  await comeIn();
  await choose(text.file, 'open');
  assert.equal(await offers(reader), 0);
  await author.openLobby();
  await author.signIn();
  await author.page.goto(`${author.nation.lobby}/objects`);
  await theirs('open', text.file);
  assert.equal(await offers(author), 1);
  // It goes with what it was offered for: closed, or another file chosen.
  await author.page.click('[data-close]');
  assert.equal(await offers(author), 0);
  await theirs('open', text.file);
  await theirs('refused', coalition.file('damaged.tdf'));
  await theirs('refused', other.file);
  assert.equal(await offers(author), 1);
  await author.isAccessible('the page of objects: what its author can do');
  // Nothing is sent without a reason, and a refusal leaves what stands as it is.
  let sent = 0;
  const count = (request) => (sent += request.url().endsWith('/objects/keys') ? 1 : 0);
  author.page.on('request', count);
  await author.page.fill('#recall-reason', '   ');
  await author.page.click('[data-action="recall-own"]');
  assert.equal(sent, 0);
  await author.page.fill('#recall-reason', 'EXERCISE: <img src=x onerror="document.title=1">');
  await author.page.click('[data-action="recall-own"]');
  await author.page.waitForSelector('main[data-state="recalled"]');
  assert.equal(sent, 1);
  assert.equal(await offers(author), 0);
  assert.equal(await reader.page.getAttribute('main', 'data-state'), 'open', 'another object of theirs');
  // What they wrote is text where others read it.
  await choose(other.file, 'refused');
  assert.match(await said(), /recalled by its author: EXERCISE: .*img src=x/);
  assert.equal(await reader.page.locator('main img').count(), 0);
  assert.notEqual(await reader.page.title(), '1');
  await author.context.close();
});

const controlled = async (name) => {
  writeFileSync(coalition.file(name), kText);
  const sealed = await as('konrad', 'seal', name, '--orcon', '-o', `${name}.tdf`);
  assert.equal(sealed.code, 0, sealed.output);
  return coalition.file(`${name}.tdf`);
};
const askForIt = async (purpose) => {
  await reader.page.fill('#release-purpose', purpose);
  await reader.page.click('[data-action="ask-release"]');
  await reader.page.waitForSelector('main[data-state="waits"]');
};
const wishIs = (state) => reader.page.waitForSelector(`[data-wishes] [data-wish="${state}"]`);
const waiting = async () =>
  (await coalition.ask('XAA', 'release', 'ls')).releases.find(({ state }) => state === 'open').id;

system('under originator control: asked for on the page, which says it when it is answered', async () => {
  const file = await controlled('orcon.txt');
  await comeIn();
  await choose(file, 'refused');
  assert.match(await said(), /not released to Borealis/);
  assert.match(await reader.text('[data-ask-release]'), /Ask Aldoria \(XAA\) to release it/);
  await reader.isAccessible('the page of objects: a release to ask for');
  await askForIt('EXERCISE: berths for the convoy');
  await wishIs('open');
  assert.match(await reader.text('[data-wishes]'), /You asked Aldoria \(XAA\) .* waits for an answer/);
  assert.equal(await reader.page.locator('[data-ask-release]').count(), 0);
  await reader.isAccessible('the page of objects: a release that waits');
  // Looked at again, it is the same that waits, and is not asked for anew.
  await comeIn();
  await choose(file, 'refused');
  await wishIs('open');
  assert.equal(await reader.page.locator('[data-ask-release]').count(), 0);

  const words = 'EXERCISE: <img src=x onerror="document.title=1">';
  await coalition.answer('XAA', 'release', 'deny', await waiting(), '--words', words);
  await wishIs('denied');
  assert.ok((await reader.text('[data-wishes]')).includes(`Aldoria (XAA) does not release it. They say: ${words}`));
  assert.equal(await reader.page.locator('[data-wishes] img').count(), 0);
  assert.notEqual(await reader.page.title(), '1');

  await choose(file, 'refused'); // after a denial one may ask again
  await askForIt('EXERCISE: it is for the harbour master');
  await wishIs('open');
  await coalition.answer('XAA', 'release', 'approve', await waiting());
  await wishIs('granted');
  assert.match(await reader.text('[data-wish="granted"]'), /Released by Aldoria \(XAA\) until .*open it again/);
  await reader.page.click('[data-action="open-again"]');
  await reader.page.waitForSelector('main[data-state="open"]');
  assert.equal(await reader.page.textContent('[data-text]'), kText);
  const [{ id }] = (await coalition.ask('XAA', 'release', 'ls')).releases;
  await coalition.ask('XAA', 'release', 'revoke', id, '--words', 'EXERCISE: the convoy is in');
  await isBlank();
  await wishIs('revoked');
  assert.match(await reader.text('[data-wish="revoked"]'), /took the release back. They say: EXERCISE: the convoy is in/);
  // Left, the page says nothing of it to whoever comes next.
  await reader.page.goto(`${reader.nation.lobby}/things`);
  await reader.page.goBack();
  await reader.page.waitForSelector('main[data-objects]');
  assert.equal(await reader.page.locator('[data-wish]').count(), 0);
});

system('signing out in another tab takes away what was asked for, too', async () => {
  await comeIn();
  await choose(await controlled('orcon2.txt'), 'refused');
  await askForIt('EXERCISE: berths');
  await wishIs('open');
  const other = await reader.context.newPage();
  await other.goto(`${reader.nation.lobby}/`);
  await other.click('[data-action="sign-out"]');
  await reader.page.waitForFunction(() => document.querySelector('[data-wish]') === null);
  await other.close();
});

system('signing out in another tab blanks it', async () => {
  await comeIn();
  await choose(report.file, 'open');
  const other = await reader.context.newPage();
  await other.goto(`${reader.nation.lobby}/`);
  await other.click('[data-action="sign-out"]');
  await isBlank();
  await other.close();
  await choose(report.file, 'refused');
  await isBlank();
});

system('attack: somebody else signs in while the page cannot hear: it does not listen on as them', async () => {
  const other = await stage.visitor('jonas');
  await other.openLobby();
  await other.signIn();
  const theirs = await other.context.cookies(other.nation.lobby);
  await reader.context.clearCookies();
  await comeIn();
  let away = true; // until they are here, the stream breaks off after each beat
  const beat = {
    contentType: 'text/event-stream',
    body: 'retry: 500\nevent: beat\ndata: {}\n\n',
  };
  await reader.page.route('**/events?page=*', (route) => (away ? route.fulfill(beat) : route.continue()));
  await choose(report.file, 'open');
  await reader.context.addCookies(theirs);
  // One of the node's own.
  const isAnswer = (one) =>
    one.url().includes('/events?page=') && one.headers()['content-security-policy'] !== undefined;
  const answer = reader.page.waitForResponse(isAnswer);
  away = false;
  assert.equal((await answer).status(), 403);
  await isBlank();
  await other.context.close();
  await reader.context.clearCookies();
});

system('a suspended nation reads no further', async () => {
  await comeIn();
  await choose(report.file, 'open');
  await coalition.ask('XAA', 'partner', 'suspend', 'XBB', '--reason', 'exercise: keys under review');
  await isBlank();
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: review finished');
});

system('fails closed: a page that its node cannot reach is blank', async () => {
  await reader.context.clearCookies();
  await comeIn();
  await until('the object opens again', async () => {
    await reader.page.setInputFiles('#object-file', report.file);
    await reader.page.waitForSelector('main[data-state="open"], main[data-state="refused"]');
    return (await reader.page.getAttribute('main', 'data-state')) === 'open';
  });
  await coalition.stop('node-xbb', 'SIGKILL');
  await isBlank();
  assert.match(await said(), /connection to your node was lost|Shut/);
  await coalition.startAgain('node-xbb');
});
