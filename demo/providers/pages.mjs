// The provider's own pages: plain HTML that works without scripts, loads nothing from elsewhere, and reads
// well in a dark room.
const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text).replace(/[&<>"']/g, (character) => escapes[character]);

export const stylePath = '/assets/sign-in.css';

export const style = `:root { color-scheme: light dark;
  --ground: #f4f6f8; --panel: #fff; --ink: #16202a; --quiet: #4d5b69; --line: #b8c2cc;
  --accent: #0b5cad; --on-accent: #fff; --wrong: #a3161f; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #0e141a; --panel: #18212a; --ink: #e8edf2; --quiet: #a9b6c3; --line: #44525f;
  --accent: #7db8f5; --on-accent: #08131d; --wrong: #ff9c9c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
.marking { margin: 0; padding: .3rem; text-align: center; background: #1f6b34; color: #fff; font-weight: 600;
  letter-spacing: .04em; }
main { max-width: 26rem; margin: 10vh auto 2rem; padding: 1.75rem; background: var(--panel);
  border: 1px solid var(--line); border-radius: .5rem; }
h1 { font-size: 1.3rem; margin: 0 0 .25rem; }
p { margin: .5rem 0; color: var(--quiet); }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
input { width: 100%; padding: .6rem; font: inherit; color: inherit; background: var(--ground);
  border: 1px solid var(--quiet); border-radius: .3rem; }
button { margin-top: 1.25rem; padding: .6rem 1.4rem; font: inherit; font-weight: 600; color: var(--on-accent);
  background: var(--accent); border: 1px solid var(--accent); border-radius: .3rem; cursor: pointer; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.wrong { color: var(--wrong); font-weight: 600; }
`;

function page(nation, title, inner) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} - ${escape(nation.title)}</title>
<link rel="stylesheet" href="${stylePath}">
</head>
<body>
<p class="marking">EXERCISE</p>
<main>
${inner}
</main>
</body>
</html>
`;
}

const kNamesMax = 50; // offered while somebody types

export function signInPage(nation, { people, login, wrong }) {
  const names = people.slice(0, kNamesMax).map(
    (person) =>
      `<option value="${escape(person.login)}">${escape(person.name)}, ${escape(person.post)}</option>`,
  );
  const again = wrong ? `<p class="wrong" role="alert" id="wrong">${escape(wrong)}</p>` : '';
  const described = wrong ? ' aria-describedby="wrong" aria-invalid="true"' : '';
  return page(
    nation,
    'Sign in',
    `<h1>${escape(nation.title)}</h1>
<p>Sign in as a person of ${escape(nation.name)}. In this demonstration a passphrase stands in for your card
and PIN.</p>
${again}
<form method="post">
<label for="login">Name</label>
<input id="login" name="login" list="people" autocomplete="username" autocapitalize="none"
 spellcheck="false" required maxlength="64" value="${escape(login ?? '')}"${described}${login ? '' : ' autofocus'}>
<datalist id="people">${names.join('')}</datalist>
<label for="passphrase">Passphrase</label>
<input id="passphrase" name="passphrase" type="password" autocomplete="current-password" required
 maxlength="128"${described}${login ? ' autofocus' : ''}>
<button type="submit">Sign in</button>
</form>`,
  );
}

export function messagePage(nation, title, text) {
  return page(nation, title, `<h1>${escape(title)}</h1>\n<p>${escape(text)}</p>`);
}

// oidc-provider hands the form that ends the session as markup of its own.
export function signOutPage(nation, form) {
  return page(
    nation,
    'Sign out',
    `<h1>Sign out of ${escape(nation.title)}?</h1>
${form}
<button type="submit" form="op.logoutForm" name="logout" value="yes" autofocus>Sign out</button>
<button type="submit" form="op.logoutForm">Stay signed in</button>`,
  );
}
