// Nations on the left, apps on the right, a line for each way; how strong a line is, is said in words as well.
import { useId } from 'react';
import type { Picture, Reach } from './reach.ts';

const kWidth = 960;
const kRow = 84;
const kBox = { width: 300, height: 60 };
const kTop = 40;
const kWays: Readonly<Record<Reach['way'], string>> = {
  inside: 'inside now',
  granted: 'holds a grant',
  owns: 'owner',
  'may ask': 'knows of it',
  'shut out': 'shut out',
};

const middle = (row: number, rows: number, most: number) => kTop + ((most - rows) / 2 + row + 0.5) * kRow;

function Box({ x, y, title, text, tone }: { x: number; y: number; title: string; text: string; tone: string }) {
  return (
    <g className={`box ${tone}`}>
      <rect x={x} y={y - kBox.height / 2} width={kBox.width} height={kBox.height} rx={6} />
      <text x={x + 14} y={y - 4} className="name">
        {title}
      </text>
      <text x={x + 14} y={y + 18} className="small">
        {text}
      </text>
    </g>
  );
}

function Line({ reach, from, to }: { reach: Reach; from: number; to: number }) {
  const left = kBox.width;
  const right = kWidth - kBox.width;
  const bend = (right - left) / 2;
  const word = reach.sessions > 0 ? `${reach.sessions} inside` : reach.grants > 0 ? `${reach.grants} granted` : '';
  return (
    <g className={`way ${reach.way.replace(' ', '-')}`}>
      <path d={`M${left} ${from} C${left + bend} ${from} ${right - bend} ${to} ${right} ${to}`} />
      {word && (
        <text x={right - 12} y={to - 8} textAnchor="end" className="small">
          {word} from {reach.nation}
        </text>
      )}
    </g>
  );
}

export function Drawing({ title, picture }: { title: string; picture: Picture }) {
  const id = useId();
  const { nations, apps, reaches } = picture;
  const most = Math.max(nations.length, apps.length, 1);
  const ofNation = (code: string) => middle(nations.findIndex((one) => one.code === code), nations.length, most);
  const ofApp = (app: string) => middle(apps.findIndex((one) => one.app === app), apps.length, most);
  // Lines that come to the same app end beside each other.
  const beside = (reach: Reach) => {
    const others = reaches.filter(({ app }) => app === reach.app);
    return (others.indexOf(reach) - (others.length - 1) / 2) * 18;
  };
  return (
    <figure className="drawing">
      <svg viewBox={`0 0 ${kWidth} ${kTop + most * kRow}`} role="img" aria-labelledby={`${id}-title ${id}-desc`}>
        <title id={`${id}-title`}>{title}</title>
        <desc id={`${id}-desc`}>
          {nations.length} nations, {apps.length} apps and {reaches.length} ways between them. The table below says the same.
        </desc>
        <text x={0} y={20} className="head">
          Nations
        </text>
        <text x={kWidth - kBox.width} y={20} className="head">
          Apps and the marking of their data
        </text>
        {reaches.map((one) => (
          <Line key={`${one.nation} ${one.app}`} reach={one} from={ofNation(one.nation)} to={ofApp(one.app) + beside(one)} />
        ))}
        {nations.map((one) => (
          <Box key={one.code} x={0} y={ofNation(one.code)} title={`${one.name} (${one.code})`} text={one.state} tone={one.state} />
        ))}
        {apps.map((one) => (
          <Box key={one.app} x={kWidth - kBox.width} y={ofApp(one.app)} title={one.name} text={one.banner} tone="app" />
        ))}
      </svg>
      <figcaption>
        {Object.entries(kWays).map(([way, words]) => (
          <span key={way} className={`key ${way.replace(' ', '-')}`}>
            {words}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}
