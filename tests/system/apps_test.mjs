// Apps that know nothing of Entente, behind an adapter: Debian's fossil as XBB's wiki, Debian's radicale as XCC's
// calendar. People of other nations use them through their own doors, under names made for that app alone.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { after, before } from 'node:test';
import { Coalition, skip, system } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

const kFileBytes = 5 * 1024 * 1024;
const kMarking = 'EXERCISE RESTRICTED REL XAA XBB XCC';
let coalition, matteo, livia, ingrid, maren;

class Guest extends Visitor {
  static async at(login, app) {
    const guest = new Guest(coalition, login);
    assert.equal((await guest.signIn()).status, 200);
    await guest.enter(app);
    return guest;
  }

  async enter(app) {
    this.origin = this.nation.apps[app];
    const page = await this.follow(`${this.origin}/`);
    assert.equal(page.status, 200, `${this.person.login} opens ${app}: ${page.status} ${page.body.slice(0, 300)}`);
    return page;
  }

  send(method, path, body, headers = {}) {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    return this.go(`${this.origin}${path}`, { method, body, headers: { origin: this.origin, ...length, ...headers } });
  }

  // A form as a browser sends it from one of the app's own pages.
  post(path, fields, headers = {}) {
    const [type, body] = fields instanceof Multipart ? fields.encoded() : formEncoded(fields);
    return this.send('POST', path, body, { 'content-type': type, referer: `${this.origin}/wiki`, ...headers });
  }
}

const formEncoded = (fields) => ['application/x-www-form-urlencoded', new URLSearchParams(fields).toString()];

class Multipart {
  constructor(fields, file) {
    Object.assign(this, { fields, file });
  }

  encoded() {
    const boundary = 'entente-test-boundary';
    const part = (name, more = '') => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n`;
    const texts = Object.entries(this.fields).map(([name, value]) => Buffer.from(`${part(name)}\r\n${value}\r\n`));
    const { field, name, bytes } = this.file;
    const head = Buffer.from(`${part(field, `; filename="${name}"`)}Content-Type: application/octet-stream\r\n\r\n`);
    const body = Buffer.concat([...texts, head, bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]);
    return [`multipart/form-data; boundary=${boundary}`, body];
  }
}

before(async () => {
  if (skip) return;
  coalition = await Coalition.start(undefined, {
    nations: ['XAA', 'XBB', 'XCC'],
    apps: ['wiki-1', 'calendar-1'],
  });
  matteo = await Guest.at('matteo', 'wiki-xbb');
});

after(() => coalition?.end());

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

// What fossil writes into each page: the name it knows the visitor by.
const knownAs = (page) => /<div class="status"><a href='\/login'>([^<]+)</.exec(page.body)?.[1];
const wikiPage = (guest, name) => guest.go(`${guest.origin}/wiki?name=${name}`);
const save = (guest, page, text, headers) =>
  guest.post(
    '/wikiajax/save',
    { page, mimetype: 'text/x-markdown', content: `**${kMarking}**\n\n${text}`, isnew: 1 },
    headers,
  );

system('a person of XCC uses the wiki of XBB at their own door, under a name made for it', async () => {
  const page = await wikiPage(matteo, 'Harbor+Light');
  assert.equal(page.status, 200);
  assert.ok(page.body.includes(kMarking), 'the marking stands in the data');
  assert.match(knownAs(page), /^xcc-[\w-]{16}$/);
  assert.ok(page.body.includes(`<base href="${matteo.origin}/`), "links lead to the visitor's own door");
  for (const secret of [matteo.person.name, matteo.person.login, matteo.person.subject])
    assert.ok(!page.body.includes(secret), `the wiki was told "${secret}"`);
  const saved = await save(matteo, 'Clinics', 'Clinic at West Ferry: six beds.');
  assert.equal(saved.status, 200, saved.body);

  ingrid = await Guest.at('ingrid', 'wiki-xbb');
  const seen = await wikiPage(ingrid, 'Clinics');
  assert.match(seen.body, /six beds/, "the host's own people see it at their door");
  assert.notEqual(knownAs(seen), knownAs(page));
  const history = await ingrid.go(`${ingrid.origin}/whistory?name=Clinics`);
  assert.ok(history.body.includes(knownAs(page)), 'who wrote it, as the wiki knows them');
});

system('a file of several MiB goes up and comes down as it was', async () => {
  const bytes = randomBytes(kFileBytes);
  const file = { field: 'f', name: 'bed-plan.bin', bytes };
  const up = await matteo.post('/attachadd', new Multipart({ page: 'Clinics', comment: 'EXERCISE', ok: 'Add' }, file));
  assert.ok([200, 302, 303].includes(up.status), `${up.status}: ${up.body.slice(0, 300)}`);
  const down = await ingrid.go(`${ingrid.origin}/attachdownload?page=Clinics&file=bed-plan.bin`);
  assert.equal(down.status, 200);
  assert.equal(down.bytes.length, kFileBytes);
  assert.equal(digest(down.bytes), digest(bytes));
  assert.match(down.headers['content-disposition'], /^attachment/);
  assert.match(down.headers['content-security-policy'], /sandbox/, 'what the app says of it reaches the visitor');
  assert.equal(down.headers['x-content-type-options'], 'nosniff');
});

system('what a role does not give, the wiki refuses', async () => {
  maren = await Guest.at('maren', 'wiki-xbb');
  assert.match((await wikiPage(maren, 'Clinics')).body, /six beds/, 'an analyst reads');
  const tried = await save(maren, 'Notes', 'An analyst writes.');
  assert.notEqual(tried.status, 200);
  const attached = await maren.post(
    '/attachadd',
    new Multipart({ page: 'Clinics', ok: 'Add' }, { field: 'f', name: 'note.txt', bytes: Buffer.from('x') }),
  );
  assert.doesNotMatch((await wikiPage(ingrid, 'Clinics')).body, /note\.txt/, `${attached.status}`);
  assert.doesNotMatch((await wikiPage(ingrid, 'Notes')).body, /An analyst writes/);
});

system("the wiki's own ways in, its administration, and names that a client brings lead nowhere", async () => {
  const ways = ['/login', '/register', '/setup', '/setup_ulist', '/admin_sql', '/xfer', '/json/whoami', '/test_env'];
  const spelled = ['/Setup', '//setup', '/x/../setup', '/%73etup', '/%73etup?/setup'];
  for (const path of [...ways, ...spelled, '/wikiappend?name=Clinics', '/doc/tip/x', '/uv/x', '/zip']) {
    const answer = await matteo.go(`${matteo.origin}${path}`);
    assert.ok([400, 403, 404].includes(answer.status), `${path}: ${answer.status}`);
    assert.doesNotMatch(answer.body, /Site Administration|Server Administration/i, path);
  }
  for (const path of ['/wiki%00REMOTE_USER%00keeper?name=Clinics', '/%73etup%00REMOTE_USER%00keeper?/setup']) {
    const answer = await matteo.go(`${matteo.origin}${path}`);
    assert.equal(answer.status, 400, path);
    assert.notEqual(knownAs(answer), 'keeper');
  }
  const before = knownAs(await wikiPage(matteo, 'Harbor+Light'));
  for (const name of ['remote-user', 'x-remote-user', 'remote_user', 'Entente-Assertion', 'authorization', 'proxy']) {
    const page = await matteo.go(`${matteo.origin}/wiki?name=Harbor+Light&REMOTE_USER=keeper`, {
      headers: { [name]: 'keeper' },
    });
    if (name.includes('_')) assert.equal(page.status, 400, 'a name that other programs read as another');
    else assert.equal(knownAs(page), before, name);
  }
});

system("forms of other origins write nothing: the door's check, and fossil's own", async () => {
  const door = await save(matteo, 'Forged1', 'forged', { origin: 'https://evil.localhost' });
  assert.equal(door.status, 403);
  const wiki = await save(matteo, 'Forged2', 'forged', { referer: 'https://evil.localhost/' });
  assert.equal(wiki.status, 403);
  assert.match(wiki.body, /CSRF/, "fossil compares with the host name of the visitor's door");
  const other = await save(matteo, 'Forged3', 'forged', { referer: `${ingrid.origin}/wiki` });
  assert.match(other.body, /CSRF/, "another nation's door is another origin");
  for (const name of ['Forged1', 'Forged2', 'Forged3'])
    assert.doesNotMatch((await wikiPage(matteo, name)).body, /<p>forged<\/p>/);
});

const propfind = (...names) =>
  `<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop>${names
    .map((name) => `<${name}/>`)
    .join('')}</d:prop></d:propfind>`;
const kXml = { 'content-type': 'application/xml; charset=utf-8' };
const kIcs = { 'content-type': 'text/calendar; charset=utf-8' };
const event = (uid, summary, start = '20260110T090000Z') =>
  [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//test//EN',
    'BEGIN:VEVENT',
    `UID:${uid}`,
    'DTSTAMP:20260101T000000Z',
    `DTSTART:${start}`,
    'DURATION:PT1H',
    `SUMMARY:EXERCISE ${summary}`,
    'END:VEVENT',
    'END:VCALENDAR',
    '',
  ].join('\r\n');
const query =
  '<?xml version="1.0"?><c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:getetag/>' +
  '<c:calendar-data/></d:prop><c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT">' +
  '<c:time-range start="20260109T000000Z" end="20260112T000000Z"/></c:comp-filter></c:comp-filter></c:filter>' +
  '</c:calendar-query>';

// As a calendar program does it: no Origin when it only reads.
const dav = (guest, method, path, body, headers = {}) =>
  guest.go(`${guest.origin}${path}`, {
    method,
    body,
    headers: body === undefined ? headers : { 'content-length': Buffer.byteLength(body), ...headers },
  });
const principalOf = async (guest) => {
  const answer = await dav(guest, 'PROPFIND', '/', propfind('d:current-user-principal'), { depth: '0', ...kXml });
  assert.equal(answer.status, 207, answer.body);
  return /<current-user-principal><href>([^<]+)</.exec(answer.body)?.[1];
};

system("a CalDAV client's verbs pass door, link and connector", async () => {
  await matteo.enter('calendar-xcc');
  await ingrid.enter('calendar-xcc');
  const front = await dav(ingrid, 'GET', '/.web/');
  assert.equal(front.status, 200, front.body);
  assert.match(front.body, /EXERCISE .*[^]*signed in already.*no password[^]*type="password"/, 'marked, and nobody signs in twice');
  const options = await dav(ingrid, 'OPTIONS', '/');
  assert.match(options.headers.dav, /calendar-access/);
  const home = await principalOf(ingrid);
  assert.match(home, /^\/xbb-[\w-]{16}\/$/);
  const listed = await dav(ingrid, 'PROPFIND', home, propfind('d:displayname', 'd:resourcetype'), { depth: '1', ...kXml });
  assert.match(listed.body, /EXERCISE Harbor Light/, 'the shared calendar is among their own');

  const made = await ingrid.send('MKCALENDAR', `${home}watches/`, undefined);
  assert.equal(made.status, 201, made.body);
  const named = await ingrid.send(
    'PROPPATCH',
    `${home}watches/`,
    '<?xml version="1.0"?><d:propertyupdate xmlns:d="DAV:"><d:set><d:prop><d:displayname>EXERCISE Watches' +
      '</d:displayname></d:prop></d:set></d:propertyupdate>',
    kXml,
  );
  assert.equal(named.status, 207, named.body);
  const put = await ingrid.send('PUT', `${home}harbor-light/pilot.ics`, event('pilot', 'Pilot boards'), kIcs);
  assert.equal(put.status, 201, put.body);
  const clash = await ingrid.send('PUT', `${home}harbor-light/pilot.ics`, event('pilot', 'Other'), {
    ...kIcs,
    'if-none-match': '*',
  });
  assert.equal(clash.status, 412, 'If-None-Match reaches the calendar');

  const theirs = await principalOf(matteo);
  assert.notEqual(theirs, home);
  const found = await dav(matteo, 'REPORT', `${theirs}harbor-light/`, query, { depth: '1', ...kXml });
  assert.equal(found.status, 207, found.body);
  assert.match(found.body, /Pilot boards/, "XCC's medic finds what XBB's planner entered");
  assert.doesNotMatch(found.body, /Convoy briefing/, 'and nothing outside the time asked for');
  const one = await dav(matteo, 'GET', `${theirs}harbor-light/pilot.ics`);
  assert.match(one.body, /SUMMARY:EXERCISE Pilot boards/);

  const moved = await ingrid.send('MOVE', `${home}harbor-light/pilot.ics`, undefined, {
    destination: `${ingrid.origin}${home}watches/pilot.ics`,
  });
  assert.equal(moved.status, 201, `Destination names the visitor's own door: ${moved.body}`);
  assert.equal((await dav(matteo, 'GET', `${theirs}harbor-light/pilot.ics`)).status, 404);
  const removed = await ingrid.send('DELETE', `${home}watches/`, undefined);
  assert.equal(removed.status, 200, removed.body);
});

system("who may write the calendar is the node's policy by method; what is another's stays theirs", async () => {
  livia = await Guest.at('livia', 'calendar-xcc');
  const own = await principalOf(livia);
  assert.equal((await dav(livia, 'GET', `${own}harbor-light/convoy-briefing.ics`)).status, 200);
  for (const [method, path, body] of [
    ['PUT', `${own}harbor-light/x.ics`, event('x', 'Logistics writes')],
    ['DELETE', `${own}harbor-light/convoy-briefing.ics`, undefined],
    ['MKCALENDAR', `${own}mine/`, undefined],
    ['PROPPATCH', `${own}harbor-light/`, '<x/>'],
    ['MOVE', `${own}harbor-light/convoy-briefing.ics`, undefined],
  ]) {
    const answer = await livia.send(method, path, body, { destination: `${livia.origin}${own}y.ics` });
    assert.equal(answer.status, 403, method);
    assert.match(answer.body, /Only planners and medics change the calendar/, method);
  }
  const theirs = await principalOf(matteo);
  for (const name of ['x-remote-user', 'x_remote_user', 'remote-user', 'authorization']) {
    const tried = await dav(ingrid, 'PROPFIND', theirs, propfind('d:displayname'), {
      depth: '1',
      ...kXml,
      [name]: theirs.replaceAll('/', ''),
    });
    assert.ok([400, 403, 404].includes(tried.status), `${name}: ${tried.status}`);
  }
  const written = await dav(ingrid, 'PUT', `${await principalOf(ingrid)}harbor-light/z.ics`, event('z', 'no origin'), kIcs);
  assert.equal(written.status, 403, 'a change that does not say where it comes from is not passed on');
});

// What somebody on the same machine could try past the door.
const onSocket = (path, headers) =>
  new Promise((done, failed) => {
    const outgoing = request({ socketPath: path, path: '/', headers }, (answer) => {
      answer.resume().on('end', () => done(answer.statusCode));
    });
    outgoing.on('error', failed).end();
  });

system('beside the door: no assertion, no app; fossil listens nowhere, radicale to one certificate only', async () => {
  for (const app of ['wiki-1', 'calendar-1']) {
    assert.equal(await onSocket(coalition.file(`${app}.sock`), { 'x-remote-user': 'xbb-someone' }), 401);
    assert.equal(await onSocket(coalition.file(`${app}.sock`), { 'entente-assertion': 'a.b.c' }), 401);
  }
  const { port } = JSON.parse(coalition.log('calendar-1').split('\n').find((line) => line.includes('"ready"')));
  const asked = (socket) =>
    new Promise((done) => {
      let got = '';
      socket.on('data', (data) => (got += data)).on('error', () => {});
      socket.on('close', () => done(got));
      socket.write('GET /.web/ HTTP/1.0\r\nHost: localhost\r\nX-Remote-User: staff\r\n\r\n');
    });
  assert.doesNotMatch(await asked(connect(port, '127.0.0.1')), /HTTP/, 'nothing in the clear');
  const bare = { host: '127.0.0.1', port, rejectUnauthorized: false };
  assert.equal(await asked(connectTls(bare)), '', 'nothing without a certificate');
  const foreign = (name) => ({
    cert: readFileSync(coalition.file('certificates', `${name}.cert.pem`)),
    key: readFileSync(coalition.file('certificates', `${name}.key.pem`)),
  });
  assert.equal(await asked(connectTls({ ...bare, ...foreign('xaa') })), '', "nor with a node's");
});
