// The map: a Mercator view of the bay that can be moved and zoomed, symbols of constant size on it, and a
// small globe that says where in the world the (fictional) bay lies.
import { geoGraticule, geoMercator, geoOrthographic, geoPath } from 'd3-geo';
import { feature } from 'topojson-client';

const kZoomMin = 1;
const kZoomMax = 12;
const kTrailPoints = 24;
const kStepPx = 60;

export function make(name, attributes = {}, parent = undefined) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent?.append(element);
  return element;
}

export class BayMap {
  #projection = geoMercator();
  #zoom = 1;
  #shift = [0, 0];
  #tracks = new Map();

  constructor(svg, bay) {
    this.svg = svg;
    this.bay = bay;
    const [west, south] = bay.frame.coordinates[0];
    this.grid = geoGraticule()
      .extent([
        [west - 3, south - 3],
        [west + 6, south + 6],
      ])
      .step([0.25, 0.25])();
    this.definitions = make('defs', {}, svg);
    this.gridPath = make('path', { class: 'graticule' }, svg);
    this.landPath = make('path', { class: 'land' }, svg);
    this.labels = bay.places.map(({ name, at }) => {
      const label = make('text', { class: 'place' }, svg);
      label.textContent = name;
      return { label, at };
    });
    this.trails = make('g', {}, svg);
    this.layer = make('g', {}, svg);
    this.#listen();
    new ResizeObserver(() => this.draw()).observe(svg);
  }

  // Symbols arrive as SVG text from our own server; they are parsed as images' markup and placed as
  // <symbol>s.
  define(symbols) {
    for (const [code, { svg, width, height, x, y }] of Object.entries(symbols)) {
      const drawing = new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement;
      const symbol = make(
        'symbol',
        { id: `symbol-${code}`, viewBox: drawing.getAttribute('viewBox'), width, height },
        this.definitions,
      );
      symbol.dataset.x = x;
      symbol.dataset.y = y;
      symbol.append(...[...drawing.childNodes].map((node) => document.importNode(node, true)));
    }
  }

  add(track) {
    const group = make(
      'g',
      { class: 'track', 'data-track': track.id, 'data-nation': track.nation },
      this.layer,
    );
    const { x, y } = document.getElementById(`symbol-${track.symbol}`).dataset;
    make('circle', { class: 'ring', r: 24 }, group);
    make('use', { href: `#symbol-${track.symbol}`, x: -x, y: -y }, group);
    make('text', { x: 20, y: 4 }, group).textContent = track.name;
    const trail = make('path', { class: 'trail' }, this.trails);
    this.#tracks.set(track.id, { group, trail, at: [track.lon, track.lat], past: [] });
    this.#place(this.#tracks.get(track.id));
  }

  move(id, lon, lat) {
    const track = this.#tracks.get(id);
    if (!track) return;
    track.past.push(track.at);
    if (track.past.length > kTrailPoints) track.past.shift();
    track.at = [lon, lat];
    this.#place(track);
  }

  choose(id) {
    for (const [key, { group }] of this.#tracks) {
      if (key === id) group.dataset.chosen = '';
      else delete group.dataset.chosen;
    }
    const [x, y] = this.#projection(this.#tracks.get(id).at);
    const { width, height } = this.svg.getBoundingClientRect();
    this.pan(width / 2 - x, height / 2 - y);
  }

  clear() {
    this.#tracks.clear();
    this.layer.replaceChildren();
    this.trails.replaceChildren();
    this.definitions.replaceChildren();
  }

  #place({ group, trail, at, past }) {
    const [x, y] = this.#projection(at);
    group.setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    const points = [...past, at].map((point) =>
      this.#projection(point)
        .map((n) => n.toFixed(1))
        .join(','),
    );
    trail.setAttribute('d', points.length > 1 ? `M${points.join('L')}` : '');
  }

  draw() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (!width || !height) return;
    this.#projection.fitExtent(
      [
        [0, 0],
        [width, height],
      ],
      this.bay.frame,
    );
    const [x, y] = this.#projection.translate();
    this.#projection
      .scale(this.#projection.scale() * this.#zoom)
      .translate([
        (x - width / 2) * this.#zoom + width / 2 + this.#shift[0],
        (y - height / 2) * this.#zoom + height / 2 + this.#shift[1],
      ]);
    this.#projection.clipExtent([
      [-50, -50],
      [width + 50, height + 50],
    ]);
    const path = geoPath(this.#projection);
    this.gridPath.setAttribute('d', path(this.grid) ?? '');
    this.landPath.setAttribute('d', path(this.bay.land) ?? '');
    for (const { label, at } of this.labels) {
      const [labelX, labelY] = this.#projection(at);
      label.setAttribute('transform', `translate(${labelX.toFixed(1)} ${(labelY + 30).toFixed(1)})`);
    }
    for (const track of this.#tracks.values()) this.#place(track);
  }

  pan(dx, dy) {
    const { width, height } = this.svg.getBoundingClientRect();
    const bound = (value, size) => Math.max(-size * this.#zoom, Math.min(size * this.#zoom, value));
    this.#shift = [bound(this.#shift[0] + dx, width), bound(this.#shift[1] + dy, height)];
    this.draw();
  }

  zoom(factor) {
    const next = Math.max(kZoomMin, Math.min(kZoomMax, this.#zoom * factor));
    this.#shift = this.#shift.map((shift) => (shift * next) / this.#zoom);
    this.#zoom = next;
    this.draw();
  }

  whole() {
    this.#zoom = 1;
    this.#shift = [0, 0];
    this.draw();
  }

  #listen() {
    const keys = {
      ArrowLeft: () => this.pan(kStepPx, 0),
      ArrowRight: () => this.pan(-kStepPx, 0),
      ArrowUp: () => this.pan(0, kStepPx),
      ArrowDown: () => this.pan(0, -kStepPx),
      '+': () => this.zoom(1.4),
      '=': () => this.zoom(1.4),
      '-': () => this.zoom(1 / 1.4),
      0: () => this.whole(),
    };
    this.svg.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
    this.svg.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        this.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2);
      },
      { passive: false },
    );
    this.svg.addEventListener('pointerdown', (event) => this.svg.setPointerCapture(event.pointerId));
    this.svg.addEventListener('pointermove', (event) => {
      if (event.buttons === 1) this.pan(event.movementX, event.movementY);
    });
  }
}

// World-atlas' land seen from above the bay.
export function drawGlobe(svg, land, [lon, lat]) {
  const projection = geoOrthographic()
    .rotate([-lon - 25, -lat + 15])
    .fitExtent(
      [
        [3, 3],
        [117, 117],
      ],
      { type: 'Sphere' },
    );
  const path = geoPath(projection);
  make('path', { class: 'globe-sea', d: path({ type: 'Sphere' }) }, svg);
  make('path', { class: 'globe-land', d: path(feature(land, land.objects.land)) }, svg);
  const [x, y] = projection([lon, lat]);
  make('rect', { class: 'globe-here', x: x - 5, y: y - 4, width: 10, height: 8 }, svg);
}
