import { Act } from '../act.tsx';
import type { Hello, Release } from '../api.ts';
import { visible } from '../ledger/entry.ts';
import { usePage } from '../live.ts';
import { Approvals, Page, Problem, Rest, When, type PageProps } from '../parts.tsx';

const kWords = [{ name: 'words', label: 'A word to whoever asked (may be left empty)', optional: true }];

// "https://harbor-light.example/attr/handling/value/orcon": handling orcon.
const attributeText = (fqn: string): string => fqn.split('/attr/')[1]?.replace('/value/', ' ') ?? fqn;

interface CardProps {
  readonly hello: Hello;
  readonly one: Release;
  readonly changed: (text: string) => void;
}

function Answers({ hello, one, changed }: CardProps) {
  const on = `${one.object} for ${one.who ?? one.partner}`;
  const path = `/v1/releases/${one.id}`;
  const answer = { hello, on, wants: kWords, body: { seen: one.seen }, done: changed };
  const [rights, whom] = [one.rights.join(', '), one.person ? 'this person' : `all of ${one.partner} who are cleared`];
  if (!one.may_approve && !one.may_end) return <p className="quiet">It is not yours to answer.</p>;
  return (
    <div className="row">
      {one.may_approve && (
        <Act
          {...answer}
          verb="Approve"
          path={`${path}/approve`}
          says={`This object goes to ${whom}, to ${rights}, for ${one.minutes} minutes at most. What they saw stays seen.`}
        />
      )}
      {one.may_end && one.state === 'open' && (
        <Act {...answer} verb="Deny" path={`${path}/deny`} says="Nothing is released. Whoever asked reads your word." />
      )}
      {one.may_end && one.state === 'granted' && (
        <Act
          {...answer}
          verb="Take back"
          path={`${path}/revoke`}
          previews
          says="No key is released by it any more, and what is open by it in a lobby is shut. Whoever asked reads your word."
        />
      )}
    </div>
  );
}

function Card({ hello, one, changed }: CardProps) {
  const asked = one.who === undefined ? one.by : one.who;
  return (
    <li className="card" data-release={one.id} data-state={one.state}>
      <h2>
        {one.marking ?? 'An object'} to {one.person ? `a person of ${one.partner}` : one.partner}
      </h2>
      <dl>
        <dt>Object</dt>
        <dd>{one.object}</dd>
        <dt>It bears</dt>
        <dd data-attributes>{one.attributes?.map(attributeText).join(', ')}</dd>
        <dt>Who asks</dt>
        <dd data-who>{visible(asked)}</dd>
        <dt>What for</dt>
        <dd data-purpose>{visible(one.purpose)}</dd>
        <dt>To do what</dt>
        <dd>{one.rights.join(', ')}</dd>
        <dt>How long</dt>
        <dd>
          {one.until ? (
            <>
              until <When at={one.until} />
            </>
          ) : (
            `${one.minutes} minutes`
          )}
        </dd>
        <dt>Asked</dt>
        <dd>
          <When at={one.asked} />
          {one.state === 'open' && (
            <>
              , over at <When at={one.end} />
            </>
          )}
        </dd>
        <Approvals of={one} />
      </dl>
      <Answers hello={hello} one={one} changed={changed} />
    </li>
  );
}

export function ReleasesPage({ hello, done }: PageProps) {
  const { data, problem, changed, after, go } = usePage('/v1/releases', done);
  const list = (state: string, none: string) => {
    const found = data?.releases.filter((one) => one.state === state);
    return found?.length === 0 ? (
      <p className="quiet">{after || data?.next ? 'None on this part of the list.' : none}</p>
    ) : (
      <ul className="cards">
        {found?.map((one) => (
          <Card key={one.id} hello={hello} one={one} changed={changed} />
        ))}
      </ul>
    );
  };
  return (
    <Page
      title="Releases"
      lead="What is under this nation's originator control, and goes to others than its label names only as you say. Who asks is what their nation says of them; what the object bears is what they say."
    >
      <Problem problem={problem} />
      {list('open', 'Nothing waits for an answer.')}
      <h2>Released now</h2>
      {list('granted', 'Nothing is released onward.')}
      <Rest of={data} after={after} go={go} />
    </Page>
  );
}
