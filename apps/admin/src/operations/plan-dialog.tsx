/**
 * Plans bulk work: what, on which transactions, and why. Guards "the selection is frozen": the plan names
 * what it was made for, and starting it is a step of its own.
 */
import type { AdminOperation, OperationRequestBody } from '@concordat/client';
import { useState, type SyntheticEvent } from 'react';
import { useLocation } from 'wouter';
import { change } from '../api/http.js';
import { Dialog } from '../elements/dialog.js';
import { ProblemNote } from '../elements/problem-note.js';
import { formatQuery } from '../transactions/query.js';
import { plural } from '../wording/format.js';

type Selection = Pick<OperationRequestBody, 'transactionIds' | 'filter'>;
type Action = OperationRequestBody['action'];

const ACTIONS: readonly { action: Action; name: string; says: string }[] = [
  {
    action: 'retry',
    name: 'Retry now',
    says: 'Repeats the decision, at once instead of at the next attempt.',
  },
  {
    action: 'abort-undecided',
    name: 'Abort the undecided',
    says: 'Records an abort where nothing is decided yet. Those that are decided are skipped.',
  },
];

export function PlanDialog({
  selection,
  onClose,
}: {
  readonly selection: Selection;
  readonly onClose: () => void;
}) {
  const [, navigate] = useLocation();
  const [action, setAction] = useState<Action>('retry');
  const [error, setError] = useState<unknown>();
  const [asking, setAsking] = useState(false);
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const reason = String(form.get('reason') ?? '').trim();
    const ticket = String(form.get('ticket') ?? '').trim();
    if (reason === '') return;
    const body: OperationRequestBody = {
      action,
      ...selection,
      reason,
      ...(ticket === '' ? {} : { ticket }),
    };
    setAsking(true);
    setError(undefined);
    change<AdminOperation>('/operations', body)
      .then(({ operationId }) => navigate(`/operations/${encodeURIComponent(operationId)}`))
      .catch(setError)
      .finally(() => setAsking(false));
  };
  return (
    <Dialog title="Plan bulk work" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <p>
          For <strong>{selectionWords(selection)}</strong>, as they are now. Nothing is done yet:
          the plan shows each of them first.
        </p>
        <ActionChoice action={action} onChoose={setAction} />
        <label className="field">
          <span>Reason</span>
          <input className="input" name="reason" required maxLength={500} autoComplete="off" />
        </label>
        <label className="field">
          <span>
            Ticket <span className="muted">(optional)</span>
          </span>
          <input className="input" name="ticket" maxLength={200} autoComplete="off" />
        </label>
        {error ? <ProblemNote error={error} /> : null}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            Not now
          </button>
          <button type="submit" className="button button-primary" disabled={asking}>
            {asking ? 'Planning …' : 'Make the plan'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function ActionChoice({
  action,
  onChoose,
}: {
  readonly action: Action;
  readonly onChoose: (action: Action) => void;
}) {
  return (
    <fieldset className="options">
      <legend>What to do</legend>
      {ACTIONS.map((one) => (
        <label key={one.action} className="option">
          <input
            type="radio"
            name="action"
            checked={action === one.action}
            onChange={() => onChoose(one.action)}
          />
          <span>
            <strong>{one.name}</strong>
            <small className="muted">{one.says}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function selectionWords({ transactionIds, filter }: Selection): string {
  if (transactionIds) return plural(transactionIds.length, 'transaction');
  const words = filter ? formatQuery(filter) : '';
  return `every transaction of the view “${filter?.view ?? 'all'}”${words ? ` that matches ${words}` : ''}`;
}
