/** Each transaction of the bulk work: what would be done, or what came of it. */
import type { OperationItem } from '@concordat/client';
import { Link } from 'wouter';
import { Badge } from '../elements/badge.js';
import { Instant } from '../elements/instant.js';
import { Prose } from '../elements/prose.js';
import { Section } from '../elements/section.js';
import { count } from '../wording/format.js';
import { itemShown } from './wording.js';

export function OperationItems({
  items,
  isPlan,
  total,
  onMore,
}: {
  readonly items: readonly OperationItem[];
  readonly isPlan: boolean;
  readonly total: number;
  readonly onMore: (() => void) | undefined;
}) {
  return (
    <Section
      title={isPlan ? 'The plan' : 'Results'}
      says={`${count(items.length)} of ${count(total)} shown. The selection is frozen.`}
    >
      <div className="table-wrap" tabIndex={0} role="region" aria-label="Items">
        <table className="table table-tight">
          <thead>
            <tr>
              <th scope="col">Transaction</th>
              <th scope="col">{isPlan ? 'Would be' : 'Result'}</th>
              <th scope="col">Detail</th>
              <th scope="col">At</th>
            </tr>
          </thead>
          <tbody>
            {items.map(({ transactionId, result, detail, at }) => (
              <tr key={transactionId}>
                <td>
                  <Link href={`/transactions/${encodeURIComponent(transactionId)}`}>
                    <code>{transactionId}</code>
                  </Link>
                </td>
                <td>
                  <Badge shown={itemShown(result)} />
                </td>
                <td className="wraps">{detail ? <Prose text={detail} /> : null}</td>
                <td>{at ? <Instant at={at} /> : null}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {onMore ? (
        <button type="button" className="button" onClick={onMore}>
          More
        </button>
      ) : null}
    </Section>
  );
}
