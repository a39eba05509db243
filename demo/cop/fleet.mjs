// Who moves in the bay and where they are at a given moment: a pure function of seed and time, so a run can
// be repeated exactly.
import { places, seeded, toLonLat } from './bay.mjs';

export const kExerciseRate = 60; // a minute passes in a second, so that ships can be seen to move
const kKilometresPerHourPerKnot = 1.852;

const routes = {
  outbound: [
    [1, 26],
    [-2, 16],
    [-4, 2],
    [0, -12],
    [6, -30],
    [10, -60],
  ],
  inbound: [
    [16, -60],
    [13, -28],
    [18, -8],
    [16, 8],
    [8, 16],
    [3, 25],
  ],
  ferry: [
    [-33, 6],
    [-12, -3],
    [8, -7],
    [26, 4],
    [36, 8],
  ],
  transitNorth: [
    [-75, -28],
    [0, -31],
    [75, -34],
  ],
  transitSouth: [
    [75, -40],
    [0, -37],
    [-75, -36],
  ],
  fishing: [
    [-30, -2],
    [-26, -8],
    [-8, -8],
    [-4, -16],
    [-10, -24],
    [-26, -24],
    [-32, -14],
  ],
  patrol: [
    [30, -4],
    [40, -10],
    [41, -20],
    [30, -25],
    [21, -20],
    [20, -9],
  ],
  coastRoad: [
    [-64, -4],
    [-50, 0],
    [-46, 13],
    [-32, 23],
    [-16, 31],
    [1, 36],
    [16, 31],
    [32, 29],
    [46, 17],
    [57, 5],
    [66, 2],
  ],
  inlandRoad: [
    [1, 36],
    [5, 46],
    [-8, 58],
    [-14, 72],
  ],
  air: [
    [2, 34],
    [8, 3],
    [30, -13],
    [-18, -14],
    [-42, 12],
  ],
};

// Cursor on Target types: friendly or neutral; surface, ground or air; not a unit of arms among them.
const kinds = {
  merchant: { type: 'a-f-S-X-M-C', word: 'cargo ship', knots: [10, 16] },
  tanker: { type: 'a-f-S-X-M-O', word: 'fuel tanker', knots: [9, 13] },
  ferry: { type: 'a-f-S-X-M-P', word: 'ferry', knots: [14, 18] },
  fishing: { type: 'a-n-S-X-F', word: 'fishing vessel', knots: [4, 8] },
  patrol: { type: 'a-f-S-X-L', word: 'coast guard', knots: [14, 20] },
  convoy: { type: 'a-f-G-U-S-S', word: 'relief convoy', knots: [16, 24] },
  helicopter: { type: 'a-f-A-C-H', word: 'rescue helicopter', knots: [60, 80] },
  station: { type: 'a-f-G-I-X-H', word: 'aid station', knots: [0, 0] },
};

const roster = [
  ['XAA', 'merchant', 'outbound', ['Grey Heron', 'Amber Tern', 'Tall Order']],
  ['XBB', 'merchant', 'inbound', ['Northern Loaf', 'Solveig', 'Fair Copy']],
  ['XBB', 'tanker', 'inbound', ['Lamp Oil']],
  ['XAA', 'ferry', 'ferry', ['Bay Thrush', 'Bay Linnet']],
  ['XBB', 'merchant', 'transitNorth', ['Long Haul', 'Quiet Margin']],
  ['XAA', 'tanker', 'transitSouth', ['Slow Kettle']],
  ['XAA', 'fishing', 'fishing', ['Small Hours', 'Salt Fork', 'Gull Tax']],
  ['XAA', 'patrol', 'patrol', ['Watchful']],
  ['XBB', 'patrol', 'patrol', ['Nordlys']],
  ['XAA', 'convoy', 'coastRoad', ['Relief Aster 1', 'Relief Aster 2']],
  ['XBB', 'convoy', 'coastRoad', ['Relief Nord 1', 'Relief Nord 2']],
  ['XBB', 'convoy', 'inlandRoad', ['Relief Nord 3']],
  ['XAA', 'helicopter', 'air', ['Rescue 7']],
];

const stations = [
  ['XAA', 'Port Aster', 'Aid Station Aster'],
  ['XBB', 'West Ferry', 'Aid Station West'],
  ['XBB', 'East Quay', 'Aid Station East'],
];

function measure(route) {
  const lengths = route
    .slice(1)
    .map((to, index) => Math.hypot(to[0] - route[index][0], to[1] - route[index][1]));
  return { route, lengths, total: lengths.reduce((sum, length) => sum + length, 0) };
}

const at = (from, to, share) => [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
const bearing = (from, to) => (Math.atan2(to[0] - from[0], to[1] - from[1]) * 180) / Math.PI;

// Everyone in the picture. `offset` is where on the way there and back a track begins, in kilometres.
export function makeFleet(seed) {
  const random = seeded(seed);
  const moving = roster.flatMap(([nation, kind, way, names]) =>
    names.map((name) => {
      const [slow, fast] = kinds[kind].knots;
      const path = measure(routes[way]);
      return {
        name,
        nation,
        kind,
        path,
        knots: slow + (fast - slow) * random(),
        offset: random() * 2 * path.total,
      };
    }),
  );
  const standing = stations.map(([nation, place, name]) => {
    const where = places.find((candidate) => candidate.name === place).at;
    return { name, nation, kind: 'station', path: measure([where]), knots: 0, offset: 0 };
  });
  return [...moving, ...standing].map((track) => ({
    ...track,
    id: `${track.nation}-${track.name.replaceAll(' ', '-').toUpperCase()}`,
    type: kinds[track.kind].type,
    word: kinds[track.kind].word,
  }));
}

// Where a track is `seconds` after the start: { lon, lat, course (degrees true), speed (metres per second) }.
export function whereIs(track, seconds) {
  const { route, lengths, total } = track.path;
  const speed = (track.knots * kKilometresPerHourPerKnot) / 3.6;
  if (total === 0) return { ...asPoint(route[0]), course: 0, speed: 0 };
  const sailed = (track.offset + (speed * kExerciseRate * seconds) / 1000) % (2 * total);
  const back = sailed > total;
  let left = back ? 2 * total - sailed : sailed;
  let leg = 0;
  while (leg < lengths.length - 1 && left > lengths[leg]) {
    left -= lengths[leg];
    leg += 1;
  }
  const [from, to] = [route[leg], route[leg + 1]];
  const course = (bearing(from, to) + (back ? 180 : 0) + 360) % 360;
  return { ...asPoint(at(from, to, left / lengths[leg])), course, speed };
}

function asPoint(position) {
  const [lon, lat] = toLonLat(position);
  return { lon, lat };
}
