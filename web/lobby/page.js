// What the lobby's scripts share: elements, and times in the one zone that every page of the node writes.
export const make = (tag, text, attributes = {}) => {
  const out = document.createElement(tag);
  out.textContent = text;
  for (const [name, value] of Object.entries(attributes)) out.setAttribute(name, value);
  return out;
};

const kMinutes = 'YYYY-MM-DDTHH:MM'.length;
export const timeText = (at) => {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? 'a time unknown' : `${date.toISOString().slice(0, kMinutes).replace('T', ' ')} UTC`;
};
