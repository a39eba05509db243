// The live feed: positions leave their reporters as Cursor on Target XML and are read back from it, so what
// the page draws has been through the format that real feeds speak (npm @tak-ps/node-cot on both sides).
import { CoTParser } from '@tak-ps/node-cot';
import { kExerciseRate, makeFleet, whereIs } from './fleet.mjs';

const kTickMs = 100; // each tick reports a fifth of those who move, so everyone reports twice a second
const kTicksInRound = 5;
const kStaleMs = 60_000;

// "a-f-S-X-M" is the symbol code SFSPXM--------- with its battle dimension and function, present.
export function symbolCode(type) {
  const [, affiliation, dimension, ...rest] = type.split('-');
  const code = `S${affiliation.toUpperCase()}${dimension}P${rest.join('')}`.padEnd(10, '-');
  return type.startsWith('a-f-G-I') || type.startsWith('a-n-G-I') ? `${code}H----` : `${code}-----`;
}

async function report(track, position, now) {
  const stamp = new Date(now).toISOString();
  const feature = {
    id: track.id,
    type: 'Feature',
    properties: {
      callsign: track.name,
      type: track.type,
      how: 'm-g',
      time: stamp,
      start: stamp,
      stale: new Date(now + kStaleMs).toISOString(),
      course: position.course,
      speed: position.speed,
      remarks: `EXERCISE ${track.nation} ${track.word}`,
    },
    geometry: { type: 'Point', coordinates: [position.lon, position.lat, 0] },
  };
  return CoTParser.to_xml(await CoTParser.from_geojson(feature));
}

async function read(xml) {
  const { id, properties, geometry } = await CoTParser.to_geojson(CoTParser.from_xml(xml));
  const [, nation, word] = /^EXERCISE (\S+) (.*)$/.exec(properties.remarks);
  return {
    id,
    name: properties.callsign,
    nation,
    word,
    symbol: symbolCode(properties.type),
    lon: Math.round(geometry.coordinates[0] * 1e6) / 1e6,
    lat: Math.round(geometry.coordinates[1] * 1e6) / 1e6,
    course: Math.round(properties.course ?? 0),
    speed: Math.round((properties.speed ?? 0) * 10) / 10,
  };
}

export class Feed {
  #fleet;
  #listeners = new Set();
  #timer;
  #tick = 0;
  #busy = false;
  #started = performance.now();

  constructor(seed) {
    this.#fleet = makeFleet(seed);
  }

  #seconds() {
    return (performance.now() - this.#started) / 1000;
  }

  #readAt(tracks) {
    const seconds = this.#seconds();
    const now = Date.now();
    return Promise.all(tracks.map(async (track) => read(await report(track, whereIs(track, seconds), now))));
  }

  // Everyone as they are now.
  async picture() {
    return { type: 'picture', rate: kExerciseRate, at: Date.now(), tracks: await this.#readAt(this.#fleet) };
  }

  // Calls back with { type: "moves", at, moves: [[id, lon, lat, course, speed], ...] } until the answered
  // function is called. Reports are made only while somebody listens.
  listen(listener) {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#advance(), kTickMs);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  async #advance() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      this.#tick += 1;
      const due = this.#fleet.filter(
        (track, index) => track.knots > 0 && index % kTicksInRound === this.#tick % kTicksInRound,
      );
      const moves = (await this.#readAt(due)).map(({ id, lon, lat, course, speed }) => [
        id,
        lon,
        lat,
        course,
        speed,
      ]);
      const message = { type: 'moves', at: Date.now(), moves };
      for (const listener of this.#listeners) listener(message);
    } finally {
      this.#busy = false;
    }
  }
}
