// Standard symbols (npm milsymbol) for the codes in a picture, drawn here once so that the page needs no
// symbol library.
import ms from 'milsymbol';

const kSizePx = 22;
const drawn = new Map();

function draw(code) {
  if (!drawn.has(code)) {
    const symbol = new ms.Symbol(code, { size: kSizePx });
    const { x, y } = symbol.getAnchor();
    const { width, height } = symbol.getSize();
    drawn.set(code, { svg: symbol.asSVG(), x, y, width, height });
  }
  return drawn.get(code);
}

export const symbolsFor = (codes) =>
  Object.fromEntries([...new Set(codes)].map((code) => [code, draw(code)]));
