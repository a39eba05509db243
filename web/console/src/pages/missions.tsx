import { Act } from '../act.tsx';
import { usePage } from '../live.ts';
import { count, Page, Problem, When, type PageProps } from '../parts.tsx';

const kReason = { name: 'reason', label: 'Reason, for the record' };

export function MissionsPage({ hello, done }: PageProps) {
  const { data, problem, changed } = usePage('/v1/missions', done);
  return (
    <Page title="Missions" lead="Phase and threat are facts that policies use: a change regrants and cuts as they say, at once.">
      <Problem problem={problem} />
      <ul className="cards">
        {data?.missions.map((one) => (
          <li key={one.id} className="card" data-mission={one.id}>
            <h2>{one.name}</h2>
            <dl>
              <dt>State</dt>
              <dd>
                {one.state}, <When at={one.start} /> to <When at={one.end} />
              </dd>
              <dt>Phase</dt>
              <dd data-phase>{one.phase}</dd>
              <dt>Threat</dt>
              <dd data-threat>{one.threat}</dd>
              <dt>Nations</dt>
              <dd>{one.partners.join(', ')}</dd>
              <dt>Lead</dt>
              <dd>{one.lead || 'each node for itself'}</dd>
              {one.lead && (
                <>
                  <dt>Known by</dt>
                  <dd>{one.number === 0 ? 'no word was said yet' : one.known_by.join(', ') || 'nobody else yet'}</dd>
                </>
              )}
              <dt>Open now</dt>
              <dd>
                {count(one.sessions, 'session')}, {count(one.grants, 'grant')}, {count(one.requests, 'request')}
              </dd>
            </dl>
            <div className="row">
              {one.state !== 'ended' && (['phase', 'threat'] as const).map((word) => (
                <Act
                  key={word}
                  hello={hello}
                  verb={`Set ${word}`}
                  on={`of ${one.name}`}
                  path={`/v1/missions/${one.id}/${word}`}
                  previews
                  says={`Sessions that policies do not permit under the new ${word} are cut at once.`}
                  wants={[{ name: word, label: `The new ${word}`, value: one[word], oneOf: one[`${word}s`] }, kReason]}
                  done={changed}
                />
              ))}
            </div>
          </li>
        ))}
      </ul>
    </Page>
  );
}
