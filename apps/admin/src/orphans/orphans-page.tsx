/**
 * Orphans: what the databases and the register say of each other. Guards "finish only as the register
 * says": each shows its evidence, and what may be done follows from it.
 */
import type { AdminOrphanList } from '@concordat/client';
import { useQuery } from '@tanstack/react-query';
import { orphansQuery } from '../api/queries.js';
import { Empty } from '../elements/empty.js';
import { Glyph } from '../elements/glyph.js';
import { Instant } from '../elements/instant.js';
import { ProblemNote } from '../elements/problem-note.js';
import { Skeleton } from '../elements/skeleton.js';
import { PageHead } from '../layout/page-head.js';
import { useLive } from '../live/live.js';
import { OrphanCard } from './orphan-card.js';

export function OrphansPage() {
  const { pollMs } = useLive();
  const { data, error, isPending, refetch } = useQuery({
    ...orphansQuery,
    refetchInterval: pollMs,
  });
  return (
    <>
      <PageHead
        title="Orphans"
        says="Prepared in a database and unknown here, or decided here and lost there."
      >
        {data?.comparedAt ? (
          <span className="muted">
            compared at <Instant at={data.comparedAt} />
          </span>
        ) : null}
      </PageHead>
      {error ? <ProblemNote error={error} onRetry={() => void refetch()} /> : null}
      {isPending ? <Skeleton rows={6} label="Comparing" /> : null}
      {data && data.notCompared.length > 0 ? <NotCompared of={data.notCompared} /> : null}
      {data && data.orphans.length === 0 ? (
        <Empty
          title={data.comparedAt ? 'No orphans were found' : 'Not compared yet'}
          lookedAt={data.comparedAt ?? data.serverTime}
        >
          {!data.comparedAt
            ? 'This coordinator has not compared databases with the register since its start.'
            : data.notCompared.length > 0
              ? 'That holds for the other participants only.'
              : 'Every prepared branch that was seen belongs to a transaction that is known here.'}
        </Empty>
      ) : null}
      <div className="cards">
        {data?.orphans.map((orphan) => (
          <OrphanCard key={`${orphan.participant} ${orphan.gid}`} orphan={orphan} />
        ))}
      </div>
    </>
  );
}

function NotCompared({ of }: { readonly of: AdminOrphanList['notCompared'] }) {
  return (
    <div className="note note-changed" role="status">
      <Glyph name="question" size={16} />
      <div className="note-text">
        {of.map(({ participant, why }) => (
          <p key={participant}>
            <strong>{participant}</strong> could not be compared, so what is prepared there is not
            known: <code>{why}</code>
          </p>
        ))}
      </div>
    </div>
  );
}
