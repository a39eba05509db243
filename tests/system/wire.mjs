// Bytes straight onto a TLS connection, for what no well-behaved client would send.
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { connect } from 'node:tls';

const kAnswerBytesMax = 4 * 1024 * 1024;
const kPatienceMs = 10_000;

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

// What strangers get on a way of nodes or connectors: { received, ended } once it is closed, or after a while.
export async function dial(port, alpn, credentials, bytes) {
  const received = [];
  let socket;
  try {
    socket = await openTls(port, { alpn: [alpn], insecure: true, ...credentials });
  } catch (error) {
    if (error.code === 'ECONNREFUSED') throw error; // nobody listens: that is no refusal of theirs
    return { received: Buffer.alloc(0), ended: true };
  }
  socket.on('data', (chunk) => received.push(chunk)).on('error', () => {});
  socket.write(bytes);
  const ended = await Promise.race([
    once(socket, 'close').then(() => true),
    wait(kPatienceMs, false, { ref: false }),
  ]).catch(() => true);
  socket.destroy();
  return { received: Buffer.concat(received), ended };
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

// An answer as a person or program could compare it: the name that was asked for, and what is drawn anew each time,
// written alike.
export function comparable({ status, rawHeaders, body }, host) {
  const headers = [];
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i].toLowerCase() !== 'date') headers.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  return JSON.stringify({ status, headers, body }, null, 1)
    .replaceAll(host, 'HOST')
    .replaceAll(host.split('.')[0], 'NAME')
    .replace(/[A-Za-z0-9_-]{43}/g, 'DRAWN');
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
