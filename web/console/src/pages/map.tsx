// The mission map: a picture of who reaches what, and a table that says the same.
import { useId, useState } from 'react';
import type { PageProps } from '../app.tsx';
import { Drawing } from '../drawing.tsx';
import { useLive } from '../live.ts';
import { Page, Problem, Table } from '../parts.tsx';
import { pictureOf, type Picture } from '../reach.ts';

function ReachTable({ picture }: { picture: Picture }) {
  const app = (id: string) => picture.apps.find((one) => one.app === id);
  return (
    <Table caption="The same as a table" heads={['Nation', 'App', 'Marking of its data', 'Reaches', 'Sessions', 'Grants']} empty="No app belongs to this mission.">
      {picture.reaches.map((one) => (
        <tr key={`${one.nation} ${one.app}`} data-reach={`${one.nation} ${one.app}`} data-way={one.way}>
          <th scope="row">{one.nation}</th>
          <td>
            {app(one.app)?.name} ({one.app})
          </td>
          <td>{app(one.app)?.banner}</td>
          <td>{one.way}</td>
          <td>{one.sessions}</td>
          <td>{one.grants}</td>
        </tr>
      ))}
    </Table>
  );
}

export function MapPage(_: PageProps) {
  const id = useId();
  const missions = useLive('/v1/missions');
  const partners = useLive('/v1/partners');
  const apps = useLive('/v1/apps');
  const sessions = useLive('/v1/sessions');
  const grants = useLive('/v1/grants');
  const [chosen, setChosen] = useState('');
  const list = missions.data?.missions ?? [];
  const mission = list.find((one) => one.id === chosen) ?? list[0];
  const problem = [missions, partners, apps, sessions, grants].find((one) => one.problem)?.problem;
  const picture =
    mission && partners.data && apps.data && sessions.data && grants.data
      ? pictureOf(mission, { ...partners.data, ...apps.data, ...sessions.data, ...grants.data })
      : undefined;
  return (
    <Page title="Who reaches what" lead="As this node knows it: its own apps, what partners offer to it, and who is inside now.">
      <Problem problem={problem} />
      <p>
        <label htmlFor={id}>Mission</label>
        <select id={id} value={mission?.id ?? ''} onChange={(event) => setChosen(event.currentTarget.value)}>
          {list.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}, {one.phase}, threat {one.threat}
            </option>
          ))}
        </select>
      </p>
      {mission && picture && (
        <>
          <Drawing title={`Who reaches what in ${mission.name}`} picture={picture} />
          <ReachTable picture={picture} />
        </>
      )}
    </Page>
  );
}
