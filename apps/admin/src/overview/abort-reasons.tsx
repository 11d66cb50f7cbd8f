/** Why transactions were aborted, by number. */
import type { AdminOverview } from '@concordat/client';
import { count } from '../wording/format.js';
import { causeWords } from '../wording/status.js';

export function AbortReasons({ reasons }: { readonly reasons: AdminOverview['abortReasons'] }) {
  if (!reasons) return <p className="quiet-line not-known">Not known: the register is silent.</p>;
  const known = reasons.filter((one) => one.count > 0);
  if (known.length === 0) return <p className="quiet-line muted">Nothing was aborted.</p>;
  const most = Math.max(...known.map((one) => one.count));
  return (
    <ul className="reasons">
      {[...known]
        .sort((a, b) => b.count - a.count)
        .map((one) => (
          <li key={one.kind}>
            <span className="reasons-words">{causeWords(one.kind)}</span>
            <span className="reasons-bar" aria-hidden="true">
              <span style={{ width: `${(100 * one.count) / most}%` }} />
            </span>
            <span className="number">{count(one.count)}</span>
          </li>
        ))}
    </ul>
  );
}
