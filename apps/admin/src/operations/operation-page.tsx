/**
 * One piece of bulk work: its plan, its start by a typed count, its progress and each result. Guards "the
 * plan is read before it runs" and "409 if the set drifted": what the coordinator refuses is said.
 */
import type { AdminOperationDetail } from '@concordat/client';
import { useInfiniteQuery } from '@tanstack/react-query';
import { operationQuery } from '../api/queries.js';
import { Badge } from '../elements/badge.js';
import { Instant } from '../elements/instant.js';
import { ProblemNote } from '../elements/problem-note.js';
import { Skeleton } from '../elements/skeleton.js';
import { PageHead } from '../layout/page-head.js';
import { useLive } from '../live/live.js';
import { plural } from '../wording/format.js';
import { OperationControls } from './operation-controls.js';
import { OperationItems } from './operation-items.js';
import { Progress } from './progress.js';
import { operationName, operationShown } from './wording.js';

const RUNNING_POLL_MS = 1_000;

export function OperationPage({ id }: { readonly id: string }) {
  const { pollMs } = useLive();
  const query = useInfiniteQuery({
    ...operationQuery(id),
    refetchInterval: ({ state }) =>
      pollMs && (state.data?.pages[0]?.state === 'running' ? RUNNING_POLL_MS : pollMs),
  });
  const pages = query.data?.pages ?? [];
  const operation = pages[0];
  if (!operation) {
    return (
      <>
        <PageHead title="Operation" says={<code>{id}</code>} />
        {query.error ? (
          <ProblemNote error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Skeleton rows={8} label="Loading the operation" />
        )}
      </>
    );
  }
  return (
    <>
      <PageHead
        title={`${operationName(operation.action)}, ${plural(operation.total, 'transaction')}`}
        says={<Origin operation={operation} />}
      >
        <Badge shown={operationShown(operation.state)} strong />
      </PageHead>
      <OperationControls operation={operation} onChange={() => void query.refetch()} />
      <section className="card" aria-label="Progress">
        <Progress operation={operation} />
      </section>
      <OperationItems
        items={pages.flatMap((page) => page.items)}
        isPlan={operation.state === 'planned'}
        total={operation.total}
        onMore={query.hasNextPage ? () => void query.fetchNextPage() : undefined}
      />
    </>
  );
}

function Origin({ operation }: { readonly operation: AdminOperationDetail }) {
  const { by, reason, ticket, createdAt, startedAt, endedAt } = operation;
  return (
    <>
      Planned by {by} at <Instant at={createdAt} />: “{reason}”{ticket ? `, ticket ${ticket}` : ''}
      {startedAt ? (
        <>
          . Started at <Instant at={startedAt} />
        </>
      ) : null}
      {endedAt ? (
        <>
          , ended at <Instant at={endedAt} />
        </>
      ) : null}
    </>
  );
}
