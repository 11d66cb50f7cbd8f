/**
 * Lists of transactions for people on call: saved views, by harm, oldest or newest first. Guards "lists
 * stay fast": a page is read off indexes, and the count of a list, which costs more, is made once for
 * all requests within a few seconds.
 */
import type { Blocker } from '@concordat/diagnosis';
import type { AdminListQuery, AdminTransactionListResource, BlockerResource } from '@concordat/api';
import { TransactionReader, type ListRequest } from '@concordat/decision-log';
import type { ParticipantName, TransactionId } from '@concordat/protocol';
import { Injectable } from '@nestjs/common';
import { answered } from '../../problems/answered.js';
import { blockerResource } from '../../waits/wait-resource.js';
import { Identity } from '../../platform/identity.js';
import { Situations } from './situations.js';
import { rowOf } from './transaction-row.js';

type Filter = Omit<AdminListQuery, 'limit' | 'cursor' | 'sort'>;
type Count = NonNullable<AdminTransactionListResource['count']>;

const COUNT_KEPT_MS = 3_000;
const COUNTS_MAX = 100;

@Injectable()
export class AdminLists {
  private readonly counts = new Map<
    string,
    { readonly atMs: number; readonly asked: Promise<Count> }
  >();

  constructor(
    private readonly reader: TransactionReader,
    private readonly situations: Situations,
    private readonly identity: Identity,
  ) {}

  async list(query: AdminListQuery): Promise<AdminTransactionListResource> {
    const { limit, cursor, sort = presetSort(query), ...filter } = query;
    const isOfStuck = filter.view === 'stuck';
    const blockers = isOfStuck ? await this.situations.blockers() : [];
    const besides = transactionsOf(blockers);
    const harmful = sort === 'harm' ? await this.situations.harmful() : [];
    const asked = this.reader.list({
      ...readerFilter(filter),
      limit,
      // Those that block are found by no index: they are shown before all others, in any order.
      first: [...new Set([...harmful, ...besides])],
      besides,
      oldestFirst: sort !== 'newest',
      ...(cursor === undefined ? {} : { cursor }),
    });
    const [page, count] = await answered(
      Promise.all([asked, cursor === undefined ? this.count(filter) : undefined]),
    );
    const rows = (await this.situations.ofSummaries(page.transactions)).map(rowOf);
    return {
      transactions: rows,
      ...(page.nextCursor === undefined ? {} : { nextCursor: page.nextCursor }),
      ...(count ? { count } : {}),
      ...(isOfStuck && cursor === undefined ? { blockers: othersOf(blockers) } : {}),
      serverTime: new Date(this.identity.clock.wallNow()).toISOString(),
    };
  }

  count(filter: Filter): Promise<Count> {
    const key = JSON.stringify(Object.entries(filter).sort());
    const now = this.identity.clock.now();
    const kept = this.counts.get(key);
    if (kept && now - kept.atMs < COUNT_KEPT_MS) return kept.asked;
    if (this.counts.size >= COUNTS_MAX) this.counts.clear();
    const asked = this.countOf(filter);
    this.counts.set(key, { atMs: now, asked });
    asked.catch(() => this.counts.delete(key));
    return asked;
  }

  private async countOf(filter: Filter): Promise<Count> {
    const blockers = filter.view === 'stuck' ? await this.situations.blockers() : [];
    return this.reader.count(readerFilter(filter), transactionsOf(blockers));
  }
}

function transactionsOf(blockers: readonly Blocker[]): TransactionId[] {
  const ids = blockers.flatMap(({ holder }) =>
    holder.kind === 'branch' ? [holder.transaction] : [],
  );
  return [...new Set(ids)];
}

/** Those that no list of transactions shows. */
function othersOf(blockers: readonly Blocker[]): BlockerResource[] {
  return blockers.filter(({ holder }) => holder.kind !== 'branch').map(blockerResource);
}

/** What does harm first where something waits; what is newest where it is history. */
function presetSort({ view = 'all' }: Filter): 'harm' | 'newest' {
  return view === 'all' || view === 'recent-aborts' ? 'newest' : 'harm';
}

export function readerFilter(filter: Filter): Omit<ListRequest, 'limit' | 'cursor'> {
  const { view, status, participant, label, principal, olderThan, q } = filter;
  return {
    ...(view ? { view } : {}),
    ...(status ? { status } : {}),
    ...(participant ? { participant: participant as ParticipantName } : {}),
    ...(label ? { label } : {}),
    ...(principal ? { principal } : {}),
    ...(olderThan === undefined ? {} : { olderThanMs: olderThan }),
    ...(q ? { idBegins: q } : {}),
  };
}
