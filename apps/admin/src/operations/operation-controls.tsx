/**
 * Starts a plan, goes on with what was interrupted, or cancels. Guards "typed, not clicked": above ten
 * items the count is typed; and "If-Match on every change": what somebody else has started or cancelled
 * meanwhile is looked at again.
 */
import type { AdminOperation } from '@concordat/client';
import { useState, type SyntheticEvent } from 'react';
import { whyMayNot } from '../actions/role.js';
import { change } from '../api/http.js';
import { ProblemNote } from '../elements/problem-note.js';
import { useSession } from '../session/session.js';
import { plural } from '../wording/format.js';
import { operationName } from './wording.js';

/** What can still be started or cancelled, and what cancelling it is called. */
const CANCEL: Readonly<Record<string, string>> = {
  planned: 'Discard the plan',
  running: 'Cancel',
  interrupted: 'Leave the rest',
};

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
  if (!(state in CANCEL)) return error ? <ProblemNote error={error} /> : null;
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
      {state === 'running' ? (
        <p>It is at work. Cancelling leaves what has not begun as it is.</p>
      ) : (
        <StartForm
          // Typed again after a change: a confirmation is of what is read now.
          key={etag}
          operation={operation}
          isBusy={isBusy}
          onStart={(confirm) => ask('start', confirm === undefined ? {} : { confirm })}
        />
      )}
      <button
        type="button"
        className="button"
        disabled={isBusy || role === 'viewer'}
        onClick={() => ask('cancel', {})}
      >
        {CANCEL[state]}
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
  const { confirm, total, action, counts, state } = operation;
  const isPlan = state === 'planned';
  const missing =
    whyMayNot(role, 'operator') ??
    (confirm !== undefined && typed !== confirm
      ? `Type ${confirm} to ${isPlan ? 'start' : 'go on'}.`
      : undefined);
  const start = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (!missing && !isBusy) onStart(confirm);
  };
  return (
    <form className="controls-form" onSubmit={start}>
      {isPlan ? (
        <p>
          <strong>Nothing has been done yet.</strong> Starting it will{' '}
          {operationName(action).toLowerCase()}, for {plural(total, 'transaction')}, one by one.
        </p>
      ) : (
        <p>
          <strong>Its coordinator went away.</strong> Going on will{' '}
          {operationName(action).toLowerCase()}, for the {counts.waiting} of{' '}
          {plural(total, 'transaction')} without a result; what has one stays as it is.
        </p>
      )}
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
        {isPlan ? 'Start' : 'Go on'}
      </button>
      <small id="start-says" className="because" role="status">
        {missing}
      </small>
    </form>
  );
}
