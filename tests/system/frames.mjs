// HTTP/2 frames by hand (RFC 9113 section 4), for what no library would send.
const kTypes = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8, continuation: 9 };

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const endStream = 0x1;
export const endHeaders = 0x4;

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = kTypes[type];
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function number(value, prefixBits) {
  const most = (1 << prefixBits) - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  for (let rest = value - most; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}

// Each field as a literal that is never indexed (RFC 7541 section 6.2.2).
export function block(fields) {
  const text = (value) => [number(value.length, 7), Buffer.from(value, 'latin1')];
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), ...text(name), ...text(value)]));
}

export const settings = (pairs = []) => {
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame('settings', 0, 0, payload);
};

// The frames in what arrived: [{ type, flags, stream, payload }].
export function framesIn(bytes) {
  const found = [];
  const names = Object.fromEntries(Object.entries(kTypes).map(([name, type]) => [type, name]));
  for (let at = 0; at + 9 <= bytes.length;) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    found.push({
      type: names[bytes[at + 3]],
      flags: bytes[at + 4],
      stream: bytes.readUInt32BE(at + 5),
      payload,
    });
    at += 9 + length;
  }
  return found;
}
