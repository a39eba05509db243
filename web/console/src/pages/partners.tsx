import { Act } from '../act.tsx';
import type { Partner } from '../api.ts';
import { usePage } from '../live.ts';
import { count, Page, Problem, State, Table, When, type PageProps } from '../parts.tsx';

function Acts({ partner, hello, done }: PageProps & { partner: Partner }) {
  const { code, name, state } = partner;
  const path = `/v1/partners/${code}`;
  const own = { hello, on: code, done };
  const pair = { with: hello.nation };
  if (state === 'isolated')
    return (
      <Act {...own} verb="Rejoin" path={`${path}/rejoin`} body={pair} says={`${name} and ${hello.nation_name} may meet again. Their people must sign in again.`} />
    );
  if (state !== 'active')
    return <Act {...own} verb="Resume" path={`${path}/resume`} says={`${name} is a partner again. Its people must sign in again; nothing opens by itself.`} />;
  return (
    <div className="row">
      <Act {...own} verb="Suspend" path={`${path}/suspend`} previews heavy says={`Everything between this node and ${name} ends at once. Nobody of either gets in until it is resumed.`} />
      <Act {...own} verb="Isolate" path={`${path}/isolate`} body={pair} previews heavy says={`${name} and ${hello.nation_name} lose each other's apps at once. Both keep what they share with others.`} />
    </div>
  );
}

export function PartnersPage({ hello, done }: PageProps) {
  const { data, problem, changed } = usePage('/v1/partners', done);
  return (
    <Page title="Partners" lead="The nations of the coalition as this node knows them.">
      <Problem problem={problem} />
      {data && (
        <Table
          caption={count(data.partners.length, 'nation')}
          heads={['Nation', 'State', 'Link', 'Sessions', 'Member until', 'Reason', 'Act']}
          empty="This node knows no nation."
        >
          {data.partners.map((one) => (
            <tr key={one.code} data-partner={one.code} data-state={one.state}>
              <th scope="row">
                {one.name} ({one.code})
              </th>
              <td>
                <State word={one.state} good={one.state === 'active'} />
              </td>
              <td>{one.link === 'self' ? 'this node' : one.link}</td>
              <td>{one.sessions}</td>
              <td>
                <When at={one.member_until} />
              </td>
              <td>{one.reason || 'none'}</td>
              <td>{one.code === hello.nation ? 'your own' : <Acts partner={one} hello={hello} done={changed} />}</td>
            </tr>
          ))}
        </Table>
      )}
    </Page>
  );
}
