// The mission map: a picture of who reaches what, and a table that says the same.
import { useId, useState } from 'react';
import { Drawing } from '../drawing.tsx';
import { useLive } from '../live.ts';
import { Page, Problem, Table, type PageProps } from '../parts.tsx';
import { pictureOf, type Picture } from '../reach.ts';

function ReachTable({ picture }: { picture: Picture }) {
  return (
    <Table
      caption="The same as a table"
      heads={['Nation', 'App or data', 'Marking', 'Reaches', 'Sessions', 'Grants']}
      empty="Nothing belongs to this mission."
    >
      {picture.reaches.map(({ nation, thing, way, sessions, grants }) => (
        <tr key={`${nation} ${thing.id}`} data-reach={`${nation} ${thing.id}`} data-way={way}>
          <th scope="row">{nation}</th>
          <td>
            {thing.name} ({thing.id})
          </td>
          <td>{thing.marking}</td>
          <td>{way}</td>
          <td>{thing.kind === 'app' ? sessions : 'sealed'}</td>
          <td>{thing.kind === 'app' ? grants : 'sealed'}</td>
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
  const domains = useLive('/v1/domains');
  const sessions = useLive('/v1/sessions');
  const grants = useLive('/v1/grants');
  const [chosen, setChosen] = useState('');
  const list = missions.data?.missions ?? [];
  const mission = list.find((one) => one.id === chosen) ?? list[0];
  const problem = [missions, partners, apps, domains, sessions, grants].find((one) => one.problem)?.problem;
  const picture =
    mission && partners.data && apps.data && domains.data && sessions.data && grants.data
      ? pictureOf(mission, { ...partners.data, ...apps.data, ...domains.data, ...sessions.data, ...grants.data, now: Date.now() })
      : undefined;
  return (
    <Page title="Who reaches what" lead="As this node knows it: its own apps, what partners offer to it, who is inside now, and whose people data may be sealed for. Who of them, policies decide each time.">
      <Problem problem={problem} />
      <p>
        <label htmlFor={id}>Mission</label>
        <select id={id} value={mission?.id ?? ''} onChange={(event) => setChosen(event.currentTarget.value)}>
          {list.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}, {one.state === 'ended' ? 'ended' : `${one.phase}, threat ${one.threat}`}
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
