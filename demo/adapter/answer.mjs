// What an adapter says itself, in place of its app.
export function answerText(response, status, text) {
  const type = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
  response.writeHead(status, { ...type, 'cache-control': 'no-store' });
  response.end(`${text}\n`);
}
