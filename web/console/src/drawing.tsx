// Nations on the left, apps and data on the right, a line for each way; how strong a line is, is said in words as well.
import { useId } from 'react';
import type { Picture, Reach, Thing } from './reach.ts';

const kWidth = 960;
const kRow = 88;
const kBox = { width: 300, height: 74 };
const kTop = 40;
const kWays: Readonly<Record<Reach['way'], string>> = {
  inside: 'inside now',
  granted: 'holds a grant',
  owns: 'owner',
  'may know': 'shared with it',
  'shut out': 'shut out',
};

const middle = (row: number, rows: number, most: number) => kTop + ((most - rows) / 2 + row + 0.5) * kRow;

interface BoxProps {
  readonly x: number;
  readonly y: number;
  readonly title: string;
  readonly text: string;
  readonly more?: string;
  readonly tone: string;
}

function Box({ x, y, title, text, more = '', tone }: BoxProps) {
  return (
    <g className={`box ${tone}`}>
      <rect x={x} y={y - kBox.height / 2} width={kBox.width} height={kBox.height} rx={6} />
      <text x={x + 14} y={y - 12} className="name">
        {title}
      </text>
      <text x={x + 14} y={y + 8} className="small">
        {text}
      </text>
      <text x={x + 14} y={y + 27} className="small now">
        {more}
      </text>
    </g>
  );
}

function Line({ reach, from, to }: { reach: Reach; from: number; to: number }) {
  const left = kBox.width;
  const right = kWidth - kBox.width;
  const bend = (right - left) / 2;
  return (
    <path
      className={`way ${reach.way.replace(' ', '-')}`}
      d={`M${left} ${from} C${left + bend} ${from} ${right - bend} ${to} ${right} ${to}`}
    />
  );
}

export function Drawing({ title, picture }: { title: string; picture: Picture }) {
  const id = useId();
  const { nations, things, reaches } = picture;
  const most = Math.max(nations.length, things.length, 1);
  const ofNation = (code: string) => middle(nations.findIndex((one) => one.code === code), nations.length, most);
  const ofThing = (thing: Thing) => middle(things.indexOf(thing), things.length, most);
  const inside = (thing: Thing) => {
    const from = reaches.filter((one) => one.thing === thing && one.sessions > 0);
    return from.length > 0 ? `inside now: ${from.map((one) => `${one.nation} ${one.sessions}`).join(', ')}` : '';
  };
  // Lines that come to the same thing end beside each other.
  const beside = (reach: Reach) => {
    const others = reaches.filter(({ thing }) => thing === reach.thing);
    return (others.indexOf(reach) - (others.length - 1) / 2) * 18;
  };
  return (
    <figure className="drawing">
      <svg viewBox={`0 0 ${kWidth} ${kTop + most * kRow}`} role="img" aria-labelledby={`${id}-title ${id}-desc`}>
        <title id={`${id}-title`}>{title}</title>
        <desc id={`${id}-desc`}>
          {nations.length} nations, {things.length} apps and domains of data, and {reaches.length} ways between them. The table below says the same.
        </desc>
        <text x={0} y={20} className="head">
          Nations
        </text>
        <text x={kWidth - kBox.width} y={20} className="head">
          Apps and data, and their marking
        </text>
        {reaches.map((one) => (
          <Line
            key={`${one.nation} ${one.thing.id}`}
            reach={one}
            from={ofNation(one.nation)}
            to={ofThing(one.thing) + beside(one)}
          />
        ))}
        {nations.map((one) => (
          <Box key={one.code} x={0} y={ofNation(one.code)} title={`${one.name} (${one.code})`} text={one.state} tone={one.state} />
        ))}
        {things.map((one) => (
          <Box
            key={one.id}
            x={kWidth - kBox.width}
            y={ofThing(one)}
            title={one.kind === 'data' ? `Data: ${one.name}` : one.name}
            text={one.marking}
            more={inside(one)}
            tone={one.kind}
          />
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
