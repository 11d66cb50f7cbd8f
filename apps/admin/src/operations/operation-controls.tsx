/**
 * Starts a plan, or cancels what runs. Guards "typed, not clicked": above ten items the count is typed; and
 * "If-Match on every change": what somebody else has started or cancelled meanwhile is looked at again.
 */
import type { AdminOperation } from '@concordat/client';
import { useState, type SyntheticEvent } from 'react';
import { whyMayNot } from '../actions/role.js';
import { change } from '../api/http.js';
import { ProblemNote } from '../elements/problem-note.js';
import { useSession } from '../session/session.js';
import { plural } from '../wording/format.js';
import { operationName } from './wording.js';

export function OperationControls({
  operation,
  onChange,
}: {
  readonly operation: AdminOperation;
  readonly onChange: () => void;
}) {
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const { role } = useSession();
  const { operationId, state, etag } = operation;
  const isOver = state !== 'planned' && state !== 'running';
  if (isOver) return error ? <ProblemNote error={error} /> : null;
  const ask = (verb: 'start' | 'cancel', body: object): void => {
    setBusy(true);
    setError(undefined);
    change(`/operations/${encodeURIComponent(operationId)}/${verb}`, body, { etag })
      .catch(setError)
      .finally(() => {
        setBusy(false);
        onChange();
      });
  };
  return (
    <section className="card controls" aria-label="Start or cancel">
      {state === 'planned' ? (
        <StartForm
          // Typed anew after a change: a confirmation is of what is read now.
          key={etag}
          operation={operation}
          isBusy={isBusy}
          onStart={(confirm) => ask('start', confirm === undefined ? {} : { confirm })}
        />
      ) : (
        <p>It is at work. Cancelling leaves what has not begun as it is.</p>
      )}
      <button
        type="button"
        className="button"
        disabled={isBusy || role === 'viewer'}
        onClick={() => ask('cancel', {})}
      >
        {state === 'planned' ? 'Discard the plan' : 'Cancel'}
      </button>
      {error ? <ProblemNote error={error} /> : null}
    </section>
  );
}

function StartForm({
  operation,
  isBusy,
  onStart,
}: {
  readonly operation: AdminOperation;
  readonly isBusy: boolean;
  readonly onStart: (confirm: string | undefined) => void;
}) {
  const [typed, setTyped] = useState('');
  const { role } = useSession();
  const { confirm, total, action } = operation;
  const missing =
    whyMayNot(role, 'operator') ??
    (confirm !== undefined && typed !== confirm ? `Type ${confirm} to start.` : undefined);
  const start = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (!missing && !isBusy) onStart(confirm);
  };
  return (
    <form className="controls-form" onSubmit={start}>
      <p>
        <strong>Nothing has been done yet.</strong> Starting it will{' '}
        {operationName(action).toLowerCase()}, for {plural(total, 'transaction')}, one by one.
      </p>
      {confirm === undefined ? null : (
        <label className="field">
          <span>
            To confirm, type <code className="asked">{confirm}</code>
          </span>
          <input
            className="input mono"
            inputMode="numeric"
            autoComplete="off"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
      )}
      <button
        type="submit"
        className="button button-primary"
        aria-disabled={missing !== undefined || isBusy}
        aria-describedby="start-says"
      >
        Start
      </button>
      <small id="start-says" className="because" role="status">
        {missing}
      </small>
    </form>
  );
}
