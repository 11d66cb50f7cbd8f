/**
 * Bulk work, past and running. Guards "bulk work is a resource": it can be looked at, followed and
 * cancelled by anybody who may, not only by the page that began it.
 */
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { operationsQuery } from '../api/queries.js';
import { Badge } from '../elements/badge.js';
import { Empty } from '../elements/empty.js';
import { Instant } from '../elements/instant.js';
import { ProblemNote } from '../elements/problem-note.js';
import { Skeleton } from '../elements/skeleton.js';
import { PageHead } from '../layout/page-head.js';
import { useLive } from '../live/live.js';
import { operationName, operationShown } from './wording.js';
import { Progress } from './progress.js';

export function OperationsPage() {
  const { pollMs } = useLive();
  const { data, error, isPending, refetch } = useQuery({
    ...operationsQuery,
    refetchInterval: pollMs,
  });
  return (
    <>
      <PageHead
        title="Operations"
        says="Bulk work: planned on a frozen selection, then started, followed, or cancelled."
      />
      {error ? <ProblemNote error={error} onRetry={() => void refetch()} /> : null}
      {isPending ? <Skeleton rows={6} label="Loading operations" /> : null}
      {data && data.operations.length === 0 ? (
        <Empty title="No bulk work yet" lookedAt={data.serverTime}>
          Select rows of <Link href="/transactions">Transactions</Link> and plan it there.
        </Empty>
      ) : null}
      <ul className="operations">
        {data?.operations.map((operation) => (
          <li key={operation.operationId}>
            <Link
              href={`/operations/${encodeURIComponent(operation.operationId)}`}
              className="card operation"
              data-row={operation.operationId}
            >
              <span className="operation-head">
                <strong>{operationName(operation.action)}</strong>
                <Badge shown={operationShown(operation.state)} />
                <span className="muted">
                  by {operation.by} at <Instant at={operation.createdAt} />
                </span>
              </span>
              <span className="truncate">{operation.reason}</span>
              <Progress operation={operation} />
            </Link>
          </li>
        ))}
      </ul>
    </>
  );
}
