// A fourth nation at the door: XDD is no member. Its node has keys and a certificate that look right, its person
// knows every name there is. From none of the three doors do they learn more than from a name or key made up.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { ask } from '../../demo/loopback.mjs';
import { Coalition, skip, system } from './coalition.mjs';
import { block, endHeaders, endStream, frame, preface, settings } from './frames.mjs';
import { es256, HostileNode, jws, makeNation } from './hostile_node.mjs';
import { comparable, dial } from './wire.mjs';

const kNations = ['XAA', 'XBB', 'XCC'];
const kApps = ['cop-xaa', 'wiki-xbb', 'calendar-xcc'];
let coalition, folder, dunmore, impostor;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'entente-stranger-'));
  dunmore = makeNation('XDD', folder);
  impostor = makeNation('XBB', folder); // a certificate that says it is Borealis, with another key
  coalition = await Coalition.start(undefined, { nations: kNations, apps: ['cop-1', 'wiki-1', 'calendar-1'] });
});

after(async () => {
  await coalition?.end();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const low = (nation) => nation.toLowerCase();
const port = (nation) => coalition.nation(nation).port;

// A way of nodes or connectors that is closed without a byte.
async function nothing(nation, alpn, { key, cert }, bytes) {
  const { received, ended } = await dial(port(nation), alpn, { key, cert }, bytes);
  assert.ok(ended, `${nation} ${alpn} is left open`);
  assert.equal(received.length, 0, `${nation} ${alpn}`);
}

system("XDD's node: no door answers a byte, whatever its certificate says and whatever it asks", async () => {
  const asks = (path) =>
    frame(
      'headers',
      endHeaders | endStream,
      1,
      block([
        [':method', 'GET'],
        [':scheme', 'https'],
        [':authority', 'node'],
        [':path', path],
      ]),
    );
  for (const nation of kNations)
    for (const credentials of [dunmore, impostor, {}])
      for (const [alpn, path] of [
        ['entente-link/1', '/entente/offers'],
        ['entente-link-reverse/1', '/'],
        ['entente-connector/1', '/'],
      ])
        await nothing(nation, alpn, credentials, Buffer.concat([preface, settings(), asks(path)]));
});

async function answerOf(host, path, options) {
  return comparable(await ask(`https://${host}${path}`, { ca: coalition.ca, ...options }), host);
}

// What a person of XDD could bring along: a statement and an assertion signed with XDD's true keys, cookies and
// session ids of the right form.
function luggage() {
  const node = new HostileNode(dunmore, 0);
  const now = Math.floor(Date.now() / 1000);
  const assertion = jws(
    { alg: 'ES256', typ: 'entente-assertion+jwt', kid: dunmore.kid },
    { iss: 'entente:node:XAA', aud: 'entente:app:XAA/cop', sub: 'x', partner: 'XDD', iat: now, exp: now + 60, jti: 'j' },
    es256(dunmore.privateKey),
  );
  const drawn = 'A'.repeat(43);
  return {
    nothing: {},
    'an assertion': { 'entente-assertion': assertion },
    'a statement': { 'entente-statement': node.statement(), authorization: `Bearer ${node.statement()}` },
    'session ids': { 'entente-session': drawn },
    cookies: { cookie: `__Host-entente=${drawn}; __Host-entente-app=${drawn}; __Host-entente-login=${drawn}` },
  };
}

system("XDD's person: every app's name is answered like a name that is not there, at all three doors", async () => {
  let compared = 0;
  for (const nation of kNations) {
    for (const app of kApps) {
      const host = `${app}.${low(nation)}.localhost:${port(nation)}`;
      const nothing = host.replace(app, 'x'.repeat(app.length - 4) + app.slice(-4));
      for (const [what, headers] of Object.entries(luggage())) {
        for (const [method, path] of [
          ['GET', '/'],
          ['GET', '/me'],
          ['POST', '/bulk'],
          ['PROPFIND', '/'],
          ['GET', '/.entente/enter?code=x&path=/'],
        ]) {
          const options = { method, headers, body: method === 'POST' ? 'x' : undefined };
          const [real, none] = [await answerOf(host, path, options), await answerOf(nothing, path, options)];
          assert.equal(real, none, `${method} ${path} of ${app} at ${nation}, with ${what}`);
          assert.doesNotMatch(real, /EXERCISE|Common operational|wiki of|Harbor/, `${app} at ${nation}`);
          compared += 1;
        }
      }
    }
  }
  assert.equal(compared, kNations.length * kApps.length * 5 * 5);
});

system('lobbies, sign-in and enrolment tell XDD what they tell anybody, and not who is a member', async () => {
  const answers = new Set();
  for (const nation of kNations) {
    const host = `lobby.${low(nation)}.localhost:${port(nation)}`;
    const lobby = await ask(`https://${host}/`, { ca: coalition.ca });
    const others = kNations.filter((other) => other !== nation);
    for (const word of [...others, ...kApps, 'EXERCISE', 'Harbor Light'])
      assert.ok(!lobby.body.includes(word), `the lobby of ${nation} says ${word} to strangers`);
    for (const label of ['cop-xaa', 'wiki-xbb', 'cop-xdd', 'nothing-xaa']) {
      const entered = await ask(`https://${host}/enter?app=${label}&path=%2F&bind=${'A'.repeat(43)}`, {
        ca: coalition.ca,
      });
      answers.add(JSON.stringify([nation, entered.status, entered.body.replaceAll(label, 'NAME')]));
    }
    for (const id of ['cop-1', 'xdd-1']) {
      const enrolled = await ask(`https://${host}/.entente/enrol`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id, token: 'x'.repeat(43), certificate: readFileSync(join(folder, 'XDD-cert.pem'), 'utf8') }),
        ca: coalition.ca,
      });
      assert.deepEqual([enrolled.status, enrolled.body], [404, '']);
    }
  }
  assert.equal(answers.size, kNations.length, 'every name is answered alike: by the way to sign in');
});

system('what strangers did is counted, not written down one by one, and harms nobody', async () => {
  for (const nation of kNations) {
    const { sessions } = await coalition.ask(nation, 'session', 'ls');
    assert.deepEqual(sessions, []);
    const { records } = await coalition.ask(nation, 'ledger', 'show', '--last', '200');
    assert.ok(!records.some(({ summary }) => /XDD|person-1/.test(summary)), nation);
    assert.match(await coalition.verify(nation), /chained, signed and complete/);
  }
});
