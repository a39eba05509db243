// What a sealed object says of itself: its manifest lies there in clear.
import { readFileSync } from 'node:fs';

export function manifestOf(path) {
  const text = readFileSync(path, 'latin1');
  const start = text.indexOf('{"', text.indexOf('0.manifest.json'));
  let depth = 0;
  let end = start;
  let quoted = false;
  for (; end < text.length; end += 1) {
    if (text[end] === '"' && text[end - 1] !== '\\') quoted = !quoted;
    if (quoted) continue;
    if (text[end] === '{') depth += 1;
    if (text[end] === '}' && (depth -= 1) === 0) break;
  }
  const manifest = JSON.parse(text.slice(start, end + 1));
  const policy = JSON.parse(Buffer.from(manifest.encryptionInformation.policy, 'base64'));
  return { manifest, policy };
}
