// A wiki for people of several nations, attacked by some of them: with roles of odd names, with links that change
// something, with files that are programs, with values that end early, and with more requests than it can take.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { openHeadless } from '../browser.mjs';
import { readHead } from './fossil.mjs';
import { AdapterUnderTest, kDoor, multipart } from './test_host.mjs';

const capabilities = { planner: 'bfhjkmo', analyst: 'hj', visitor: '' };
const kScript = '<script>(parent ?? self).document.title = "ran"</script>';
let wiki, planner, other, analyst;

before(async () => {
  wiki = new AdapterUnderTest();
  const { said } = await wiki.start('wiki', { capabilities });
  assert.equal(said, undefined);
  planner = wiki.person('p-1', 'planner');
  other = wiki.person('p-2', 'planner', 'XAA');
  analyst = wiki.person('p-3', 'analyst');
  assert.equal((await planner.save('Clinics', 'Six beds.')).status, 200);
  assert.equal((await planner.attach('Clinics', 'plan.html', kScript)).status, 302);
});

after(() => wiki?.end());

const knownAs = (page) => /<div class="status"><a href='\/login'>([^<]+)</.exec(page.body)?.[1];
const read = (person, page) => person.get(`/wiki?name=${page}`);

// Hashes of the attachment's record and of the file itself.
async function attachment(name) {
  const row = await wiki.sql(
    `SELECT blob.uuid, attachment.src FROM attachment JOIN blob ON blob.rid = attachid WHERE filename = '${name}'`,
  );
  const [record, file] = row.match(/[0-9a-f]{40,64}/g);
  return { record, file };
}

test('a role that is named like something of JavaScript gives no capability', async () => {
  for (const role of ['constructor', 'hasOwnProperty', '__proto__', 'toString', 'nobody-knows-it']) {
    const person = wiki.person(`p-${role}`, role);
    const page = await read(person, 'Clinics');
    assert.equal(page.status, 403, role);
    assert.doesNotMatch(page.body, /Six beds/);
  }
  const accounts = await wiki.sql("SELECT DISTINCT cap FROM user WHERE login LIKE 'x%'");
  for (const cap of accounts.trim().split('\n')) assert.match(cap, /^'?(bfhjkmo|hj)?'?$/);
});

test('capabilities that are none, and those of an administrator, start no adapter', async () => {
  for (const wrong of [{ planner: 'bf; x' }, { planner: 7 }, { planner: 'hjs' }, { planner: 'ahj' }, { 'x\ny': 'hj' }]) {
    const adapter = new AdapterUnderTest();
    const { ready, said } = await adapter.start('wiki', { capabilities: wrong });
    await adapter.end();
    assert.equal(ready, undefined, JSON.stringify(wrong));
    assert.match(said, /^adapter: .*\/capabilities\//);
  }
});

test('nobody becomes the keeper: not without a capability, not with the stored password', async () => {
  const visitor = wiki.person('p-4', 'visitor');
  const page = await visitor.get(`/wiki?name=Clinics&resid=keeper&token=${'*'.repeat(40)}`);
  assert.equal(page.status, 403);
  assert.notEqual(knownAs(page), 'keeper');
  const stored = (await wiki.sql('SELECT pw FROM user')).trim().split('\n');
  assert.ok(stored.length > 3);
  assert.equal(new Set(stored).size, stored.length, 'each account has one that nobody knows');
});

test('a value that ends early names nobody', async () => {
  const extra = '%00REMOTE_USER%00keeper';
  for (const path of [
    `/wiki${extra}?name=Clinics`,
    `/%73etup${extra}?/setup`,
    '/wiki/Clinics%0d%0aX:%20y',
    '/wiki/Clinics%7f',
    '/wiki?name=Clinics%00',
    '/wiki?name=Clinics%0d%0aSet-Cookie:%20a=b',
    '/wiki/%ff',
    '/wiki/%zz',
  ]) {
    const page = await planner.get(path);
    assert.notEqual(knownAs(page), 'keeper', path);
    assert.equal(page.status, 400, path);
  }
  const tab = await planner.get('/wiki?name=Clinics', { 'user-agent': 'a\tb' });
  assert.equal(tab.status, 400);
});

const shut = `setup setup_ulist setup_config admin_sql admin_log secaudit0 logout register resetpw my json xfer ext
  test_env test-all-help doc uv zip tarball sqlar secureraw wikiappend technoteedit tktnew tktedit fileedit forumnew
  cookies subscribe unsubscribe announce contact_admin modreq rptnew rptsql shun ci_edit takeitprivate skins draft1
  honeypot errorlog backoffice repo_schema urllist stat cgi .well-known`;

test("of fossil's pages only the wiki's are there, however the others are spelled", async () => {
  const spelled = ['/Setup', '//setup', '/x/../setup', '/wiki/../setup', '/%73etup?/setup', '/draft1/setup', '/./setup'];
  for (const path of [...shut.split(/\s+/).map((page) => `/${page}`), ...spelled]) {
    const page = await planner.get(path);
    assert.doesNotMatch(page.body, /Administration|Site Setup/i, path);
    if (!path.includes('/wiki/')) assert.equal(page.status, 404, path);
  }
  const unable = await analyst.get('/wikinew');
  assert.equal(unable.headers.location, `https://${kDoor}/login?g=wikinew`);
  assert.equal((await analyst.get('/login?g=wikinew')).status, 403, 'which says what that means');
  for (const path of ['/%77iki?name=Clinics', '/wiki/Clinics', '/wiki?name=Clinics'])
    assert.match((await planner.get(path)).body, /Six beds/, path);
});

// What a visitor's browser asks for on its way through the wiki.
const links = (page) =>
  [...page.body.matchAll(/(?:href|src|action)=['"](\/[^'"#\s$]*)/g)].map(([, path]) => path.replaceAll('&amp;', '&'));

test('whatever the pages of the wiki link to for reading is there', async () => {
  const seen = new Set(['/wiki?name=Clinics', '/wcontent', '/timeline?y=w', '/wikihelp', '/wikiedit?name=Clinics', '/wikinew']);
  for (const path of seen) {
    const page = await planner.get(path);
    assert.ok([200, 302].includes(page.status), `${path}: ${page.status} ${page.body.slice(0, 100)}`);
    if (seen.size < 120) for (const link of links(page)) if (!/^\/(login|sitemap|intermap|help|vdiff|timeline\.rss)/.test(link)) seen.add(link);
  }
  assert.ok(seen.size > 30, `${[...seen]}`);
});

test('a link changes nothing', async () => {
  const { record } = await attachment('plan.html');
  const confirm = 'confirm=1';
  const sent = { 'content-type': 'application/x-www-form-urlencoded' };
  const tried = [
    ['GET', '/wikiappend?name=Clinics&submit=1&r=appended&u=x&csrf='],
    ['HEAD', '/wikiappend?name=Clinics&submit=1&r=appended&u=x&csrf='],
    ['GET', `/ainfo/${record}?${confirm}`],
    ['GET', `/ainfo?name=${record}&Confirm=1`],
    ['GET', `/ainfo?name=${record}&%63onfirm=1`],
    ['GET', `/info/${record}?${confirm}`],
    ['GET', `/ainfo/${record}`, undefined, { cookie: confirm }],
    ['GET', `/ainfo/${record}`, confirm, sent],
    ['HEAD', `/ainfo/${record}`, confirm, sent],
    ['GET', '/attachadd', ...multipart({ page: 'Clinics', ok: '1' }, 'by-link.txt', 'x')],
    ['GET', '/attachadd?page=Clinics&ok=1&f=x&f:bytes=1&f:filename=by-link.txt'],
    ['GET', '/wikiajax/save?page=ByLink&content=appended&isnew=1'],
    ['GET', '/wiki/save?name=save&page=ByLink&content=appended&isnew=1'],
  ];
  for (const [method, path, body, headers] of tried) {
    const answer = await planner.ask(method, path, body, headers);
    assert.doesNotMatch(answer.body, /has been deleted/, path);
    const still = await read(other, 'Clinics');
    assert.match(still.body, /plan\.html/, `${method} ${path}`);
    assert.doesNotMatch(still.body, /appended|by-link/, `${method} ${path}`);
  }
  assert.doesNotMatch((await read(other, 'ByLink')).body, /appended/);
  for (const [method, path] of [['POST', '/wiki?name=Clinics'], ['PUT', '/wiki?name=Clinics'], ['POST', '/timeline']])
    assert.equal((await planner.ask(method, path, '')).status, 405, `${method} ${path}`);
});

test('a body is a form or nothing: none is a synchronisation', async () => {
  for (const type of ['application/x-fossil', 'application/x-fossil-debug', 'application/json', 'text/plain']) {
    const answer = await planner.ask('POST', '/wikinew', 'login', { 'content-type': type });
    assert.equal(answer.status, 415, type);
  }
});

test('who deletes an attachment does it by its form', async () => {
  await planner.attach('Clinics', 'old.txt', 'old');
  const { record } = await attachment('old.txt');
  const asked = await planner.get(`/ainfo/${record}?del`);
  assert.match(asked.body, /Confirm you want to delete/);
  assert.match((await planner.post(`/ainfo/${record}`, { confirm: 'Confirm' })).body, /has been deleted/);
  assert.doesNotMatch((await read(planner, 'Clinics')).body, /old\.txt/);
});

test('a picture on a page tells nobody who reads it; other parts of fossil load', async () => {
  for (const path of ['/style.css', '/builtin/hbmenu.js', '/favicon.ico', '/logo'])
    assert.equal((await analyst.get(path)).status, 200, path);
  assert.match((await read(analyst, 'Clinics')).headers['content-security-policy'], /, img-src 'self' data:;/);
});

test('a wiki leads nowhere else', async () => {
  for (const from of ['https://evil.localhost/', 'http://evil.localhost', 'https:evil.localhost', '//evil.localhost/']) {
    const form = { page: 'Clinics', from, cancel: 'Cancel' };
    const byLink = await planner.get(`/attachadd?${new URLSearchParams(form)}`);
    const byForm = await planner.post('/attachadd', form);
    for (const { headers } of [byLink, byForm])
      if (headers.location) assert.equal(new URL(headers.location, `https://${kDoor}/`).host, kDoor, from);
  }
  const added = await planner.get('/attachadd?page=Clinics&from=/wiki?name=Clinics');
  assert.equal(added.status, 200);
});

test('what people put in is a file, never a page of the wiki', async () => {
  const { file } = await attachment('plan.html');
  const tail = 'page=Clinics&file=plan.html';
  for (const path of [
    `/attachdownload?${tail}`,
    `/attachdownload/plan.html?${tail}`,
    `/attachimage?${tail}`,
    `/raw/${file}`,
    `/raw/${file}?m=text/html`,
    `/raw/${file}?m=text/javascript`,
    `/raw/${file}?m=text/html&at=plan.html`,
    `/raw?name=${file}&m=text/css`,
  ]) {
    const answer = await other.get(path);
    assert.equal(answer.status, 200, path);
    assert.ok(answer.body.includes(kScript), path);
    assert.match(answer.headers['content-disposition'], /^attachment/, path);
    assert.equal(answer.headers['content-security-policy'], "sandbox; default-src 'none'", path);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', path);
    assert.equal(answer.headers['content-type'], 'application/octet-stream', path);
  }
  const picture = await other.get(`/raw/${file}?m=image/png`);
  assert.equal(picture.headers['content-type'], 'image/png', 'pictures show in pages');
  for (const path of [`/artifact/${file}?m=text/html`, `/attachview?${tail}`, '/wiki?name=Clinics', '/wiki?name=Clinics&popup']) {
    const page = await other.get(path);
    assert.equal(page.status, 200);
    assert.ok(!page.body.includes(kScript), path);
    assert.equal(page.headers['x-content-type-options'], 'nosniff', path);
    assert.match(page.headers['content-security-policy'], /img-src 'self'|default-src 'none'/, 'nothing from elsewhere');
  }
});

test('what a browser has already keeps the headers it came with', async () => {
  const { file } = await attachment('plan.html');
  for (const path of [`/raw/${file}?m=image/png`, `/artifact/${file}`]) {
    const { headers } = await other.get(path);
    const again = await other.get(path, { 'if-none-match': headers.etag });
    assert.equal(again.status, 304, path);
    assert.equal(again.headers['content-type'], undefined);
    assert.equal(again.headers['content-security-policy'], undefined);
  }
});

test('an address that fossil was never reached by answers all who come by it at once', async () => {
  const visitor = wiki.person('p-5', 'analyst', 'XAA');
  for (let i = 0; i < 40; i += 1) {
    const host = `New-${i}.xcc.localhost${['', ':443', '.', ':4443'][i % 4]}`;
    const people = [planner, planner, other, other, analyst, analyst, visitor, visitor];
    const answers = await Promise.all(people.map((person) => person.get('/wiki?name=Clinics', { host })));
    for (const { status, body } of answers) assert.equal(status, 200, `${host}: ${body}`);
  }
  const noted = await wiki.sql("SELECT count(*) FROM config WHERE name LIKE 'baseurl:https://new-%'");
  assert.equal(noted.trim(), '40', 'each once, as fossil writes it');
});

test('a program that somebody put in does not run in the wiki of those who read it', async () => {
  await other.attach('Clinics', 'app.js', 'parent.document.title = "ran"');
  await other.attach('Clinics', 'app.svg', `<svg xmlns="http://www.w3.org/2000/svg">${kScript}</svg>`);
  const raw = async (name, type) => `/raw/${(await attachment(name)).file}?m=${type}`;
  const [html, svg] = [await raw('plan.html', 'text/html'), await raw('app.svg', 'image/svg%2bxml')];
  const script = await raw('app.js', 'text/javascript');
  const parts = [
    `<iframe src="${html}"></iframe><iframe src="${svg}"></iframe>`,
    `<object data="${svg}" type="image/svg+xml"></object><embed src="${html}" type="text/html">`,
    `<script src="${script}"></script>`,
  ];
  Object.assign(wiki.host.claims, planner.claims);
  const address = await wiki.host.listen();
  const browser = await openHeadless();
  try {
    const page = await browser.newPage();
    // A page of the same origin that forbids nothing itself.
    await page.route('**/empty', (route) =>
      route.fulfill({ contentType: 'text/html', body: `<title>quiet</title>${parts.join('')}` }),
    );
    const loaded = Promise.all([html, svg, script].map((path) => page.waitForResponse((one) => one.url().endsWith(path))));
    await page.goto(`${address}empty`, { waitUntil: 'load' });
    for (const answer of await loaded) assert.equal(answer.status(), 200);
    assert.equal(await page.title(), 'quiet');
  } finally {
    await browser.close();
  }
});

test('a fossil that ends in the middle of its head holds no turn', { timeout: 10_000 }, async () => {
  for (const said of ['', 'HTTP/1.0 200 O', 'HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n']) {
    const [ended, torn] = [new PassThrough(), new PassThrough()];
    for (const output of [ended, torn]) output.write(said);
    setImmediate(() => ended.end() && torn.destroy());
    await assert.rejects(readHead(ended), /ended without an answer/);
    await assert.rejects(readHead(torn), /ended without an answer/);
  }
});

// What an adapter that lets one person have it all never answers: then the tests end by their time.
const patient = { timeout: 90_000 };
const kHeld = 24;

test('bodies that do not come hold up nobody, and of one person only so much is taken', patient, async () => {
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  const post = (person, length) => person.begin('POST', '/wikinew', { ...type, 'content-length': length });
  const held = [];
  for (let i = 0; i < kHeld; i += 1) held.push(await post(planner, 1000));
  for (const { outgoing } of held) outgoing.write('name=');
  assert.match((await read(other, 'Clinics')).body, /Six beds/);
  assert.match((await read(planner, 'Clinics')).body, /Six beds/);
  for (const { outgoing } of held) outgoing.destroy();

  const large = [];
  for (let i = 0; i < 3; i += 1) large.push(await post(planner, 16 * 1024 * 1024));
  for (const { outgoing } of large) outgoing.write('name=');
  const refused = await Promise.race(large.map(({ answered }) => answered));
  assert.equal(refused.statusCode, 503, 'the third has no room');
  assert.equal((await other.post('/wikinew', { name: 'Ports' })).status, 302, 'there is room for others');
  for (const { outgoing } of large) outgoing.destroy();
  const larger = await post(planner, 16 * 1024 * 1024 + 1);
  larger.outgoing.end();
  assert.equal((await larger.answered).statusCode, 413);
});

test('answers that are not read hold up nobody else; who leaves while waiting has changed nothing', patient, async () => {
  await planner.attach('Clinics', 'large.bin', Buffer.alloc(8 * 1024 * 1024, 'x'));
  const path = '/attachdownload?page=Clinics&file=large.bin';
  const unread = [];
  for (let i = 0; i < kHeld; i += 1) unread.push(await planner.begin('GET', path));
  for (const { outgoing } of unread) outgoing.end();
  await Promise.race(unread.map(({ answered }) => answered));
  assert.match((await read(other, 'Clinics')).body, /Six beds/);

  const body = new URLSearchParams({ page: 'Ghost', mimetype: 'text/plain', content: 'left', isnew: 1 }).toString();
  const type = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length };
  const ghost = await planner.begin('POST', '/wikiajax/save', type);
  ghost.outgoing.end(body);
  assert.match((await read(other, 'Clinics')).body, /Six beds/);
  ghost.outgoing.destroy();
  assert.match((await read(other, 'Clinics')).body, /Six beds/);
  for (const { outgoing } of unread) outgoing.destroy();
  assert.match((await read(planner, 'Clinics')).body, /Six beds/);
  assert.doesNotMatch((await read(other, 'Ghost')).body, /left/);
});
