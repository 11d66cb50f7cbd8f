/**
 * What may be done with a transaction now, and why not the rest. Guards "protocol truth gates the
 * buttons": the coordinator says what is offered; a button that is not says its reason, in text.
 */
import type { ActionResult, AdminTransaction, OfferedAction } from '@concordat/client';
import { useState } from 'react';
import { ProblemNote } from '../elements/problem-note.js';
import { Prose } from '../elements/prose.js';
import { ActionDialog } from './action-dialog.js';
import { ActionResultNote } from './action-result.js';
import { useAct } from './use-act.js';
import { whyMayNot } from './role.js';
import { useSession } from '../session/session.js';
import { actionName, isForce, isOneClick } from './wording.js';

/** Of actions that are for one branch each, more are folded. */
const EACH_SHOWN = 3;

export function ActionPanel({ detail }: { readonly detail: AdminTransaction }) {
  const [open, setOpen] = useState<OfferedAction>();
  const [result, setResult] = useState<ActionResult>();
  const act = useAct(detail);
  const begin = (action: OfferedAction): void => {
    setResult(undefined);
    if (!isOneClick(action)) return setOpen(action);
    void act.run(action, {}).then((done) => {
      if (done.kind === 'done') setResult(done.result);
      if (done.kind === 'changed') setOpen(action);
    });
  };
  const usual = detail.actions.filter(({ action }) => !isForce(action));
  const each = usual.filter(({ branch }) => branch !== undefined);
  const isMany = each.length > EACH_SHOWN;
  const force = detail.actions.filter(({ action }) => isForce(action));
  const list = (actions: readonly OfferedAction[]) => (
    <ul className="action-list">
      {actions.map((one) => (
        <ActionButton
          key={keyOf(one)}
          action={one}
          detail={detail}
          isBusy={act.isBusy}
          onBegin={begin}
        />
      ))}
    </ul>
  );
  return (
    <section className="actions card" aria-label="Actions">
      <h2>Actions</h2>
      {list(isMany ? usual.filter((one) => !each.includes(one)) : usual)}
      {isMany ? (
        <details className="each">
          <summary>At one of {each.length} branches</summary>
          {list(each)}
        </details>
      ) : null}
      {force.length > 0 ? (
        <details className="force">
          <summary>Against the decision</summary>
          {list(force)}
        </details>
      ) : null}
      <div aria-live="polite">
        {result ? <ActionResultNote result={result} /> : null}
        {act.error && !open ? <ProblemNote error={act.error} /> : null}
      </div>
      {open ? (
        <ActionDialog
          detail={detail}
          action={open}
          onDone={(done) => {
            setOpen(undefined);
            setResult(done);
          }}
          onClose={() => setOpen(undefined)}
        />
      ) : null}
    </section>
  );
}

const keyOf = ({ action, branch }: OfferedAction): string => `${action} ${branch ?? ''}`;

function ActionButton({
  action,
  detail,
  isBusy,
  onBegin,
}: {
  readonly action: OfferedAction;
  readonly detail: AdminTransaction;
  readonly isBusy: boolean;
  readonly onBegin: (action: OfferedAction) => void;
}) {
  const { action: name, branch, consequence, needs } = action;
  const mayNot = whyMayNot(useSession().role, needs.role);
  const offered = action.offered && mayNot === undefined;
  const because = action.offered ? mayNot : action.because;
  const says = `says-${name}-${branch ?? 'all'}`;
  const at = detail.branches.find((one) => one.branch === branch)?.participant;
  const isWhole = name === 'retry' && branch === undefined;
  return (
    <li>
      <button
        type="button"
        className={`button${isForce(name) ? ' button-danger' : isWhole ? ' button-primary' : ''}`}
        // Not `disabled`: a button that cannot be reached cannot be read either.
        aria-disabled={!offered || isBusy}
        aria-describedby={says}
        data-command={isWhole && offered ? 'again' : undefined}
        onClick={() => (offered && !isBusy ? onBegin(action) : undefined)}
      >
        {actionName(name)}
        {at ? ` at ${at}` : ''}
        {isOneClick(action) ? '' : ' …'}
        {isWhole ? <kbd>r</kbd> : null}
      </button>
      <small id={says} className={offered ? 'muted' : 'because'}>
        <Prose text={offered ? consequence : `Not now. ${because ?? 'It is not offered.'}`} />
      </small>
    </li>
  );
}
