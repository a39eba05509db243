// The ledger, checked here and now: what the node serves is believed only as far as it proves itself.
import { useEffect, useState } from 'react';
import { remembered, remember, source } from '../ledger/browser.ts';
import { says, takenBack, visible } from '../ledger/entry.ts';
import { verify, type Findings, type Listed } from '../ledger/verify.ts';
import { Page, Problem, Table, When, type PageProps } from '../parts.tsx';
import { EntryDetails } from './entry.tsx';

interface Checked {
  readonly findings: Findings;
  readonly at: string;
}

function Verdict({ findings, at }: Checked) {
  return (
    <section aria-labelledby="verdict" className={findings.good ? 'proof good' : 'proof bad'} data-ledger={findings.good ? 'good' : 'bad'}>
      <div role={findings.good ? 'status' : 'alert'}>
        <h2 id="verdict">
          {findings.good
            ? 'This ledger verifies'
            : 'THIS LEDGER DOES NOT VERIFY. Believe nothing of what it says, and tell your security officer now'}
        </h2>
        <p>
          Checked at <When at={at} />
          {findings.tree && `, up to its ${findings.tree.checkpoint.size} entries of then`}.
        </p>
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
  const [listed, setListed] = useState<Listed>();
  const [checked, setChecked] = useState<Checked>();
  const [failure, setFailure] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const [chosen, setChosen] = useState<number>();

  // A verdict is about the list that it was reached with: with another list it goes.
  async function run(work: () => Promise<void>) {
    setBusy(true);
    setFailure(undefined);
    setChecked(undefined);
    setChosen(undefined);
    try {
      await work();
    } catch (error) {
      setFailure(error as Error);
    } finally {
      setBusy(false);
    }
  }
  // Looking writes an entry itself: the page looks again when it is told to.
  const look = () => run(async () => setListed(await source.list()));
  const check = () =>
    run(async () => {
      const findings = await verify(source, hello.ledger_key, remembered());
      // What does not hold changes nothing of what this browser knows.
      if (findings.remember) remember(findings.remember);
      if (findings.listed) setListed(findings.listed);
      setChecked({ findings, at: new Date().toISOString() });
    });
  useEffect(() => void look(), []);
  const good = checked?.findings.good ?? false;
  const undone = takenBack(listed?.records ?? []);

  return (
    <Page title="Ledger" lead="Signature, root, history and entries are computed in this browser, from the public files that anybody may keep a copy of. It remembers the last checkpoint that held.">
      <Problem problem={failure} />
      <div className="row">
        <button type="button" data-act="verify" aria-disabled={!listed || busy} onClick={() => listed && !busy && check()}>
          Verify
        </button>
        <button type="button" className="plain" data-act="look-again" aria-disabled={busy} onClick={() => !busy && look()}>
          Look again
        </button>
      </div>
      {checked && <Verdict {...checked} />}
      {chosen !== undefined && <EntryDetails key={chosen} index={chosen} tree={checked?.findings.tree} takenBackBy={undone.get(chosen)} close={() => setChosen(undefined)} />}
      {listed && (
        <Table caption={`The newest ${listed.records.length} of ${listed.size} entries${good ? ', as checked above' : ': not checked, the node\'s word alone'}`} heads={['Entry', 'When', 'What', 'Says']} empty="The ledger is empty.">
          {listed.records.toReversed().map((one) => (
            <tr key={one.index} data-entry={one.index}>
              <th scope="row">
                <button type="button" className="plain" aria-label={`Entry ${one.index}`} onClick={() => setChosen(one.index)}>
                  {one.index}
                </button>
              </th>
              <td>
                {one.time === undefined ? 'not known' : <When at={one.time} />}
              </td>
              <td>{visible(one.class)}</td>
              <td className="says">
                {undone.has(one.index) && <strong data-taken-back={undone.get(one.index)}>Taken back by entry {undone.get(one.index)}, never acted: </strong>}
                {says(one)}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Page>
  );
}
