/**
 * The rows, of which only those in sight are drawn. Guards "10,000 stuck and still smooth", and that the
 * list is a grid for screen readers: how many rows, which one, what is in each cell.
 */
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  type Dispatch,
  type SetStateAction,
} from 'react';
import { Empty } from '../elements/empty.js';
import { Skeleton } from '../elements/skeleton.js';
import type { SavedView } from './saved-views.js';
import { ListHead, Row } from './transaction-row.js';
import type { ShownList } from './use-transaction-list.js';
import { useRowHeight } from './use-row-height.js';

const OVERSCAN = 12;
/** Rows before the end at which the next page is asked for. */
const AHEAD = 80;
const READING_FROM_PX = 240;

interface Props {
  readonly list: ShownList;
  readonly saved: SavedView | undefined;
  readonly selected: ReadonlySet<string>;
  readonly onSelect: Dispatch<SetStateAction<ReadonlySet<string>>>;
}

export function TransactionList({ list, saved, selected, onSelect }: Props) {
  if (list.isPending) return <Skeleton rows={12} label="Loading transactions" />;
  if (list.rows.length === 0 && list.hasMore) return <Searching list={list} />;
  if (list.rows.length === 0) {
    return (
      <Empty title={saved?.empty ?? 'Nothing found'} lookedAt={list.lookedAt}>
        {saved?.view === 'stuck'
          ? 'Every decision has been carried out, or is about to be.'
          : 'No transaction matches the view and the search.'}
      </Empty>
    );
  }
  return <Rows list={list} selected={selected} onSelect={onSelect} />;
}

/** Conditions that seldom meet are searched for piece by piece: nothing found yet is not nothing. */
function Searching({ list }: Pick<Props, 'list'>) {
  const { setReading } = list;
  useMore(list, 0);
  // The list as it is now would begin the search again.
  useEffect(() => {
    setReading(true);
    return () => setReading(false);
  }, [setReading]);
  return (
    <p className="muted" role="status">
      Nothing found so far: searching on …
    </p>
  );
}

function Rows({ list, selected, onSelect }: Omit<Props, 'saved'>) {
  const { rows, hasMore, setReading } = list;
  const body = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  const [active, setActive] = useState<string>();
  const height = useRowHeight();
  useLayoutEffect(() => {
    if (body.current) setMargin(body.current.getBoundingClientRect().top + window.scrollY);
  }, [height]);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => height,
    overscan: OVERSCAN,
    scrollMargin: margin,
    getItemKey: (index) => rows[index]?.transactionId ?? index,
  });
  useEffect(() => virtual.measure(), [virtual, height]);
  const items = virtual.getVirtualItems();
  useMore(list, items.at(-1)?.index ?? 0);
  const reading = useReading(setReading);
  const drawn = new Set(items.map(({ index }) => rows[index]?.transactionId));
  const tabbable = active && drawn.has(active) ? active : rows[items[0]?.index ?? 0]?.transactionId;
  const toggle = useToggle(onSelect);
  return (
    <div
      className="grid"
      role="grid"
      aria-label="Transactions"
      aria-rowcount={hasMore ? -1 : rows.length + 1}
      aria-multiselectable="true"
      {...reading}
    >
      <ListHead />
      <div
        ref={body}
        role="rowgroup"
        className="grid-body"
        style={{ height: virtual.getTotalSize() }}
      >
        {items.map(({ index, start }) => {
          const row = rows[index];
          if (!row) return null;
          return (
            <Row
              key={row.transactionId}
              row={row}
              index={index}
              top={start - margin}
              isTabbable={row.transactionId === tabbable}
              isSelected={selected.has(row.transactionId)}
              onActive={setActive}
              onToggle={toggle}
            />
          );
        })}
      </div>
      {hasMore ? <p className="grid-more muted">Loading more as you scroll …</p> : null}
    </div>
  );
}

/** Asks for the next page before its first row is needed. */
function useMore({ rows, hasMore, isLoadingMore, loadMore }: Props['list'], last: number): void {
  useEffect(() => {
    if (hasMore && !isLoadingMore && last > rows.length - AHEAD) loadMore();
  }, [hasMore, isLoadingMore, last, rows.length, loadMore]);
}

/** Always the same function: a row is drawn again only when it has changed, not with each scrolling. */
function useToggle(onSelect: Props['onSelect']): (id: string) => void {
  return useCallback(
    (id: string) =>
      onSelect((before) => {
        const next = new Set(before);
        if (!next.delete(id)) next.add(id);
        return next;
      }),
    [onSelect],
  );
}

/** Somebody reads while the pointer or the focus is in the list, or it is scrolled. */
function useReading(setReading: (reading: boolean) => void) {
  const state = useRef({ pointer: false, focus: false });
  useEffect(() => {
    const tell = (): void => update(state.current, setReading);
    window.addEventListener('scroll', tell, { passive: true });
    return () => {
      window.removeEventListener('scroll', tell);
      setReading(false);
    };
  }, [setReading]);
  const set = (change: Partial<{ pointer: boolean; focus: boolean }>) => () => {
    Object.assign(state.current, change);
    update(state.current, setReading);
  };
  return {
    onPointerEnter: set({ pointer: true }),
    onPointerLeave: set({ pointer: false }),
    onFocus: set({ focus: true }),
    onBlur: set({ focus: false }),
  };
}

function update(
  { pointer, focus }: { pointer: boolean; focus: boolean },
  setReading: (reading: boolean) => void,
): void {
  setReading(pointer || focus || window.scrollY > READING_FROM_PX);
}
