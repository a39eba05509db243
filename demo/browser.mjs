// Debian's Chromium with a profile of its own, trusting the demonstration's certificates and nothing more
// than usual.
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

export const chromiumPath = process.env.ENTENTE_CHROMIUM ?? '/usr/bin/chromium';

// Quiet: no look-ups, updates or synchronisation of Chromium's own.
export const quietFlags = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-search-engine-choice-screen',
];

// Chromium's sandbox needs a user that is not root.
export const sandboxFlags = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

// Accepts certificates by the digest of their public key, in this one profile: the machine's own trust stays
// as it is.
export const trustFlags = (publicKeyDigests) =>
  publicKeyDigests.length ? [`--ignore-certificate-errors-spki-list=${publicKeyDigests.join(',')}`] : [];

// Signals are the caller's business: its own end closes the browser.
export function openHeadless(publicKeyDigests = []) {
  return chromium.launch({
    executablePath: chromiumPath,
    headless: true,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    args: [...quietFlags, ...sandboxFlags, ...trustFlags(publicKeyDigests)],
  });
}

// The command and environment of a visible browser with everything it keeps in `folder`. With Debian's
// certutil (libnss3-tools) its profile trusts the demonstration's authority; without it, the single
// certificates, and Chromium shows a bar that says so.
export async function visibleBrowser(folder, authority, publicKeyDigests, addresses) {
  const database = join(folder, '.pki', 'nssdb');
  const temporary = join(folder, 'tmp');
  for (const made of [database, temporary]) mkdirSync(made, { recursive: true, mode: 0o700 });
  let trust = [];
  try {
    const certutil = (...args) => promisify(execFile)('certutil', ['-d', `sql:${database}`, ...args]);
    await certutil('-N', '--empty-password');
    await certutil('-A', '-n', 'Entente demonstration', '-t', 'C,,', '-i', authority);
  } catch {
    trust = trustFlags(publicKeyDigests);
  }
  const flags = [
    ...quietFlags,
    ...sandboxFlags,
    ...trust,
    '--password-store=basic',
    `--user-data-dir=${join(folder, 'profile')}`,
  ];
  return { command: [chromiumPath, ...flags, ...addresses], env: { HOME: folder, TMPDIR: temporary } };
}
