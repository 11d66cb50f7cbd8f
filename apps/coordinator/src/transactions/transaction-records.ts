/**
 * What the decision database holds of transactions, for the REST API. Guards "a client lists its own
 * transactions only", and turns a database that does not answer into a problem that says so.
 */
import type { KnownTransaction } from '@concordat/diagnosis';
import type { ListQuery } from '@concordat/api';
import {
  PostgresHistoryWriter,
  TransactionReader,
  type ListRequest,
  type TransactionFilter,
} from '@concordat/decision-log';
import { Injectable } from '@nestjs/common';
import type { ParticipantName, TransactionId } from '@concordat/protocol';
import { includes } from '../platform/api-key.js';
import type { Principal } from '../access/key-ring.js';
import { Readiness } from '../health/readiness.js';
import { answered } from '../problems/answered.js';
import { forbidden } from '../access/api-key.guard.js';
import { fromRecord } from '../known/known-transaction.js';

const NO_ANSWER =
  'The decision database does not answer, so nothing is known about transactions that are not live here. Ask again.';

export interface RecordPage {
  readonly transactions: readonly KnownTransaction[];
  readonly nextCursor?: string;
}

@Injectable()
export class TransactionRecords {
  constructor(
    private readonly reader: TransactionReader,
    private readonly historyWriter: PostgresHistoryWriter,
    private readonly readiness: Readiness,
  ) {}

  /** Whether this coordinator has noted something that is not written yet. */
  isHistoryBehind(): boolean {
    return this.historyWriter.statistics().pending > 0;
  }

  /** History and register merged, or undefined when neither knows the transaction. */
  async find(id: TransactionId): Promise<KnownTransaction | undefined> {
    this.readiness.assertUp('peers'); // Of two registers neither may be claimed to hold the truth.
    const record = await answered(this.reader.get(id), NO_ANSWER);
    return record && fromRecord(record);
  }

  /** A page, newest first. A client's own only; an operator's filter may name any principal. */
  async list(query: ListQuery, principal: Principal): Promise<RecordPage> {
    const seesAll = includes(principal.scope, 'viewer');
    const asked = query.principal;
    if (!seesAll && asked !== undefined && asked !== principal.id)
      throw forbidden(principal, 'viewer');
    const owner = seesAll ? asked : principal.id;
    const filter: TransactionFilter = {
      ...(query.status ? { status: query.status } : {}),
      ...(query.participant ? { participant: query.participant as ParticipantName } : {}),
      ...(query.label ? { label: query.label } : {}),
      ...(owner ? { principal: owner } : {}),
      ...(query.olderThan === undefined ? {} : { olderThanMs: query.olderThan }),
      ...(query.stuck ? { stuck: true } : {}),
    };
    const request: ListRequest = {
      ...filter,
      limit: query.limit,
      ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
    };
    const page = await answered(this.reader.list(request), NO_ANSWER);
    return {
      transactions: page.transactions.map(fromRecord),
      ...(page.nextCursor === undefined ? {} : { nextCursor: page.nextCursor }),
    };
  }
}
