// One entry with all that it says, each field held against the leaf in the tree.
import { useEffect, useRef, useState } from 'react';
import { getEntry } from '../api.ts';
import { NoAnswer } from '../ledger/bytes.ts';
import { canonical, checkDisclosure, visible, type Disclosure } from '../ledger/entry.ts';
import type { Tree } from '../ledger/tiles.ts';
import { Problem } from '../parts.tsx';

interface Shown {
  readonly entry?: Disclosure;
  readonly proof?: 'good' | 'none' | Error; // an error: it does not hold
  readonly problem?: Error;
}

async function look(index: number, tree: Tree | undefined): Promise<Shown> {
  try {
    const entry = await getEntry(index);
    if (entry.index !== index || !Array.isArray(entry.fields)) throw new Error(`What the node shows is not entry ${index}.`);
    if (!tree || index >= tree.checkpoint.size) return { entry, proof: 'none' };
    await checkDisclosure(entry, await tree.entry(index));
    return { entry, proof: 'good' };
  } catch (error) {
    if (error instanceof NoAnswer) return { problem: error };
    // No word of what does not hold is shown as if it were the entry's.
    return { proof: error as Error };
  }
}

interface Props {
  readonly index: number;
  readonly tree: Tree | undefined;
  readonly takenBackBy: number | undefined;
  readonly close: () => void;
}

export function EntryDetails({ index, tree, takenBackBy, close }: Props) {
  const [shown, setShown] = useState<Shown>({});
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  useEffect(() => {
    let current = true;
    look(index, tree).then((found) => current && setShown(found));
    return () => {
      current = false;
    };
  }, [index, tree]);
  const { entry, proof, problem } = shown;
  return (
    <section className={proof instanceof Error ? 'proof bad' : 'proof'} aria-labelledby="entry" data-shown-entry={index}>
      <h2 id="entry" tabIndex={-1} ref={heading}>
        Entry {index}
      </h2>
      <Problem problem={problem} />
      {proof === 'good' && (
        <p role="status" data-proof="good">
          Every field below stands in the leaf, and the leaf stands in the tree.
        </p>
      )}
      {proof === 'none' && <p data-proof="none">Not checked: verify the ledger first, up to this entry.</p>}
      {proof instanceof Error && (
        <p role="alert" data-proof="bad">
          DOES NOT HOLD. {proof.message}
        </p>
      )}
      {takenBackBy !== undefined && (
        <p role="status" data-taken-back={takenBackBy}>
          This never acted: the ledger refused the change at first, and entry {takenBackBy} says that it was taken back.
        </p>
      )}
      <dl>
        {entry?.fields.map(({ name, value }) => (
          <div key={name}>
            <dt>{visible(name)}</dt>
            <dd>{visible(typeof value === 'string' ? value : canonical(value))}</dd>
          </div>
        ))}
      </dl>
      <button type="button" className="plain" onClick={close}>
        Close the entry
      </button>
    </section>
  );
}
