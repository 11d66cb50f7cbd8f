/** How far bulk work is: a bar, and the same in numbers. */
import type { AdminOperation } from '@concordat/client';
import { count } from '../wording/format.js';

export function Progress({ operation }: { readonly operation: AdminOperation }) {
  const { total, counts } = operation;
  const finished = total - counts.waiting;
  const parts = (['done', 'skipped', 'failed'] as const).filter((name) => counts[name] > 0);
  return (
    <span className="progress">
      <span
        className="progress-bar"
        role="progressbar"
        aria-label="Items with a result"
        aria-valuemin={0}
        aria-valuemax={Math.max(1, total)}
        aria-valuenow={finished}
      >
        {parts.map((name) => (
          <span
            key={name}
            className={`progress-part progress-${name}`}
            style={{ width: `${(100 * counts[name]) / Math.max(1, total)}%` }}
          />
        ))}
      </span>
      <span className="number">
        {count(finished)}/{count(total)}
        {parts.map((name) => `, ${count(counts[name])} ${name}`)}
      </span>
    </span>
  );
}
