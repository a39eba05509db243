// Debian's Chromium with a profile of its own, trusting the demonstration's certificates and nothing more than usual.
import { chromium } from 'playwright-core';

export const chromiumPath = process.env.ENTENTE_CHROMIUM ?? '/usr/bin/chromium';

// Quiet: no look-ups, updates or synchronisation of Chromium's own.
export const quietFlags = ['--disable-gpu', '--disable-quic', '--no-first-run', '--no-default-browser-check',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-search-engine-choice-screen'];

// Chromium's sandbox needs a user that is not root.
export const sandboxFlags = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

// Accepts certificates by the digest of their public key, in this one profile: the machine's own trust stays as it is.
export const trustFlags = (publicKeyDigests) =>
  publicKeyDigests.length ? [`--ignore-certificate-errors-spki-list=${publicKeyDigests.join(',')}`] : [];

export function openHeadless(publicKeyDigests = []) {
  return chromium.launch({
    executablePath: chromiumPath,
    headless: true,
    args: [...quietFlags, ...sandboxFlags, ...trustFlags(publicKeyDigests)],
  });
}
