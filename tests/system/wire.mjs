// Bytes straight onto a TLS connection, for what no well-behaved client would send.
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';

const kAnswerBytesMax = 4 * 1024 * 1024;

// A TLS connection to a port of this machine. Resolves when the handshake is done. `insecure`: whoever answers
// there is attacked, not trusted.
export async function openTls(port, { ca, name, alpn = ['http/1.1'], cert, key, from, insecure } = {}) {
  const raw = connectTcp({ host: '127.0.0.1', port, localAddress: from });
  raw.on('error', () => {});
  const socket = connect({
    socket: raw,
    servername: name,
    ALPNProtocols: alpn,
    ca,
    cert,
    key,
    rejectUnauthorized: !insecure,
  });
  socket.setNoDelay(true);
  await once(socket, 'secureConnect');
  return socket;
}

function isWhole(text) {
  const end = text.indexOf('\r\n\r\n');
  const [, length] = /^content-length: *(\d+)/im.exec(text.slice(0, Math.max(end, 0))) ?? [];
  return end >= 0 && length !== undefined && text.length >= end + 4 + Number(length);
}

// Everything that arrives until the other side ends or falls silent for `quietMs`, or (`one`) until one answer
// is whole: { text, ended }.
export function readAll(socket, quietMs = 3000, one = false) {
  return new Promise((resolve) => {
    const chunks = [];
    let size = 0;
    let timer;
    const finish = (ended) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text: Buffer.concat(chunks).toString('latin1'), ended });
    };
    const patience = () => {
      clearTimeout(timer);
      timer = setTimeout(() => finish(false), quietMs);
    };
    patience();
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > kAnswerBytesMax) finish(false);
      else if (one && isWhole(Buffer.concat(chunks).toString('latin1'))) finish(false);
      else patience();
    });
    socket
      .on('end', () => finish(true))
      .on('error', () => finish(true))
      .on('close', () => finish(true));
  });
}

export function statusOf(text) {
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(text) ?? [];
  return Number(status ?? 0);
}

// Sends bytes as they are. Answers { text, status, ended }.
export async function sendRaw(port, bytes, options) {
  const socket = await openTls(port, options);
  const answer = readAll(socket, options.quietMs, options.one);
  socket.write(Buffer.from(bytes, 'latin1'));
  const { text, ended } = await answer;
  return { text, status: statusOf(text), ended };
}
