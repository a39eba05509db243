// A change: a button, and a dialog that says what will happen and asks for what the node wants to know.
import { useId, useRef, useState, type SyntheticEvent } from 'react';
import { post, preview, type Hello } from './api.ts';
import { Problem } from './parts.tsx';

export interface Wanted {
  readonly name: string;
  readonly label: string;
  readonly optional?: boolean;
  readonly value?: string;
}
const kReason: readonly Wanted[] = [{ name: 'reason', label: 'Reason, for the record and for whoever it ends' }];

interface ActProps {
  readonly hello: Hello;
  readonly verb: string; // "Suspend"
  readonly on: string; // "XBB"
  readonly path: string;
  readonly says: string; // what will happen
  readonly counts?: string; // path of what the node counts of it before
  readonly wants?: readonly Wanted[];
  readonly body?: Readonly<Record<string, string>>;
  readonly heavy?: boolean;
  readonly done: (text: string) => void;
}

export function Act({ hello, verb, on, path, says, counts, wants = kReason, body = {}, heavy = false, done }: ActProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [problem, setProblem] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const [counted, setCounted] = useState('');
  const act = verb.toLowerCase().replaceAll(' ', '-');

  async function send(event: SyntheticEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy) return;
    const written = new FormData(event.currentTarget);
    const filled = wants.map(({ name }) => [name, String(written.get(name) ?? '').trim()] as const);
    setBusy(true);
    setProblem(undefined);
    try {
      const kept = filled.filter(([name, value]) => value || !wants.find((one) => one.name === name)?.optional);
      const text = await post(hello, path, { ...body, ...Object.fromEntries(kept) });
      dialog.current?.close();
      done(text);
    } catch (error) {
      setProblem(error as Error);
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <button
        type="button"
        className={heavy ? 'heavy' : ''}
        data-act={act}
        data-on={on}
        aria-label={`${verb} ${on}`}
        onClick={() => {
          setProblem(undefined);
          setCounted('');
          if (counts) preview(counts).then(setCounted, setProblem);
          dialog.current?.showModal();
        }}
      >
        {verb}
      </button>
      <dialog ref={dialog} aria-labelledby={`${id}-title`} aria-describedby={`${id}-says`}>
        <form onSubmit={send}>
          <h2 id={`${id}-title`}>
            {verb} {on}
          </h2>
          <p id={`${id}-says`}>{says}</p>
          {counts && (
            <p role="status" data-counted>
              {counted}
            </p>
          )}
          {wants.map(({ name, label, optional, value }) => (
            <p key={name}>
              <label htmlFor={`${id}-${name}`}>{label}</label>
              <input
                id={`${id}-${name}`}
                name={name}
                defaultValue={value}
                required={!optional}
                maxLength={500}
                autoComplete="off"
              />
            </p>
          ))}
          <Problem problem={problem} />
          <div className="row">
            <button type="submit" className={heavy ? 'heavy' : ''} aria-disabled={busy}>
              {verb}
            </button>
            <button type="button" className="plain" onClick={() => dialog.current?.close()}>
              Leave it
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
