// Values that end where they seem to: apps of others read names, lines and SCGI variables out of what they are given.
const control = /[\u0000-\u001f\u007f]/;

export const isPlain = (value) => !control.test(value);

// Also once it is decoded, and every header.
export function isPlainRequest({ url, rawHeaders }) {
  try {
    return url.startsWith('/') && isPlain(decodeURIComponent(url)) && rawHeaders.every(isPlain);
  } catch {
    return false; // percent signs that are no UTF-8
  }
}
