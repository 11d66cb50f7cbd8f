/**
 * The rows of a filter, page by page, and what has changed since they were loaded. Guards "rows do not
 * jump": what is new is applied automatically only while the list is not being read.
 */
import type { AdminTransactionList } from '@concordat/client';
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef } from 'react';
import { headQuery, pagesQuery } from '../api/queries.js';
import { useLive } from '../live/live.js';
import { mergeLists, type Merged } from './merge.js';
import type { ListFilter } from './query.js';

export interface ShownList extends Merged {
  readonly count?: AdminTransactionList['count'];
  /** Who holds branches up and is no transaction. */
  readonly blockers: NonNullable<AdminTransactionList['blockers']>;
  readonly isPending: boolean;
  readonly error: unknown;
  readonly hasMore: boolean;
  readonly isLoadingMore: boolean;
  readonly lookedAt?: string;
  loadMore(): void;
  /** Shows the list as it is now, from its beginning. */
  show(): void;
  /** Says whether somebody is reading the rows: pointer over them, focus in them, or scrolled. */
  setReading(reading: boolean): void;
}

export function useTransactionList(filter: ListFilter, isHeld: boolean): ShownList {
  const queries = useQueryClient();
  const { pollMs } = useLive();
  const reading = useRef(false);
  const pages = useInfiniteQuery(pagesQuery(filter));
  const head = useQuery({
    ...headQuery(filter),
    refetchInterval: pollMs,
    // The first page has just been asked for; the head follows when it is old.
    enabled: pages.isSuccess,
    initialData: () => pages.data?.pages[0],
  });
  const { refetch } = head;
  const apply = useCallback(
    (list: AdminTransactionList) => {
      queries.setQueryData(pagesQuery(filter).queryKey, { pages: [list], pageParams: [undefined] });
    },
    [queries, filter],
  );
  useEffect(() => {
    if (head.data && !reading.current && !isHeld && isNewer(head.data, pages.data?.pages)) {
      apply(head.data);
    }
  }, [head.data, pages.data, isHeld, apply]);
  const show = useCallback(() => {
    window.scrollTo(0, 0);
    void refetch().then(({ data }) => data && apply(data));
  }, [refetch, apply]);
  const setReading = useCallback((next: boolean) => void (reading.current = next), []);
  const merged = useMemo(
    () => mergeLists(pages.data?.pages ?? [], head.data),
    [pages.data, head.data],
  );
  return {
    ...merged,
    count: (head.data ?? pages.data?.pages[0])?.count,
    blockers: (head.data ?? pages.data?.pages[0])?.blockers ?? [],
    isPending: pages.isPending,
    error: pages.error,
    hasMore: pages.hasNextPage,
    isLoadingMore: pages.isFetchingNextPage,
    lookedAt: (head.data ?? pages.data?.pages[0])?.serverTime,
    loadMore: () => void pages.fetchNextPage(),
    show,
    setReading,
  };
}

function isNewer(head: AdminTransactionList, pages?: readonly AdminTransactionList[]): boolean {
  const first = pages?.[0];
  return first !== undefined && Date.parse(head.serverTime) > Date.parse(first.serverTime);
}
