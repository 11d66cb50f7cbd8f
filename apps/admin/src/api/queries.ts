/**
 * What each page asks, as queries with a name. Guards "one truth on the page": everything that shows
 * the same thing shares one cached answer, and live events only say which answer has become old.
 */
import type {
  AdminDoctor,
  AdminListRequest,
  AdminOperationDetail,
  AdminOperationList,
  AdminOrphanList,
  AdminOverview,
  AdminParticipantList,
  AdminTransaction,
  AdminTransactionList,
  AuditPage,
} from '@concordat/client';
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { get } from './http.js';

/** Rows asked for at once: some screens full, and still well under 100 ms to answer and draw. */
export const PAGE_ROWS = 200;

export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: ({ signal }) => get<AdminOverview>('/overview', {}, signal),
});

/** The pages loaded so far. Stays as it is until somebody asks for newer ones: rows do not jump. */
export function pagesQuery(request: AdminListRequest) {
  return infiniteQueryOptions({
    queryKey: ['transactions-pages', request],
    queryFn: ({ pageParam, signal }) => listPage(request, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: AdminTransactionList) => last.nextCursor,
    staleTime: Infinity,
    refetchInterval: false,
    refetchOnReconnect: false,
  });
}

/** The beginning of the list as it is now, to be compared with what is shown. */
export function headQuery(request: AdminListRequest) {
  return queryOptions({
    queryKey: ['transactions-head', request],
    queryFn: ({ signal }) => listPage(request, undefined, signal),
  });
}

function listPage(request: AdminListRequest, cursor: string | undefined, signal: AbortSignal) {
  return get<AdminTransactionList>(
    '/transactions',
    { ...request, limit: PAGE_ROWS, cursor },
    signal,
  );
}

export function transactionQuery(id: string) {
  return queryOptions({
    queryKey: ['transaction', id],
    queryFn: ({ signal }) =>
      get<AdminTransaction>(`/transactions/${encodeURIComponent(id)}`, {}, signal),
  });
}

export const participantsQuery = queryOptions({
  queryKey: ['participants'],
  queryFn: ({ signal }) => get<AdminParticipantList>('/participants', {}, signal),
});

export const orphansQuery = queryOptions({
  queryKey: ['orphans'],
  queryFn: ({ signal }) => get<AdminOrphanList>('/orphans', {}, signal),
});

export const operationsQuery = queryOptions({
  queryKey: ['operations'],
  queryFn: ({ signal }) => get<AdminOperationList>('/operations', {}, signal),
});

export function operationQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: ['operation', id],
    queryFn: ({ pageParam, signal }) =>
      get<AdminOperationDetail>(
        `/operations/${encodeURIComponent(id)}`,
        { cursor: pageParam },
        signal,
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: AdminOperationDetail) => last.nextCursor,
  });
}

export function auditQuery(filter: { transactionId?: string; by?: string }) {
  return infiniteQueryOptions({
    queryKey: ['audit', filter],
    queryFn: ({ pageParam, signal }) =>
      get<AuditPage>('/audit', { ...filter, limit: 100, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: AuditPage) => last.nextCursor,
  });
}

export const doctorQuery = queryOptions({
  queryKey: ['doctor'],
  queryFn: ({ signal }) => get<AdminDoctor>('/doctor', {}, signal),
});
