// HTTPS requests to the demonstration's own hosts. `*.localhost` means this machine by definition (RFC 6761),
// but the C library does not resolve it, so the name goes into the request and TLS while the socket goes to
// 127.0.0.1.
import { request } from 'node:https';

const kAnswerBytesMax = 8 * 1024 * 1024;
const kWaitMsMax = 10_000;

export const toLoopback = (host, options, done) =>
  options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);

// Answers { status, headers, rawHeaders, bytes, body } (body is the bytes as text); never follows a redirect.
export function ask(address, { method = 'GET', headers = {}, body, ca } = {}) {
  return new Promise((resolve, reject) => {
    const options = { method, headers, ca, lookup: toLoopback, agent: false, timeout: kWaitMsMax };
    const outgoing = request(address, options, (answer) => {
      const chunks = [];
      let size = 0;
      answer.on('data', (chunk) => {
        size += chunk.length;
        if (size > kAnswerBytesMax)
          outgoing.destroy(new Error(`${address}: more than ${kAnswerBytesMax} bytes`));
        chunks.push(chunk);
      });
      answer.on('end', () => {
        const { statusCode: status, headers: received, rawHeaders } = answer;
        const bytes = Buffer.concat(chunks);
        resolve({ status, headers: received, rawHeaders, bytes, body: bytes.toString('utf8') });
      });
      answer.on('error', reject);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${address}: no answer in ${kWaitMsMax} ms`)));
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
