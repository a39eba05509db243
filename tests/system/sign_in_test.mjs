// Attacks on signing in: what a provider's answer is worth in other hands, twice, twisted, or from a provider
// that claims too much; and what goes on when there is no provider.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Coalition, readJson, skip, system, until, writeJson } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

let coalition, xbb;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start();
  xbb = coalition.nation('XBB');
});

after(() => coalition?.end());

const atCallback = (address) => new URL(address).pathname === '/callback';

// Through the provider's form, stopped before the lobby hears of it.
async function answered(login = 'ingrid') {
  const visitor = new Visitor(coalition, login);
  const { address, stopped } = await visitor.signIn(atCallback);
  assert.ok(stopped);
  return { visitor, address };
}

const signedIn = async (visitor) => (await visitor.go(`${xbb.lobby}/`)).body.includes('action="/sign-out"');

function twist(address, change) {
  const url = new URL(address);
  change(url.searchParams);
  return url.href;
}

async function refuses(visitor, address, what) {
  const answer = await visitor.go(address);
  assert.equal(answer.status, 403, what);
  assert.match(answer.body, /data-refusal="credential"/, what);
  assert.equal(visitor.cookie(address, '__Host-entente'), undefined, what);
}

system('a provider answer serves once', async () => {
  const { visitor, address } = await answered();
  const kept = visitor.cookies(address);
  assert.equal((await visitor.go(address)).status, 303);
  assert.ok(await signedIn(visitor));
  const replay = new Visitor(coalition, 'ingrid');
  const again = await replay.go(address, { cookies: false, headers: { cookie: kept } });
  assert.equal(again.status, 403);
  assert.equal(again.headers['set-cookie'], undefined);
});

system('a provider answer is worth nothing in another browser', async () => {
  const { visitor, address } = await answered();
  const stranger = new Visitor(coalition, 'ingrid');
  await refuses(stranger, address, 'no cookie');
  const other = await answered('jonas');
  await refuses(other.visitor, address, 'the cookie of another sign-in');
  assert.ok(!(await signedIn(visitor)));
});

system('a twisted provider answer is refused', async () => {
  const cases = {
    'another issuer': (query) => query.set('iss', coalition.nation('XAA').issuer),
    'no issuer': (query) => query.delete('iss'),
    'two issuers': (query) => query.append('iss', 'https://evil.example'),
    'another state': (query) => query.set('state', 'x'.repeat(43)),
    'no state': (query) => query.delete('state'),
    'two states': (query) => query.append('state', query.get('state')),
    'another code': (query) => query.set('code', 'x'.repeat(43)),
    'no code': (query) => query.delete('code'),
    'two codes': (query) => query.append('code', 'other'),
    'an error': (query) => (query.delete('code'), query.set('error', 'access_denied')),
    'an error beside a code': (query) => query.set('error', 'access_denied'),
  };
  for (const [name, change] of Object.entries(cases)) {
    const { visitor, address } = await answered();
    await refuses(visitor, twist(address, change), name);
  }
});

system('what a provider says in an error does not become part of the page', async () => {
  const { visitor, address } = await answered();
  const { body } = await visitor.go(
    twist(address, (query) => {
      query.delete('code');
      query.set('error', '<script>alert(1)</script>');
      query.set('error_description', '<img src=x onerror=alert(1)>');
    }),
  );
  assert.doesNotMatch(body, /<script|<img|onerror/);
});

system('a code of one sign-in does not fit the state of another', async () => {
  const [first, second] = [await answered(), await answered('jonas')];
  const code = new URL(first.address).searchParams.get('code');
  await refuses(
    second.visitor,
    twist(second.address, (query) => query.set('code', code)),
    'a code that somebody else was given',
  );
});

system('a provider that is down is said to be; sessions go on; it is back when it is back', async () => {
  const inside = await Visitor.inside(coalition, 'ingrid');
  const stream = await inside.watch();
  const begun = await answered('maren');
  await coalition.stop('provider-xbb');
  const stranger = new Visitor(coalition, 'jonas');
  const refused = await stranger.go(`${xbb.lobby}/sign-in`);
  assert.equal(refused.status, 503);
  assert.match(refused.body, /does not answer/);
  const ill = await coalition.cli('XBB', 'doctor');
  assert.equal(ill.code, 1, ill.output);
  assert.match(ill.output, /bad +identity provider +it did not answer at/);
  assert.match(refused.body, /Nothing is wrong with your rights/);
  const half = await begun.visitor.go(begun.address);
  assert.ok(half.status === 403 || half.status === 503, `half way: ${half.status}`);
  assert.equal((await inside.go(`${inside.nation.app}/`)).status, 200, 'whoever is inside goes on');
  const before = stream.messages;
  await until('tracks go on', () => stream.messages > before + 2);
  stream.socket.terminate();
  await coalition.startAgain('provider-xbb');
  const later = await until('sign-in works again', async () => {
    const visitor = new Visitor(coalition, 'ingrid');
    const page = await visitor.signIn().catch(() => undefined);
    return page?.status === 200 && visitor;
  });
  assert.ok(await signedIn(later));
});

system(
  "a provider that makes its person one of another nation's gets nobody in, and hears nothing",
  async () => {
    const path = coalition.file('people.json');
    const people = readJson(path);
    const claims = {
      ingrid: { nasjon: 'Aldoria' },
      maren: { sikkerhetsgrad: 'KOSMISK' },
      jonas: { stilling: ['planleggjar', 'admin'] },
    };
    for (const person of people.people) person.claims = { ...person.claims, ...(claims[person.login] ?? {}) };
    await coalition.stop('provider-xbb');
    writeJson(path, people);
    await coalition.startAgain('provider-xbb');
    const refusals = async () => {
      const { records } = await coalition.ask('XBB', 'ledger', 'show', '--last', '200');
      return records.filter((leaf) => leaf.class === 'sign-in.refused').map(({ index }) => index);
    };
    for (const login of Object.keys(claims)) {
      const before = Math.max(-1, ...(await refusals()));
      const visitor = new Visitor(coalition, login);
      const page = await until('the provider answers', () => visitor.signIn().catch(() => undefined));
      assert.equal(page.status, 403, login);
      assert.match(page.body, /data-refusal="credential"/);
      assert.doesNotMatch(page.body, /Aldoria|XAA|KOSMISK|cop-xaa|picture/i, 'nothing leaks');
      assert.equal(visitor.cookie(`${xbb.lobby}/`, '__Host-entente'), undefined);
      const app = await visitor.go(`${visitor.nation.app}/`);
      assert.equal(app.status, 303, 'the app sends them to the lobby as it does everybody');
      await until(`the refusal of ${login} is recorded`, async () => (await refusals()).some((index) => index > before));
    }
  },
);

system('whoever signs out is out in every browser that they signed in with', async () => {
  const here = await Visitor.inside(coalition, 'konrad');
  const there = await Visitor.inside(coalition, 'konrad');
  const lobby = `${there.nation.lobby}/`;
  await here.signOut();
  assert.doesNotMatch((await there.go(lobby)).body, /action="\/sign-out"/, 'the other browser is out, too');
  assert.equal((await there.go(`${there.nation.app}/`)).status, 403, 'and what was open there is not');
});

system('a provider that signs its person out ends all that they have open', async () => {
  const visitor = await Visitor.inside(coalition, 'konrad');
  const stream = await visitor.watch();
  await until('tracks arrive', () => stream.messages > 1);
  // Strangers who begin sign-ins in crowds keep nobody's provider from being heard.
  const crowd = await Promise.all(
    Array.from({ length: 120 }, () => visitor.go(`${visitor.nation.lobby}/sign-in`, { cookies: false })),
  );
  assert.ok(crowd.some(({ status }) => status === 429));
  // Anybody may post there; only the provider's own word counts.
  for (const body of ['', 'logout_token=', 'logout_token=e30.e30.AA', `logout_token=${'x'.repeat(9000)}`]) {
    const { status } = await visitor.go(`${visitor.nation.lobby}/backchannel-logout`, {
      method: 'POST',
      cookies: false,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
    });
    assert.equal(status, 400, body.slice(0, 30));
  }
  const leaving = await visitor.go(`${visitor.nation.issuer}/session/end`);
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(leaving.body)?.[1];
  assert.ok(xsrf, leaving.body.slice(0, 500));
  await visitor.submit(`${visitor.nation.issuer}/session/end/confirm`, { xsrf, logout: 'yes' });
  await stream.closed;
  await until('the sign-in is gone', async () => {
    const { body } = await visitor.go(`${visitor.nation.lobby}/`);
    return /data-action="sign-in"/.test(body);
  });
});
