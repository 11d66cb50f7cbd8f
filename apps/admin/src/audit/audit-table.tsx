/**
 * Entries of the audit: who did what, when, why, and what came of it. Guards "nothing is ever deleted":
 * each shows its hash, which holds the one before it.
 */
import type { AuditEntry } from '@concordat/client';
import { Link } from 'wouter';
import { Badge } from '../elements/badge.js';
import { useFold } from '../elements/fold.js';
import { Instant } from '../elements/instant.js';
import { Told } from '../elements/told.js';
import { idTail } from '../wording/format.js';
import { visible } from '../wording/told.js';
import { shownEntries, type ShownEntry } from './phases.js';

export function AuditTable({
  entries,
  empty,
  hideTransaction = false,
  most = Number.POSITIVE_INFINITY,
}: {
  readonly entries: readonly AuditEntry[];
  readonly empty: string;
  readonly hideTransaction?: boolean;
  /** More are folded. */
  readonly most?: number;
}) {
  const { shown, button } = useFold(shownEntries(entries), { most, what: 'entries' });
  if (entries.length === 0) return <p className="muted">{empty}</p>;
  return (
    <div className="table-wrap" tabIndex={0} role="region" aria-label="Audit entries">
      <table className="table table-tight">
        <thead>
          <tr>
            <th scope="col">At</th>
            <th scope="col">Who</th>
            <th scope="col">Action</th>
            <th scope="col">Result</th>
            <th scope="col">Why</th>
            {hideTransaction ? null : <th scope="col">Transaction</th>}
            <th scope="col">Hash</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one) => (
            <AuditRow key={one.entry.auditId} shown={one} hideTransaction={hideTransaction} />
          ))}
        </tbody>
      </table>
      {button}
    </div>
  );
}

function AuditRow({
  shown,
  hideTransaction,
}: {
  readonly shown: ShownEntry;
  readonly hideTransaction: boolean;
}) {
  const { entry, phase, note } = shown;
  const { transactionId, ticket, before, after } = entry;
  return (
    <tr>
      <td>
        <Instant at={entry.at} />
      </td>
      <td>
        <Told text={entry.by} />
        <div className="cell-note">
          {entry.role}
          {entry.from ? ` from ${entry.from}` : ''}
        </div>
      </td>
      <td>
        {entry.action}
        {entry.branch ? <div className="cell-note">branch {entry.branch}</div> : null}
        {entry.gid ? <code className="cell-note">{entry.gid}</code> : null}
      </td>
      <td>
        <Badge shown={phase} />
      </td>
      <td className="wraps">
        {note ? <p className="cell-note">{note}</p> : null}
        {entry.reason ? <Told text={entry.reason} /> : <span className="muted">none given</span>}
        {ticket ? (
          <div className="cell-note">
            ticket <Told text={ticket} />
          </div>
        ) : null}
        {before || after ? <BeforeAfter before={before} after={after} /> : null}
      </td>
      {hideTransaction ? null : (
        <td>
          {transactionId ? (
            <Link href={`/transactions/${encodeURIComponent(transactionId)}`}>
              <code>{idTail(transactionId)}</code>
            </Link>
          ) : (
            <span className="muted">none</span>
          )}
        </td>
      )}
      <td>
        <code className="muted" title={entry.hash}>
          {entry.hash.slice(0, 10)}
        </code>
      </td>
    </tr>
  );
}

function BeforeAfter({ before, after }: Pick<AuditEntry, 'before' | 'after'>) {
  return (
    <details>
      <summary>before and after</summary>
      <pre className="json">{visible(JSON.stringify({ before, after }, null, 2))}</pre>
    </details>
  );
}
