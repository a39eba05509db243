// Which of fossil's pages make the wiki (those of 2.21), what reaches them, and what browsers are told of their answers.

// They change nothing, whatever their fields say.
const reading = `home index wiki wikihelp wikiedit wcontent whistory wdiff wfind wikisrch search timeline attachlist
  attachview artifact hexdump md_rules wiki_rules markup_help style.css script.js builtin favicon.ico logo background`;
// They bring what people put in, of whatever type its writer or the address says.
const files = new Set(['raw', 'attachdownload', 'attachimage']);
// Fossil takes fields from the address as it takes them from a form: a link gets the fields that fossil's links have,
// and none that a button sends.
const details = ['name', 'ln', 'del', 'txt', 'verbose'];
const pages = new Map([
  ['', {}], // leads to the front page
  ...reading.split(/\s+/).map((page) => [page, {}]),
  ...[...files].map((page) => [page, {}]),
  ['wikinew', { posts: true }],
  ['wikiajax', { posts: true }], // fossil itself changes nothing there by GET
  ['attachadd', { posts: true, fields: ['page', 'from'] }],
  ['ainfo', { posts: true, fields: details }],
  ['info', { fields: details }], // shows what ainfo and winfo show, and does what they do
  ['winfo', { fields: details }],
]);
const form = /^(application\/x-www-form-urlencoded|multipart\/form-data)(;|$)/; // others make it a synchronisation

// Where fossil finds the page: the first part of the decoded path.
const pageOf = (path) => decodeURIComponent(path).split('/')[1];

// [status, text] of what does not reach fossil. The request is a plain one (plain.mjs).
export function refusalOf({ url, method, headers }) {
  const [path, ...rest] = url.split('?');
  const page = pages.get(pageOf(path));
  // Fossil sends there whoever lacks a capability.
  if (pageOf(path) === 'login') return [403, 'Your role does not include this; there is no sign-in of the wiki itself.'];
  if (!page) return [404, 'This page is not part of the wiki.'];
  if (method === 'POST') {
    if (!page.posts) return [405, 'This page is only read.'];
    if (!form.test(headers['content-type'])) return [415, 'The wiki takes forms.'];
    return undefined;
  }
  if (method !== 'GET' && method !== 'HEAD') return [405, 'The wiki is read by GET and changed by POST.'];
  const names = rest.join('?').split('&').map((field) => field.split('=')[0]);
  if (page.fields && !names.every((name) => name === '' || page.fields.includes(name)))
    return [403, "A link changes nothing here: use the page's own form."];
  return undefined;
}

const kept = ['cache-control', 'content-length', 'content-type', 'etag', 'last-modified', 'location', 'x-frame-options'];
const kClosed = "sandbox; default-src 'none'";
// Beside fossil's own policy: nothing is loaded from elsewhere, so that no page tells anybody who reads it.
const kOpen =
  "img-src 'self' data:; connect-src 'self'; object-src 'none'; frame-src 'none'; base-uri 'self'; form-action 'self'";

// The headers of fossil's answer as they go on.
export function headersFor({ url, headers: { host } }, status, found) {
  const headers = { 'x-content-type-options': 'nosniff' };
  for (const name of kept) if (found.has(name)) headers[name] = found.get(name);
  const own = new URL(`https://${host}/`);
  if (headers.location && new URL(headers.location, own).host !== own.host)
    throw new Error('fossil leads away from the wiki');
  if (status === 304) return headers; // they would replace those of what the browser has
  const policy = found.get('content-security-policy');
  headers['content-security-policy'] = policy ? `${policy}, ${kOpen}` : kClosed;
  if (files.has(pageOf(url.split('?')[0]))) {
    headers['content-security-policy'] = kClosed;
    headers['content-disposition'] = found.get('content-disposition') ?? 'attachment';
    if (!/^(image|audio|video)\//.test(headers['content-type'])) headers['content-type'] = 'application/octet-stream';
  }
  return headers;
}
