/** How long what is in doubt has been so: bars that are links to the list. */
import { shortDurationText } from '@concordat/words';
import type { AgeBucket } from '@concordat/client';
import { Link } from 'wouter';
import { addressOf } from '../transactions/query.js';
import { count } from '../wording/format.js';

export function AgeHistogram({ buckets }: { readonly buckets: readonly AgeBucket[] | undefined }) {
  if (!buckets) return <p className="quiet-line not-known">Not known: the register is silent.</p>;
  const most = Math.max(1, ...buckets.map((one) => one.count));
  if (buckets.every((one) => one.count === 0)) {
    return <p className="quiet-line muted">No commit on record waits to be delivered.</p>;
  }
  return (
    <ol className="histogram">
      {buckets.map(({ fromMs, count: value }, index) => {
        const next = buckets[index + 1];
        const to = next ? ` to ${shortDurationText(next.fromMs)}` : ' and more';
        const share = value === 0 ? 0 : Math.max(4, (100 * Math.log1p(value)) / Math.log1p(most));
        return (
          <li key={fromMs}>
            <Link href={addressOf({ view: 'in-doubt', olderThan: `${fromMs}ms` })}>
              <span className="histogram-room">
                <span className="histogram-count number">{value > 0 ? count(value) : ''}</span>
                <span className="visually-hidden">{value === 0 ? 'none' : ''} in doubt for </span>
                <span className="histogram-bar" style={{ height: `${share}%` }} />
              </span>
              <span className="histogram-from number">{shortDurationText(fromMs)}</span>
              <span className="visually-hidden">{to}</span>
            </Link>
          </li>
        );
      })}
    </ol>
  );
}
