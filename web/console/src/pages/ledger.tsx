// The ledger, checked here and now: what the node serves is believed only as far as it proves itself.
import { useState } from 'react';
import type { Entry } from '../api.ts';
import type { PageProps } from '../app.tsx';
import { remembered, remember, source } from '../ledger/browser.ts';
import { verify, type Findings } from '../ledger/verify.ts';
import { useLive } from '../live.ts';
import { Page, Problem, Table, When } from '../parts.tsx';
import { EntryDetails } from './entry.tsx';

function Verdict({ findings }: { findings: Findings }) {
  return (
    <section aria-labelledby="verdict" className={findings.good ? 'proof good' : 'proof bad'} data-ledger={findings.good ? 'good' : 'bad'}>
      <div role={findings.good ? 'status' : 'alert'}>
        <h2 id="verdict">
          {findings.good
            ? 'This ledger verifies'
            : 'THIS LEDGER DOES NOT VERIFY. Believe nothing of what it says, and tell your security officer now'}
        </h2>
      </div>
      <dl>
        {findings.list.map(({ what, good, text }) => (
          <div key={what} data-finding={what} data-good={good}>
            <dt>{what}</dt>
            <dd>
              {good ? 'Holds. ' : 'DOES NOT HOLD. '}
              {text}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function LedgerPage({ hello }: PageProps) {
  // Looking writes an entry itself: the page looks again when it is told to.
  const { data, problem, reload } = useLive('/v1/ledger?last=50', false);
  const [findings, setFindings] = useState<Findings>();
  const [failure, setFailure] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const [chosen, setChosen] = useState<number>();

  async function check(entries: readonly Entry[]) {
    setBusy(true);
    setFailure(undefined);
    try {
      const found = await verify(source, hello.ledger_key, remembered(), entries.map(({ index }) => index));
      // What does not hold changes nothing of what this browser knows.
      if (found.remember) remember(found.remember);
      setFindings(found);
    } catch (error) {
      setFindings(undefined);
      setFailure(error as Error);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Page title="Ledger" lead="Signature, root, history and entries are computed in this browser, from the public files that anybody may keep a copy of. It remembers the last checkpoint that held.">
      <Problem problem={problem ?? failure} />
      <div className="row">
        <button type="button" data-act="verify" aria-disabled={!data || busy} onClick={() => data && !busy && check(data.records)}>
          Verify
        </button>
        <button type="button" className="plain" data-act="look-again" onClick={reload}>
          Look again
        </button>
      </div>
      {findings && <Verdict findings={findings} />}
      {chosen !== undefined && <EntryDetails key={chosen} index={chosen} tree={findings?.tree} close={() => setChosen(undefined)} />}
      {data && (
        <Table caption={`The newest ${data.records.length} of ${data.size} entries`} heads={['Entry', 'When', 'What', 'Says']} empty="The ledger is empty.">
          {data.records.toReversed().map((one) => (
            <tr key={one.index} data-entry={one.index}>
              <th scope="row">
                <button type="button" className="plain" aria-label={`Entry ${one.index}`} onClick={() => setChosen(one.index)}>
                  {one.index}
                </button>
              </th>
              <td>
                <When at={one.time} />
              </td>
              <td>{one.class}</td>
              <td className="says">{one.summary}</td>
            </tr>
          ))}
        </Table>
      )}
    </Page>
  );
}
