// Who reaches what in a mission, as this node knows it: pure, for the picture and for the table alike.
import type { AppRow, Domain, Grant, Mission, Partner, Session } from './api.ts';

export type Way = 'owns' | 'may know' | 'granted' | 'inside' | 'shut out';

// An app, or a domain of data.
export interface Thing {
  readonly id: string; // "XAA/cop", "domain/logistics"
  readonly kind: 'app' | 'data';
  readonly name: string;
  readonly owner: string;
  readonly marking: string;
  readonly shared: readonly string[];
  readonly end?: string;
}

export interface Reach {
  readonly nation: string;
  readonly thing: Thing;
  readonly way: Way;
  readonly sessions: number;
  readonly grants: number;
}

export interface Picture {
  readonly nations: readonly Pick<Partner, 'code' | 'name' | 'state'>[];
  readonly things: readonly Thing[];
  readonly reaches: readonly Reach[];
}

export interface Known {
  readonly partners: readonly Partner[];
  readonly apps: readonly AppRow[];
  readonly domains: readonly Domain[];
  readonly sessions: readonly Session[];
  readonly grants: readonly Grant[];
  readonly now?: number; // milliseconds since 1970, for what has an end
}

function thingsOf(mission: Mission, known: Known): Thing[] {
  const apps = known.apps.map(({ app, name, banner, offered_to, end, ...rest }) => {
    const owner = app.split('/')[0] ?? '';
    return { id: app, kind: 'app' as const, name, owner, marking: banner, shared: offered_to, end, mission: rest.mission };
  });
  const domains = known.domains.map(({ id, name, owner, highest, partners, ...rest }) => {
    const marking = `up to ${highest}`;
    return { id: `domain/${id}`, kind: 'data' as const, name, owner, marking, shared: partners, mission: rest.mission };
  });
  return [...apps, ...domains].filter((one) => one.mission === mission.id);
}

export function pictureOf(mission: Mission, known: Known): Picture {
  const things = thingsOf(mission, known);
  const nations = mission.partners.map(
    (code) => known.partners.find((one) => one.code === code) ?? { code, name: code, state: 'active' as const },
  );
  // Of a mission that is over nobody reaches anything, nor of an app that is withdrawn or no longer offered.
  const isPast = (end = '') => known.now !== undefined && Date.parse(end) <= known.now;
  const isOver = (thing: Thing) => mission.state === 'ended' || isPast(thing.end);
  const isOpen = (code: string) => nations.find((one) => one.code === code)?.state === 'active';
  const reach = (nation: string, thing: Thing): Reach => {
    const its = (one: Session | Grant) => one.app === thing.id && one.partner === nation;
    const sessions = known.sessions.filter(its).length;
    const grants = known.grants.filter((one) => its(one) && one.state === 'given').length;
    const open = isOpen(nation) && isOpen(thing.owner) && !isOver(thing);
    const means: Way = sessions > 0 ? 'inside' : grants > 0 ? 'granted' : nation === thing.owner ? 'owns' : 'may know';
    return { nation, thing, way: open ? means : 'shut out', sessions, grants };
  };
  const reaches = things.flatMap((thing) =>
    nations
      .filter(({ code }) => code === thing.owner || thing.shared.includes(code))
      .map(({ code }) => reach(code, thing)),
  );
  return { nations, things, reaches };
}
