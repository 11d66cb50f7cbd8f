/**
 * One transaction, live. Guards "understood in ten seconds, settled in sixty": why and what next on top,
 * the actions beside it, everything else below.
 */
import { useQuery } from '@tanstack/react-query';
import { transactionQuery } from '../api/queries.js';
import { ActionPanel } from '../actions/action-panel.js';
import { ProblemNote } from '../elements/problem-note.js';
import { Skeleton } from '../elements/skeleton.js';
import { PageHead } from '../layout/page-head.js';
import { useLive } from '../live/live.js';
import { TransactionView } from './transaction-view.js';

const ENDED_POLL_MS = 30_000;

export function TransactionPage({ id }: { readonly id: string }) {
  const { pollMs } = useLive();
  const { data, error, refetch } = useQuery({
    ...transactionQuery(id),
    // One page in sight: asked for more often than the lists, unless it is over.
    refetchInterval: ({ state }) =>
      pollMs && (state.data?.transaction.endedAt ? ENDED_POLL_MS : Math.min(pollMs, 5_000)),
  });
  if (!data) {
    return (
      <>
        <PageHead title="Transaction" says={<code>{id}</code>} />
        {error ? (
          <ProblemNote error={error} onRetry={() => void refetch()} />
        ) : (
          <Skeleton rows={8} label="Loading the transaction" />
        )}
      </>
    );
  }
  return (
    <>
      {error ? <ProblemNote error={error} onRetry={() => void refetch()} /> : null}
      <TransactionView detail={data} actions={<ActionPanel detail={data} />} />
    </>
  );
}
