// A visitor's HTTP/2 connections to a door: a good client (Node's), and frames by hand for what none would send.
import { once } from 'node:events';
import { connect as connectH2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { block, endHeaders, endStream, frame, framesIn, preface, settings } from './frames.mjs';
import { openTls } from './wire.mjs';

export const kEnableConnect = 8; // RFC 8441 section 3

// A connection that TLS opened for `name`. What is asked on it may name any authority.
export async function openH2(port, ca, name) {
  const client = connectH2(`https://${name}:${port}`, {
    createConnection: () =>
      connectTls({
        socket: connectTcp({ host: '127.0.0.1', port }),
        servername: name,
        ca,
        ALPNProtocols: ['h2'],
      }),
  });
  client.on('error', () => {});
  await once(client, 'remoteSettings');
  return client;
}

// One request: { status, headers, body, reset }.
export function askH2(client, headers, body) {
  return new Promise((resolve) => {
    const stream = client.request(headers, { endStream: body === undefined });
    const answer = { status: 0, headers: {}, body: undefined, reset: undefined };
    const chunks = [];
    stream.on('response', (got) => Object.assign(answer, { status: got[':status'], headers: got }));
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('error', () => {});
    stream.on('close', () => {
      if (stream.rstCode !== 0) answer.reset = stream.rstCode;
      answer.body = Buffer.concat(chunks);
      resolve(answer);
    });
    if (body !== undefined) stream.end(body);
  });
}

// A raw connection: send() frames, `frames` that came, ended().
export class RawH2 {
  received = [];
  ended = false;

  static async open(port, ca, name) {
    const raw = new RawH2();
    raw.socket = await openTls(port, { ca, name, alpn: ['h2'] });
    raw.socket.on('data', (chunk) => raw.received.push(chunk));
    raw.socket.on('error', () => {});
    raw.socket.on('close', () => {
      raw.ended = true;
    });
    raw.send(preface, settings());
    return raw;
  }

  send(...frames) {
    if (this.socket.writable) this.socket.write(Buffer.concat(frames));
  }

  headers(stream, fields, end = true) {
    this.send(frame('headers', endHeaders | (end ? endStream : 0), stream, block(fields)));
  }

  get frames() {
    return framesIn(Buffer.concat(this.received));
  }

  count(type, stream) {
    return this.frames.filter((one) => one.type === type && one.stream === stream).length;
  }

  close() {
    this.socket.destroy();
  }
}
