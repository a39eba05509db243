// Who reaches what in a mission, as this node knows it: pure, for the picture and for the table alike.
import type { AppRow, Grant, Mission, Partner, Session } from './api.ts';

export type Way = 'owns' | 'may ask' | 'granted' | 'inside' | 'shut out';

export interface Reach {
  readonly nation: string;
  readonly app: string;
  readonly way: Way;
  readonly sessions: number;
  readonly grants: number;
}

export interface Picture {
  readonly nations: readonly Pick<Partner, 'code' | 'name' | 'state'>[];
  readonly apps: readonly AppRow[];
  readonly reaches: readonly Reach[];
}

const ownerOf = (app: string) => app.split('/')[0] ?? '';

export function pictureOf(
  mission: Mission,
  all: { partners: readonly Partner[]; apps: readonly AppRow[]; sessions: readonly Session[]; grants: readonly Grant[] },
): Picture {
  const apps = all.apps.filter((app) => app.mission === mission.id);
  const nations = mission.partners.map(
    (code) => all.partners.find((one) => one.code === code) ?? { code, name: code, state: 'active' as const },
  );
  const isOpen = (code: string) => nations.find((one) => one.code === code)?.state === 'active';
  const reaches = apps.flatMap((app) =>
    nations
      .filter(({ code }) => code === ownerOf(app.app) || app.offered_to.includes(code))
      .map(({ code }): Reach => {
        const sessions = all.sessions.filter((one) => one.app === app.app && one.partner === code).length;
        const grants = all.grants.filter(
          (one) => one.app === app.app && one.partner === code && one.state === 'given',
        ).length;
        const shut = !isOpen(code) || !isOpen(ownerOf(app.app));
        const way: Way = shut
          ? 'shut out'
          : sessions > 0
            ? 'inside'
            : grants > 0
              ? 'granted'
              : code === ownerOf(app.app)
                ? 'owns'
                : 'may ask';
        return { nation: code, app: app.app, way, sessions, grants };
      }),
  );
  return { nations, apps, reaches };
}
