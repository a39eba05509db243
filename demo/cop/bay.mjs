// Harbor Light Bay: a coast of nowhere, in open ocean far from any land, in kilometres east and north of its
// middle.
const kMiddle = { lon: -127, lat: -46 };
const kKilometresPerDegree = 111.2;

export function toLonLat([east, north]) {
  const lat = kMiddle.lat + north / kKilometresPerDegree;
  return [kMiddle.lon + east / (kKilometresPerDegree * Math.cos((kMiddle.lat * Math.PI) / 180)), lat];
}

// A small generator with a seed (mulberry32), so that every run draws the same coast and sails the same
// ships.
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Control points run clockwise as seen on the map, which on the sphere says that the land is inside.
const shores = [
  {
    rough: 0.16,
    points: [
      [-90, 80],
      [90, 80],
      [90, -6],
      [70, -5],
      [52, -8],
      [44, 2],
      [40, 14],
      [30, 22],
      [18, 20],
      [10, 26],
      [0, 30],
      [-12, 26],
      [-18, 16],
      [-26, 12],
      [-34, 16],
      [-40, 8],
      [-38, -4],
      [-46, -12],
      [-56, -10],
      [-70, -16],
      [-90, -14],
    ],
  },
  {
    rough: 0.22,
    points: [
      [5, 4],
      [8, 6],
      [12, 3],
      [10, -1],
      [6, -2],
    ],
  },
  {
    rough: 0.22,
    points: [
      [26, -12],
      [30, -9],
      [35, -12],
      [34, -18],
      [28, -18],
    ],
  },
  {
    rough: 0.22,
    points: [
      [-22, -12],
      [-16, -10],
      [-12, -15],
      [-17, -20],
      [-24, -17],
    ],
  },
];

export const places = [
  { name: 'Port Aster', at: [2, 33] },
  { name: 'West Ferry', at: [-44, 12] },
  { name: 'East Quay', at: [47, 9] },
  { name: 'Skerry Light', at: [8, 2] },
  { name: 'Fen Island', at: [30, -14] },
  { name: 'Long Holm', at: [-18, -15] },
];

// Breaks each side of a ring in two, four times over, pushing the middles a little aside.
function roughen(ring, rough, random) {
  let points = ring;
  for (let round = 0; round < 4; round += 1) {
    points = points.flatMap((from, index) => {
      const to = points[(index + 1) % points.length];
      const aside = (random() - 0.5) * 2 * rough;
      const middle = [
        (from[0] + to[0]) / 2 - (to[1] - from[1]) * aside,
        (from[1] + to[1]) / 2 + (to[0] - from[0]) * aside,
      ];
      return [from, middle];
    });
  }
  return points;
}

const rounded = (point) => toLonLat(point).map((degrees) => Math.round(degrees * 1e5) / 1e5);

// The bay as GeoJSON, and the places in it.
export function bay() {
  const random = seeded(46127);
  const rings = shores.map(({ points, rough }) => {
    const ring = roughen(points, rough, random).map(rounded);
    return [...ring, ring[0]];
  });
  const frame = {
    type: 'MultiPoint',
    coordinates: [
      [-58, -42],
      [58, 42],
    ].map(rounded),
  };
  const land = { type: 'MultiPolygon', coordinates: rings.map((ring) => [ring]) };
  return { land, frame, places: places.map(({ name, at }) => ({ name, at: rounded(at) })) };
}
