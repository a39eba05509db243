import { Act } from '../act.tsx';
import type { Request } from '../api.ts';
import { visible } from '../ledger/entry.ts';
import { usePage } from '../live.ts';
import { Approvals, Page, Problem, Rest, When, Who, type PageProps } from '../parts.tsx';
import { Granted } from './granted.tsx';

const kWords = [{ name: 'words', label: 'A word to whoever asked (may be left empty)', optional: true }];

function Opens({ request }: { request: Request }) {
  const { preview } = request;
  if (!preview) return <>It is not known what a grant would open.</>;
  if (!preview.opens) return <>Nothing: {preview.why_not}</>;
  const duties = preview.obligations.length > 0 ? `, with ${preview.obligations.join(', ')}` : '';
  return (
    <>
      {request.app} for this person until <When at={preview.until} />: {request.scope}
      {duties}
    </>
  );
}

export function RequestsPage({ hello, done }: PageProps) {
  const { data, problem, changed, after, go } = usePage('/v1/requests', done);
  return (
    <Page title="Requests" lead="What people ask for that waits for an answer. You see what approving opens before you press.">
      <Problem problem={problem} />
      {data?.requests.length === 0 && <p className="quiet">Nothing waits for an answer.</p>}
      <ul className="cards">
        {data?.requests.map((one) => (
          <li key={one.id} className="card" data-request={one.id}>
            <h2>
              {one.app} for a person of {one.partner}
            </h2>
            <dl>
              <dt>Who</dt>
              <dd>
                <Who of={one} />
              </dd>
              <dt>What for</dt>
              <dd>{visible(one.purpose)}</dd>
              <dt>How long</dt>
              <dd>{one.minutes} minutes</dd>
              <dt>Asked</dt>
              <dd>
                <When at={one.asked} />, over at <When at={one.end} />
              </dd>
              <dt>Approving opens</dt>
              <dd data-opens>
                <Opens request={one} />
              </dd>
              <Approvals of={one} />
            </dl>
            {one.may_answer ? (
              <div className="row">
                <Act
                  hello={hello}
                  verb="Approve"
                  on={`${one.app} for ${one.who}`}
                  path={`/v1/requests/${one.id}/approve`}
                  says={`It opens ${one.app} (${one.scope}) to this person for ${one.minutes} minutes, and ends by itself.`}
                  wants={kWords}
                  body={{ seen: one.seen }}
                  done={changed}
                />
                <Act
                  hello={hello}
                  verb="Deny"
                  on={`${one.app} for ${one.who}`}
                  path={`/v1/requests/${one.id}/deny`}
                  says="Nothing opens. The person reads your word."
                  wants={kWords}
                  body={{ seen: one.seen }}
                  done={changed}
                />
              </div>
            ) : (
              <p className="quiet">It is not yours to answer.</p>
            )}
          </li>
        ))}
      </ul>
      <Rest of={data} after={after} go={go} />
      <Granted hello={hello} done={done} />
    </Page>
  );
}
