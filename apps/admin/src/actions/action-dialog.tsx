/**
 * Asks what an action needs before it is done: reason, ticket, typed confirmation. Guards "atomicity is never
 * broken by accident": the consequence is spelled out, what was seen is what is acted on, and when it has
 * changed the question is asked again.
 */
import type { ActionResult, AdminTransaction, OfferedAction } from '@concordat/client';
import { useState } from 'react';
import { Dialog } from '../elements/dialog.js';
import { Prose } from '../elements/prose.js';
import { ProblemNote } from '../elements/problem-note.js';
import { idTail } from '../wording/format.js';
import { labelWords } from '../wording/told.js';
import { ChangedNote } from './changed-note.js';
import { changesBetween } from './changes.js';
import { NeedsForm } from './needs-form.js';
import { useAct, type Said } from './use-act.js';
import { actionName, isForce } from './wording.js';

export function ActionDialog({
  detail,
  action,
  onDone,
  onClose,
}: {
  readonly detail: AdminTransaction;
  readonly action: OfferedAction;
  readonly onDone: (result: ActionResult) => void;
  readonly onClose: () => void;
}) {
  // What was on the screen when the dialog opened: live updates behind it change nothing here.
  const [seen, setSeen] = useState(detail);
  const [changes, setChanges] = useState<readonly string[]>([]);
  const act = useAct(seen);
  const offer = offerIn(seen, action);
  const submit = (said: Said): void => {
    void act.run(offer, said).then((acted) => {
      if (acted.kind === 'done') onDone(acted.result);
      if (acted.kind !== 'changed') return;
      setChanges(changesBetween(seen, acted.now));
      setSeen(acted.now);
    });
  };
  const { transaction } = seen;
  const name = actionName(action.action);
  const at = seen.branches.find((one) => one.branch === action.branch)?.participant;
  return (
    <Dialog
      title={at ? `${name} at ${at}` : name}
      tone={isForce(action.action) ? 'danger' : 'calm'}
      onClose={onClose}
    >
      <p className="muted">
        <bdi>{labelWords(transaction.label, 'Transaction')}</bdi>{' '}
        <code>{idTail(transaction.transactionId)}</code>
      </p>
      {changes.length > 0 ? <ChangedNote changes={changes} /> : null}
      {offer.offered ? (
        <NeedsForm
          // Typed again after a change: a confirmation is of what is read now.
          key={seen.etag}
          submitWord={name}
          consequence={offer.consequence}
          needs={offer.needs}
          isDanger={isForce(action.action)}
          isBusy={act.isBusy}
          onSubmit={submit}
          onClose={onClose}
        />
      ) : (
        <p className="note">
          It is not offered any more:{' '}
          <Prose text={offer.because ?? 'the transaction has moved on.'} />
        </p>
      )}
      {act.error ? <ProblemNote error={act.error} /> : null}
    </Dialog>
  );
}

/** The same action as it is offered in what is seen now. */
function offerIn(
  seen: AdminTransaction,
  { action, branch, ...rest }: OfferedAction,
): OfferedAction {
  const same = seen.actions.find((one) => one.action === action && one.branch === branch);
  return same ?? { action, branch, ...rest, offered: false };
}
