// What was granted and still holds: who cuts a session that stands on a grant sees it come back, until it is taken back.
import { Act } from '../act.tsx';
import { visible } from '../ledger/entry.ts';
import { usePage } from '../live.ts';
import { count, nameOf, Problem, Rest, Table, When, type PageProps } from '../parts.tsx';

const kWords = [{ name: 'words', label: 'A word to whoever it was given to (may be left empty)', optional: true }];

export function Granted({ hello, done }: PageProps) {
  const { data, problem, changed, after, go } = usePage('/v1/grants', done);
  const given = data?.grants.filter(({ state }) => state === 'given');
  return (
    <>
      <h2>Granted now</h2>
      <Problem problem={problem} />
      {given && (
        <Table
          caption={count(given.length, 'grant')}
          heads={['Whom', 'App', 'What for', 'Until', 'Approved by', 'Sessions', 'Act']}
          empty="No grant holds now."
        >
          {given.map((one) => (
            <tr key={one.id} data-grant={one.id}>
              <th scope="row">
                a person of {one.partner} <code className="quiet">{nameOf(one.person)}</code>
              </th>
              <td>
                {one.app}: {one.scope}
              </td>
              <td>{visible(one.purpose)}</td>
              <td>
                <When at={one.end} />
              </td>
              <td>{one.approved_by.join(', ')}</td>
              <td>{one.sessions}</td>
              <td>
                <Act
                  hello={hello}
                  verb="Take back"
                  on={`${one.app} from ${one.partner} ${nameOf(one.person)}`}
                  path={`/v1/grants/${one.id}/revoke`}
                  previews
                  says="The grant ends at once, and the session it opened with it. The person reads your word."
                  wants={kWords}
                  heavy
                  done={changed}
                />
              </td>
            </tr>
          ))}
        </Table>
      )}
      <Rest of={data} after={after} go={go} />
    </>
  );
}
