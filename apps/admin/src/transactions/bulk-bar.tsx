/**
 * What can be done with the selected rows. Guards "bulk work is planned first": nothing here acts; it
 * opens a plan, which is shown before it is started.
 */
import type { AdminTransactionList } from '@concordat/client';
import { whyMayNot } from '../actions/role.js';
import { useSession } from '../session/session.js';
import { count, plural } from '../wording/format.js';

export function BulkBar({
  selected,
  total,
  onClear,
  onPlan,
}: {
  readonly selected: ReadonlySet<string>;
  readonly total: AdminTransactionList['count'];
  readonly onClear: () => void;
  readonly onPlan: (what: 'ids' | 'filter') => void;
}) {
  const { role } = useSession();
  if (selected.size === 0) return null;
  const mayNot = whyMayNot(role, 'operator');
  return (
    <div className="bulk" role="region" aria-label="Selected transactions">
      <strong aria-live="polite">{plural(selected.size, 'transaction')} selected</strong>
      <button
        type="button"
        className="button button-primary"
        disabled={mayNot !== undefined}
        onClick={() => onPlan('ids')}
      >
        Plan bulk work …
      </button>
      {total && total.value > selected.size ? (
        <button
          type="button"
          className="button"
          disabled={mayNot !== undefined}
          onClick={() => onPlan('filter')}
        >
          … for all {count(total.value)}
          {total.isMore ? '+' : ''} in this view
        </button>
      ) : null}
      <button type="button" className="button button-quiet" onClick={onClear}>
        Clear
      </button>
      {mayNot ? <span className="muted">Not now. {mayNot}</span> : null}
    </div>
  );
}
