/**
 * Transactions, the stuck ones first. Guards "an address is a view" and "rows do not jump": the address
 * holds the filter, and new rows wait until somebody asks for them.
 */
import { useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { ProblemNote } from '../elements/problem-note.js';
import { PlanDialog } from '../operations/plan-dialog.js';
import { count, plural } from '../wording/format.js';
import { PageHead } from '../layout/page-head.js';
import { BulkBar } from './bulk-bar.js';
import { FilterBar } from './filter-bar.js';
import { addressOf, filterOfAddress, type ListFilter } from './query.js';
import { Blockers } from '../waits/blockers.js';
import { SAVED_VIEWS } from './saved-views.js';
import { TransactionList } from './transaction-list.js';
import { useTransactionList } from './use-transaction-list.js';

export function TransactionsPage() {
  const search = useSearch();
  const filter = filterOfAddress(new URLSearchParams(search));
  // A list of its own per filter: selection, scrolling and what was loaded begin again.
  return <FilteredPage key={addressOf(filter)} filter={filter} />;
}

function FilteredPage({ filter }: { readonly filter: ListFilter }) {
  const [, navigate] = useLocation();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [planning, setPlanning] = useState<'ids' | 'filter' | undefined>();
  const list = useTransactionList(filter, selected.size > 0);
  const saved = SAVED_VIEWS.find((one) => one.view === filter.view);
  const total = list.count;
  return (
    <>
      <PageHead title="Transactions" says={saved?.says ?? ''}>
        {total ? (
          <span className="muted" role="status">
            {count(total.value)}
            {total.isMore ? '+' : ''} in this view
          </span>
        ) : null}
      </PageHead>
      <FilterBar filter={filter} onChange={(next) => navigate(addressOf(next))} />
      {list.error && list.rows.length === 0 ? (
        <ProblemNote error={list.error} onRetry={list.show} />
      ) : (
        <>
          <Blockers blockers={list.blockers} label="Sessions of others that hold branches up" />
          <NewsBar fresh={list.fresh} left={list.left} onShow={list.show} />
          <TransactionList list={list} saved={saved} selected={selected} onSelect={setSelected} />
        </>
      )}
      <BulkBar
        selected={selected}
        total={total}
        onClear={() => setSelected(new Set())}
        onPlan={setPlanning}
      />
      {planning ? (
        <PlanDialog
          selection={
            planning === 'ids' ? { transactionIds: [...selected] } : { filter: withoutSort(filter) }
          }
          onClose={() => setPlanning(undefined)}
        />
      ) : null}
    </>
  );
}

function withoutSort({ sort: _sort, ...filter }: ListFilter) {
  return filter;
}

function NewsBar({
  fresh,
  left,
  onShow,
}: {
  readonly fresh: number;
  readonly left: number;
  readonly onShow: () => void;
}) {
  const news = [
    ...(fresh > 0 ? [`${count(fresh)} new`] : []),
    ...(left > 0 ? [`${plural(left, 'row')} no longer in this view`] : []),
  ];
  return (
    <div className="news" aria-live="polite">
      {news.length > 0 ? (
        <button type="button" className="button button-small" onClick={onShow}>
          {news.join(', ')}: show
        </button>
      ) : null}
    </div>
  );
}
