import { Act } from '../act.tsx';
import { usePage } from '../live.ts';
import { count, nameOf, Page, Problem, State, Table, When, Who, type PageProps } from '../parts.tsx';

const kWhose = { local: 'own person, own app', home: "own person, partner's app", host: "partner's person, own app" };

export function SessionsPage({ hello, done }: PageProps) {
  const { data, problem, changed } = usePage('/v1/sessions', done);
  return (
    <Page title="Live sessions" lead="Everybody who is inside an app now, through this node. A session is decided again for as long as it lives.">
      <Problem problem={problem} />
      {data && (
        <Table
          caption={count(data.sessions.length, 'session')}
          heads={['Who', 'App', 'Since', 'Valid until', 'State', 'Why it is permitted', 'Act']}
          empty="Nobody is inside an app now."
        >
          {data.sessions.map((one) => (
            <tr key={one.id} data-session={one.id}>
              <th scope="row">
                <Who of={one} />
                <br />
                <span className="quiet">{kWhose[one.side]}</span>
              </th>
              <td>{one.app}</td>
              <td>
                <When at={one.since} />
              </td>
              <td>
                <When at={one.valid_until} />
              </td>
              <td>
                <State word={one.state} good={one.state === 'live'} />
              </td>
              <td>
                <details>
                  <summary>{one.reasons[0] ?? 'No rule gives a reason.'}</summary>
                  <ul>
                    {one.reasons.slice(1).map((reason) => (
                      <li key={reason}>{reason}</li>
                    ))}
                  </ul>
                  <p className="quiet">Verdict {one.verdict}</p>
                </details>
              </td>
              <td>
                <Act
                  hello={hello}
                  verb="Cut"
                  on={`${one.app} for ${one.who} ${nameOf(one.person)}`}
                  path={`/v1/sessions/${one.id}/cut`}
                  says="The session ends at once. The person reads your reason, and may open the app again while policies permit it."
                  previews
                  heavy
                  done={changed}
                />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Page>
  );
}
