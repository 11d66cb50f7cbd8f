/**
 * The audit, newest first, and whether its chain holds. Guards "nothing is ever deleted": a broken chain
 * is said at the top, loudly.
 */
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { auditQuery } from '../api/queries.js';
import { Badge } from '../elements/badge.js';
import { Empty } from '../elements/empty.js';
import { ProblemNote } from '../elements/problem-note.js';
import { Skeleton } from '../elements/skeleton.js';
import { PageHead } from '../layout/page-head.js';
import { useLive } from '../live/live.js';
import { AuditTable } from './audit-table.js';

interface Filter {
  readonly transactionId?: string;
  readonly by?: string;
}

export function AuditPage() {
  const [filter, setFilter] = useState<Filter>({});
  const { pollMs } = useLive();
  const audit = useInfiniteQuery({ ...auditQuery(filter), refetchInterval: pollMs });
  const pages = audit.data?.pages ?? [];
  const entries = pages.flatMap((page) => page.entries);
  return (
    <>
      <PageHead title="Audit" says="Who did what, when and why. Written before it is done.">
        {pages.length > 0 ? <Chain isIntact={pages.every((page) => page.chainIntact)} /> : null}
      </PageHead>
      <FilterForm onFilter={setFilter} />
      {audit.error ? (
        <ProblemNote error={audit.error} onRetry={() => void audit.refetch()} />
      ) : null}
      {audit.isPending ? <Skeleton rows={8} label="Loading the audit" /> : null}
      {audit.isSuccess && entries.length === 0 ? (
        <Empty title="No actions yet" lookedAt={pages[0]?.serverTime}>
          Every action of a person lands here, with its reason.
        </Empty>
      ) : null}
      {entries.length > 0 ? (
        <div className="card">
          <AuditTable entries={entries} empty="" />
        </div>
      ) : null}
      {audit.hasNextPage ? (
        <button
          type="button"
          className="button"
          disabled={audit.isFetchingNextPage}
          onClick={() => void audit.fetchNextPage()}
        >
          Earlier entries
        </button>
      ) : null}
    </>
  );
}

function Chain({ isIntact }: { readonly isIntact: boolean }) {
  return (
    <Badge
      strong
      shown={
        isIntact
          ? {
              word: 'chain intact',
              tone: 'good',
              glyph: 'check',
              means: 'Every entry shown holds the hash of the one before it.',
            }
          : {
              word: 'chain broken',
              tone: 'heuristic',
              glyph: 'triangle',
              means: 'An entry does not match its hash: the audit was changed behind our back.',
            }
      }
    />
  );
}

function FilterForm({ onFilter }: { readonly onFilter: (filter: Filter) => void }) {
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const given = (name: string): string | undefined =>
      String(form.get(name) ?? '').trim() || undefined;
    onFilter({ transactionId: given('transaction'), by: given('by') });
  };
  return (
    <form className="filter-form" role="search" aria-label="Filter the audit" onSubmit={submit}>
      <label className="field">
        <span>Transaction</span>
        <input className="input" name="transaction" autoComplete="off" spellCheck={false} />
      </label>
      <label className="field">
        <span>Who</span>
        <input className="input" name="by" autoComplete="off" spellCheck={false} />
      </label>
      <button type="submit" className="button">
        Filter
      </button>
    </form>
  );
}
