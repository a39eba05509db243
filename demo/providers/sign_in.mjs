// The sign-in page's server side: who stands before it, and do they know the passphrase.
import { createHash, timingSafeEqual } from 'node:crypto';
import { messagePage, signInPage, style, stylePath } from './pages.mjs';

const kFormBytesMax = 4096;
const kTriesMax = 8; // wrong passphrases in one sign-in; a new one starts at the lobby
const kTriesRemembered = 10_000;

const digest = (text) => createHash('sha256').update(String(text)).digest();
const sameSecret = (left, right) => timingSafeEqual(digest(left), digest(right));

async function readForm(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > kFormBytesMax) return undefined;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

export class SignIn {
  #tries = new Map(); // interaction -> wrong passphrases so far

  constructor(nation, people, issuer, formTargets) {
    this.nation = nation;
    this.people = people;
    this.issuer = issuer;
    // Chromium follows a form's redirects only to targets named here: ourselves, then the lobby that sent the
    // person.
    const targets = ["'self'", ...formTargets].join(' ');
    this.policy =
      "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action " + targets;
  }

  headers() {
    return {
      'content-security-policy': this.policy,
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin', // under no-referrer our own form would come with "Origin: null"
      'x-content-type-options': 'nosniff',
    };
  }

  #send(response, status, body, type = 'text/html; charset=utf-8') {
    response.writeHead(status, { ...this.headers(), 'content-type': type }).end(body);
  }

  #wrongTry(interaction) {
    const count = (this.#tries.get(interaction) ?? 0) + 1;
    this.#tries.set(interaction, count);
    if (this.#tries.size > kTriesRemembered) this.#tries.delete(this.#tries.keys().next().value);
    return count;
  }

  // Answers whether the request was for the sign-in page or its style sheet.
  async handle(provider, request, response) {
    const { pathname } = new URL(request.url, this.issuer);
    if (pathname === stylePath) {
      this.#send(response, 200, style, 'text/css; charset=utf-8');
      return true;
    }
    if (!pathname.startsWith('/sign-in/')) return false;
    let interaction;
    try {
      interaction = await provider.interactionDetails(request, response);
    } catch {
      const text =
        'This sign-in has ended or belongs to another browser. Go back to your lobby and sign in from there.';
      this.#send(response, 410, messagePage(this.nation, 'This sign-in has ended', text));
      return true;
    }
    if (request.method === 'POST') await this.#submit(provider, interaction, request, response);
    else this.#send(response, 200, signInPage(this.nation, { people: this.people }));
    return true;
  }

  async #submit(provider, interaction, request, response) {
    if (request.headers.origin !== this.issuer) {
      this.#send(
        response,
        403,
        messagePage(this.nation, 'Not signed in', 'The form did not come from this page.'),
      );
      return;
    }
    const form = await readForm(request);
    const login = form?.get('login')?.trim().toLowerCase() ?? '';
    const person = this.people.find((candidate) => candidate.login === login);
    const passes = sameSecret(form?.get('passphrase') ?? '', person?.passphrase ?? '\0');
    if (!person || !passes) {
      if (this.#wrongTry(interaction.uid) >= kTriesMax) {
        const refused = { error: 'access_denied', error_description: 'too many wrong passphrases' };
        await provider.interactionFinished(request, response, refused, { mergeWithLastSubmission: false });
        return;
      }
      const wrong =
        'Name and passphrase do not belong together. Check both; capitals count in the passphrase.';
      this.#send(response, 403, signInPage(this.nation, { people: this.people, login, wrong }));
      return;
    }
    this.#tries.delete(interaction.uid);
    const signedIn = {
      accountId: person.subject,
      acr: person.acr,
      amr: person.amr,
      ts: Math.floor(Date.now() / 1000),
    };
    await provider.interactionFinished(
      request,
      response,
      { login: signedIn },
      { mergeWithLastSubmission: false },
    );
  }
}
