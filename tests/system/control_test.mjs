// What operators rely on: suspending, cutting, withdrawing and resuming mean what they say, at once.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Coalition, command, program, skip, system, until } from './coalition.mjs';
import { Visitor } from './visitor.mjs';

const kStreams = 20;
const kNobody = 65534;
const kReason = 'exercise: key material of Borealis under review';

let coalition, konrad;

before(async () => {
  if (skip) return;
  coalition = await Coalition.start();
  konrad = await Visitor.inside(coalition, 'konrad');
});

after(() => coalition?.end());

const records = async (nation) => (await coalition.ask(nation, 'ledger', 'show', '--last', '200')).records;

system('a user of the machine who is no operator can do nothing', async (context) => {
  if (process.getuid() !== 0) return context.skip('needs root to become somebody else');
  const folder = mkdtempSync(join(tmpdir(), 'entente-nobody-'));
  try {
    // Even with the socket file opened to everybody, the node asks the kernel who is speaking.
    const socket = coalition.file('operators-xaa.sock');
    assert.equal(statSync(socket).mode & 0o077, 0, 'the socket is for its owner alone');
    const copy = join(folder, 'entente');
    copyFileSync(program, copy);
    chmodSync(folder, 0o755);
    chmodSync(copy, 0o755);
    chmodSync(coalition.folder, 0o711);
    chmodSync(socket, 0o666);
    for (const verb of [
      ['partner', 'list'],
      ['partner', 'suspend', 'XBB', '--reason', 'x'],
      ['session', 'ls'],
    ]) {
      const { code, output } = await command([copy, ...verb, '--socket', socket], {
        uid: kNobody,
        gid: kNobody,
        cwd: '/',
      });
      assert.equal(code, 1, output);
      assert.match(output, /no operator of this node/);
    }
    chmodSync(socket, 0o600);
    const closed = await command([copy, 'partner', 'list', '--socket', socket], {
      uid: kNobody,
      gid: kNobody,
      cwd: '/',
    });
    assert.notEqual(closed.code, 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const { partners } = await coalition.ask('XAA', 'partner', 'list');
  assert.equal(partners.find(({ code }) => code === 'XBB').state, 'active');
});

system('cutting one session ends that one alone, and why explains it', async () => {
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  const lena = await Visitor.inside(coalition, 'lena');
  const [ours, theirs, hers] = [await konrad.watch(), await ingrid.watch(), await lena.watch()];
  const cut = (await coalition.sessions('XAA')).find(({ partner }) => partner === 'XBB');
  const answer = await coalition.ask('XAA', 'session', 'cut', cut.id, '--reason', 'exercise: one session');
  await theirs.closed;
  assert.equal(ours.socket.readyState, ours.socket.OPEN);
  assert.equal(hers.socket.readyState, hers.socket.OPEN);
  const before = ours.messages;
  await until('tracks go on for others', () => ours.messages > before + 3);
  assert.ok(!(await coalition.sessions('XAA')).some(({ id, state }) => id === cut.id && state === 'live'));
  const again = await coalition.cli('XAA', 'session', 'cut', cut.id, '--reason', 'again');
  assert.equal(again.code, 1, 'there is nothing left to cut');
  const why = await coalition.cli('XAA', 'why', answer.verdict);
  assert.equal(why.code, 0, why.output);
  assert.match(why.output, /lena\.brandtner/);
  assert.match(why.output, /exercise: one session/);
  const told = await coalition.ask('XAA', 'why', answer.verdict);
  assert.equal(told.permit, true, 'and that it was permitted');
  assert.ok(told.reasons.length > 0, 'and by which rules');
  const opened = await coalition.cli('XAA', 'why', cut.verdict);
  assert.equal(opened.code, 0, opened.output);
  assert.match(opened.output, /cop-planners-and-officers/, 'which rule let the person in');
  const refused = await ingrid.go(`${ingrid.nation.app}/`);
  assert.equal(refused.status, 403);
  assert.match(refused.body, /exercise: one session/);
  const home = async () => (await ingrid.go(`${ingrid.nation.lobby}/`)).body;
  assert.match(await home(), /This session was ended[^]*When[^]*exercise: one session/);
  await ingrid.follow(`${ingrid.nation.lobby}/enter?app=cop-xaa&path=%2F&bind=${'B'.repeat(43)}`);
  assert.doesNotMatch(await home(), /exercise: one session/, 'open again, the lobby says it no more');
  for (const { socket } of [ours, hers]) socket.terminate();
});

system('whoever is not suspended cannot be resumed: nobody inside would stay so', async () => {
  const stream = await (await Visitor.inside(coalition, 'ingrid')).watch();
  const twice = await coalition.cli('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: a slip', '--json');
  assert.equal(JSON.parse(twice.output).error.code, 'partner.unchanged', twice.output);
  const apart = await coalition.cli('XAA', 'partner', 'rejoin', 'XAA', 'XBB', '--reason', 'exercise: a slip', '--json');
  assert.equal(JSON.parse(apart.output).error.code, 'partner.unchanged', apart.output);
  const before = stream.messages;
  await until('tracks go on', () => stream.messages > before + 3);
  stream.socket.terminate();
});

system('cutting a session ends its streams on every loop', async () => {
  // Connections are dealt to the loops in turn: eight of one session live on all of them.
  const streams = await Promise.all(Array.from({ length: 8 }, () => konrad.watch()));
  await until('tracks arrive on every stream', () => streams.every(({ messages }) => messages > 2));
  const [cut] = (await coalition.sessions('XAA')).filter(({ side, streams: count }) => side === 'local' && count >= 8);
  await coalition.ask('XAA', 'session', 'cut', cut.id, '--reason', 'exercise: all of one session');
  await wait(50); // what was already in this process' own buffers
  const received = streams.map(({ messages }) => messages);
  await Promise.all(streams.map(({ closed }) => closed));
  assert.deepEqual(
    streams.map(({ messages }) => messages),
    received,
    'no track after the answer',
  );
  assert.equal((await konrad.go(`${konrad.nation.app}/`)).status, 403);
  konrad = await Visitor.inside(coalition, 'konrad');
});

system('what why is asked must be known', async () => {
  for (const id of ['nothing', '../../etc/passwd', 'a/b', 'x'.repeat(5000), '%00']) {
    const { code, output } = await coalition.cli('XAA', 'why', id);
    assert.ok(code === 1 || code === 2, `${id.slice(0, 20)}: ${code} ${output.slice(0, 200)}`);
  }
  assert.equal((await coalition.cli('XAA', 'partner', 'list')).code, 0);
});

system('attack: a word of the command line that would be another verb of the node', async () => {
  const suspend = ['partner', 'suspend', 'XBB/resume?', '--reason', kReason];
  assert.equal((await coalition.cli('XAA', ...suspend)).code, 1, 'no partner is called so');
  for (const words of [['session', 'cut', 'a b'], ['why', 'a?b'], ['connector', 'cut', 'x/../cop-1']]) {
    const reason = words[0] === 'why' ? [] : ['--reason', kReason];
    const { code, output } = await coalition.cli('XAA', ...words, ...reason);
    assert.equal(code, 1, `${words.join(' ')}: ${output}`);
  }
  assert.equal((await coalition.partner('XAA', 'XBB')).state, 'active');
  assert.ok(!(await records('XAA')).some(({ class: kind }) => kind.startsWith('partner.') || kind === 'connector.cut'));
  // What begins like an option is asked for behind "--".
  const { output } = await command([program, 'why', '--config', coalition.config('XAA'), '--', '--Ab0']);
  assert.match(output, /Ab0|verdict/);
  assert.doesNotMatch(output, /not known here/);
});

system('suspending cuts twenty live streams before it answers, and leaves our own people alone', async () => {
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  const ours = await konrad.watch();
  const streams = await Promise.all(Array.from({ length: kStreams }, () => ingrid.watch()));
  await until('tracks arrive on every stream', () => streams.every(({ messages }) => messages > 2));
  const answer = await coalition.ask('XAA', 'partner', 'suspend', 'XBB', '--reason', kReason);
  assert.equal(answer.durable, true);
  await wait(50); // what was already in this process' own buffers
  const received = streams.map(({ messages }) => messages);
  await Promise.all(streams.map(({ closed }) => closed));
  const before = ours.messages;
  await until('our own tracks go on', () => ours.messages > before + 10);
  assert.deepEqual(
    streams.map(({ messages }) => messages),
    received,
    'no track after the answer',
  );
  assert.equal(ours.socket.readyState, ours.socket.OPEN);
  ours.socket.terminate();
  assert.ok(!(await coalition.sessions('XAA')).some(({ partner, state }) => partner === 'XBB' && state === 'live'));

  const page = await ingrid.go(`${ingrid.nation.app}/`);
  assert.equal(page.status, 403);
  assert.match(page.headers['clear-site-data'] ?? '', /storage/);
  await assert.rejects(ingrid.watch(), /refused with 403/);
  const lobby = await ingrid.go(`${ingrid.nation.lobby}/`);
  assert.ok(lobby.body.includes(kReason), 'the lobby says why');
  const leaf = (await records('XAA')).find((record) => record.class === 'partner.suspend');
  assert.match(leaf.summary, /lena\.brandtner/);
  assert.ok(leaf.summary.includes(kReason));
});

system('while a partner is suspended none of its people gets in, by no way', async () => {
  const ingrid = await Visitor.in(coalition, 'ingrid');
  const refused = await ingrid.openApp();
  assert.notEqual(refused.status, 200);
  assert.doesNotMatch(refused.body, /data-map/);
  assert.ok(!(await coalition.sessions('XAA')).some(({ partner, state }) => partner === 'XBB' && state === 'live'));
  const entered = await ingrid.go(`${ingrid.nation.app}/`);
  assert.notEqual(entered.status, 200);
  assert.equal((await konrad.go(`${konrad.nation.app}/`)).status, 200, 'our own people go in and out');
});

system('the nation that is suspended is told, also where none of its people were inside', async () => {
  const ingrid = await Visitor.in(coalition, 'ingrid');
  await until('her card says so', async () => (await ingrid.card()) === 'shut; opening it says why');
  const told = /Aldoria \(XAA\) has suspended Borealis \(XBB\): /;
  const { code, output } = await coalition.cli('XBB', 'doctor');
  assert.notEqual(code, 0, output);
  assert.match(output, told);
  const { reason, state } = await coalition.partner('XBB', 'XAA');
  assert.match(reason, told);
  assert.ok(reason.endsWith(kReason), reason);
  assert.equal(state, 'active', 'XBB itself has suspended nobody');
  await coalition.stop('node-xbb');
  await coalition.startAgain('node-xbb');
  const again = await until('signed in again', () => Visitor.in(coalition, 'ingrid').catch(() => undefined));
  await until('a node that comes back is told anew', async () => (await again.card()) === 'shut; opening it says why');
});

system('resuming restores nothing: the old sign-in and the old cookie stay dead', async () => {
  const before = await Visitor.in(coalition, 'ingrid');
  await wait(1100); // a sign-in is stamped in whole seconds
  await coalition.ask('XAA', 'partner', 'resume', 'XBB', '--reason', 'exercise: review finished');
  const old = await before.openApp();
  assert.notEqual(old.status, 200, 'a sign-in from before the end of the suspension');
  await until('XBB is told', async () => (await before.card()) === 'ready');
  assert.doesNotMatch((await coalition.cli('XBB', 'doctor')).output, /has suspended/);
  assert.equal((await coalition.partner('XBB', 'XAA')).reason, '');
  const fresh = await until('a new sign-in opens the app', async () => {
    const visitor = await Visitor.in(coalition, 'ingrid');
    return (await visitor.openApp()).status === 200 && visitor;
  });
  const stream = await fresh.watch();
  await until('tracks arrive', () => stream.messages > 1);
  stream.socket.terminate();
});

system('withdrawing an app ends its sessions and takes its card away, on both sides', async () => {
  const ingrid = await Visitor.inside(coalition, 'ingrid');
  const streams = [await konrad.watch(), await ingrid.watch()];
  const card = (page) => page.body.includes('data-app="cop-xaa"');
  assert.ok(card(await ingrid.go(`${ingrid.nation.lobby}/`)));
  const answer = await coalition.ask('XAA', 'app', 'withdraw', 'cop', '--reason', 'exercise: withdrawn');
  assert.ok(answer.revision > 0);
  await Promise.all(streams.map(({ closed }) => closed));
  for (const visitor of [konrad, ingrid]) {
    await until(
      `${visitor.person.login} sees no card`,
      async () => !card(await visitor.go(`${visitor.nation.lobby}/`)),
    );
    const lobby = await visitor.go(`${visitor.nation.lobby}/`);
    assert.match(lobby.body, /Aldoria \(XAA\) has withdrawn Common operational picture: exercise: withdrawn/);
    const page = await visitor.openApp();
    assert.notEqual(page.status, 200);
  }
});

system('after all of it both ledgers verify', async () => {
  for (const nation of ['XAA', 'XBB']) {
    assert.match(await coalition.verify(nation), /chained, signed and complete/);
  }
  assert.ok(existsSync(coalition.file('node-xaa', 'ledger', 'checkpoint')));
});
