// A page of an app leaves cookies for every name of the door in a person's browser, more than a request can carry.
// They are shut out of nothing for good: the browser is told to remove them, and they sign in again.
import assert from 'node:assert/strict';

const flood = ([count, bytes]) => {
  const domain = location.hostname.split('.').slice(1).join('.');
  for (let i = 0; i < count; i += 1)
    document.cookie = `flood${i}=${'x'.repeat(bytes)}; Domain=${domain}; Path=/; Secure`;
  return document.cookie.length;
};

export async function cookiesKeepNobodyOut(stage) {
  const visitor = await stage.visitor('ingrid');
  const { page, nation } = visitor;
  await visitor.openLobby();
  await visitor.signIn();
  await page.waitForSelector(visitor.card);
  // A page without scripts: nothing but what is done here asks for anything.
  const open = async () => (await page.goto(`${nation.app}/me`)).status();
  // Many small ones are no more than a head holds.
  assert.equal(await open(), 200);
  assert.ok((await page.evaluate(flood, [150, 20])) > 150 * 20);
  assert.equal(await open(), 200, 'many cookies');
  for (const size of [[6, 4000], [30, 4000], [120, 4000]]) {
    assert.ok((await page.evaluate(flood, size)) > 16 * 1024, 'the browser keeps them');
    const shut = await page.goto(`${nation.lobby}/`);
    assert.equal(shut.status(), 431, `${size}`);
    assert.match(await visitor.text(), /Cookies of this site were removed/);
    assert.deepEqual(await visitor.context.cookies(`${nation.lobby}/`), [], 'they are gone');
    await visitor.openLobby();
    await visitor.signIn();
    await page.waitForSelector(visitor.card);
    assert.equal(await open(), 200, 'and in again');
  }
  await visitor.context.close();
}
