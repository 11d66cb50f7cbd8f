/**
 * Orphans: what the databases and the register say of each other. Guards "finish only as the register
 * says": each shows its evidence, and what may be done follows from it.
 */
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
      {data && data.silent.length > 0 ? <Silent names={data.silent} /> : null}
      {data && data.orphans.length === 0 ? (
        <Empty title="No orphans" lookedAt={data.comparedAt ?? data.serverTime}>
          {data.silent.length > 0
            ? 'That holds for the participants that answered.'
            : 'Every prepared branch belongs to a transaction that is known here, and the reverse.'}
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

function Silent({ names }: { readonly names: readonly string[] }) {
  return (
    <div className="note note-changed" role="status">
      <Glyph name="question" size={16} />
      <div className="note-text">
        <strong>{names.join(', ')}</strong> did not answer, so nothing is known of what is prepared
        there.
      </div>
    </div>
  );
}
