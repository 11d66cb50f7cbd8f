/**
 * The form of what an action needs. Guards "typed, not clicked": what must be typed is compared to the
 * letter, and the button says what is still missing.
 */
import type { OfferedAction } from '@concordat/client';
import { useId, useState, type SyntheticEvent } from 'react';
import { Prose } from '../elements/prose.js';
import { useSession } from '../session/session.js';
import { whatIsMissing } from './missing.js';
import type { Said } from './use-act.js';

export interface NeedsFormProps {
  readonly submitWord: string;
  readonly consequence: string;
  readonly needs: OfferedAction['needs'];
  readonly isDanger: boolean;
  readonly isBusy: boolean;
  readonly onSubmit: (said: Said) => void;
  readonly onClose: () => void;
}

export function NeedsForm(props: NeedsFormProps) {
  const { submitWord, consequence, needs, isDanger, isBusy, onSubmit, onClose } = props;
  const [reason, setReason] = useState('');
  const [ticket, setTicket] = useState('');
  const [confirm, setConfirm] = useState('');
  const says = useId();
  const { principal } = useSession();
  const missing = whatIsMissing(needs, { reason, ticket, confirm });
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (missing || isBusy) return;
    onSubmit({
      ...(reason.trim() ? { reason: reason.trim() } : {}),
      ...(ticket.trim() ? { ticket: ticket.trim() } : {}),
      ...(needs.confirm === undefined ? {} : { confirm }),
    });
  };
  return (
    <form className="stack" onSubmit={submit}>
      <p className={`consequence${isDanger ? ' consequence-danger' : ''}`}>
        <Prose text={consequence} />
      </p>
      {needs.reason ? (
        <Field name="Reason" value={reason} onChange={setReason} isRequired isLong />
      ) : null}
      <Field name="Ticket" value={ticket} onChange={setTicket} isRequired={needs.ticket} />
      {needs.confirm === undefined ? null : (
        <ConfirmField asked={needs.confirm} value={confirm} onChange={setConfirm} />
      )}
      <p className="muted">Goes into the audit as {principal}, before it is done.</p>
      <div className="dialog-actions">
        <span id={says} className="muted" role="status">
          {missing}
        </span>
        <button type="button" className="button" onClick={onClose}>
          Not now
        </button>
        <button
          type="submit"
          className={`button ${isDanger ? 'button-danger' : 'button-primary'}`}
          aria-disabled={missing !== undefined || isBusy}
          aria-describedby={says}
        >
          {isBusy ? 'Working …' : submitWord}
        </button>
      </div>
    </form>
  );
}

function Field({
  name,
  value,
  onChange,
  isRequired,
  isLong,
}: {
  readonly name: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly isRequired: boolean;
  readonly isLong?: boolean;
}) {
  const field = {
    className: 'input',
    value,
    required: isRequired,
    autoComplete: 'off',
  };
  return (
    <label className="field">
      <span>
        {name} {isRequired ? null : <span className="muted">(optional)</span>}
      </span>
      {isLong ? (
        <textarea
          {...field}
          rows={2}
          maxLength={500}
          onChange={(event) => onChange(event.target.value)}
        />
      ) : (
        <input {...field} maxLength={200} onChange={(event) => onChange(event.target.value)} />
      )}
    </label>
  );
}

function ConfirmField({
  asked,
  value,
  onChange,
}: {
  readonly asked: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}) {
  return (
    <label className="field">
      <span>
        To confirm, type <code className="asked">{asked}</code>
      </span>
      <input
        className="input mono"
        value={value}
        required
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="off"
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}
