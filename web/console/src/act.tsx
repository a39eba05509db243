// A change: a button, and a dialog that says what will happen and asks for what the node wants to know.
import { useId, useRef, useState, type SyntheticEvent } from 'react';
import { post, preview, type Hello } from './api.ts';
import { Problem } from './parts.tsx';

export interface Wanted {
  readonly name: string;
  readonly label: string;
  readonly optional?: boolean;
  readonly value?: string;
  readonly oneOf?: readonly string[]; // where the node takes no other
}
const kReason: readonly Wanted[] = [{ name: 'reason', label: 'Reason, for the record and for whoever it ends' }];

interface ActProps {
  readonly hello: Hello;
  readonly verb: string; // "Suspend"
  readonly on: string; // "XBB"
  readonly path: string;
  readonly says: string; // what will happen
  readonly previews?: boolean; // the node says beforehand what it would end
  readonly wants?: readonly Wanted[];
  readonly body?: Readonly<Record<string, string>>;
  readonly heavy?: boolean;
  readonly done: (text: string) => void;
}

export function Act({ hello, verb, on, path, says, previews = false, wants = kReason, body = {}, heavy = false, done }: ActProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [problem, setProblem] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const [counted, setCounted] = useState('');
  const form = useRef<HTMLFormElement>(null);
  const asked = useRef(0);
  const act = verb.toLowerCase().replaceAll(' ', '-');

  // What is filled in is part of the question, but for words; of several answers the last counts.
  const isPart = (name: string): boolean => name !== 'reason' && name !== 'words';
  function look(form: HTMLFormElement) {
    const mine = ++asked.current;
    setProblem(undefined);
    setCounted('');
    const written = new FormData(form);
    const parts = wants.filter(({ name }) => isPart(name)).map(({ name, value }) => ({ name, was: value, is: String(written.get(name)).trim() }));
    if (!previews || parts.some(({ is, was }) => !is || is === was)) return;
    const query = new URLSearchParams({ ...body, ...Object.fromEntries(parts.map(({ name, is }) => [name, is])) });
    const last = <T,>(set: (value: T) => void) => (value: T) => {
      if (mine === asked.current) set(value);
    };
    preview(`${path}/preview?${query}`).then(last(setCounted), last(setProblem));
  }

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
          dialog.current?.showModal();
          if (form.current) look(form.current);
        }}
      >
        {verb}
      </button>
      <dialog ref={dialog} aria-labelledby={`${id}-title`} aria-describedby={`${id}-says`}>
        <form ref={form} onSubmit={send}>
          <h2 id={`${id}-title`}>
            {verb} {on}
          </h2>
          <p id={`${id}-says`}>{says}</p>
          {previews && (
            <p role="status" data-counted>
              {counted}
            </p>
          )}
          {wants.map(({ name, label, optional, value, oneOf }) => (
            <p key={name}>
              <label htmlFor={`${id}-${name}`}>{label}</label>
              {oneOf?.length ? (
                <select
                  id={`${id}-${name}`}
                  name={name}
                  defaultValue={value}
                  onChange={() => isPart(name) && form.current && look(form.current)}
                >
                  {oneOf.map((word) => (
                    <option key={word}>{word}</option>
                  ))}
                </select>
              ) : (
                <input
                  id={`${id}-${name}`}
                  name={name}
                  defaultValue={value}
                  required={!optional}
                  maxLength={500}
                  autoComplete="off"
                  onBlur={() => isPart(name) && form.current && look(form.current)}
                />
              )}
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
