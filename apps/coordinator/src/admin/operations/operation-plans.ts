/**
 * Plans a bulk operation: freezes its transactions, the state of each of them, and the expected result.
 * Guards "what was shown is what is done": before a start every waiting item is compared
 * with how it was planned, and one that differs stops the start.
 */
import { entryOf, offeredActions, type Situation } from '@concordat/diagnosis';
import { OPERATION_ITEMS_MAX, type OperationBody } from '@concordat/api';
import {
  OperationStore,
  TransactionReader,
  type OperationAction,
  type OperationRecord,
  type PlannedItem,
} from '@concordat/decision-log';
import { makeTransactionId, type TransactionId } from '@concordat/protocol';
import { Inject, Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { CONFIG, type CoordinatorConfig } from '../../platform/coordinator.config.js';
import { invalidRequest } from '../../problems/problem.js';
import { Identity } from '../../platform/identity.js';
import { readerFilter } from '../transactions/admin-lists.js';
import { etagOf } from '../transactions/situation-tag.js';
import { Situations } from '../transactions/situations.js';

const AT_ONCE = 500;

@Injectable()
export class OperationPlans {
  constructor(
    private readonly reader: TransactionReader,
    private readonly store: OperationStore,
    private readonly situations: Situations,
    private readonly identity: Identity,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
  ) {}

  /** Freezes the selection. Resolves with the operation's id. */
  async plan(body: OperationBody, by: string): Promise<string> {
    const { action, transactionIds, filter = {}, reason, ticket } = body;
    const ids = transactionIds
      ? ([...new Set(transactionIds)] as TransactionId[])
      : await this.matching(filter);
    if (ids.length === 0) {
      const message = 'selects nothing: no transaction matches it now';
      throw invalidRequest([{ field: transactionIds ? 'transactionIds' : 'filter', message }]);
    }
    const found = await this.now(ids);
    const items = ids.map((id) => this.planned(id, found.get(id), action));
    const { clock, incarnation } = this.identity;
    const made = makeTransactionId(clock.wallNow(), randomBytes(10), incarnation);
    const operation = `op-${made.slice(0, 26)}`;
    await this.store.add({
      operation,
      action,
      by,
      reason,
      ...(ticket === undefined ? {} : { ticket }),
      items,
    });
    return operation;
  }

  /** How many of the items that wait are no longer as they were planned. */
  async drifted({ operation }: OperationRecord): Promise<number> {
    let drifted = 0;
    for (let after = 0; ;) {
      const items = await this.store.items(operation, after, AT_ONCE, true);
      const now = await this.now(items.map((one) => one.transaction));
      for (const { transaction, seen } of items) {
        const situation = now.get(transaction);
        if (!situation || etagOf(situation) !== seen) drifted += 1;
      }
      const last = items.at(-1);
      if (!last || items.length < AT_ONCE) return drifted;
      after = last.ordinal;
    }
  }

  /** Why an action is not carried out on a transaction as it is now; undefined when it is. */
  whyNot(situation: Situation, action: OperationAction): string | undefined {
    const entry = this.entry(situation, action);
    return entry?.offered ? undefined : (entry?.because ?? 'It is not offered now.');
  }

  private entry(situation: Situation, action: OperationAction) {
    const name = action === 'retry' ? 'retry' : 'abort';
    return entryOf(offeredActions(situation, this.config), name, undefined);
  }

  private planned(
    transaction: TransactionId,
    situation: Situation | undefined,
    action: OperationAction,
  ): PlannedItem {
    if (!situation) {
      const detail = 'Nothing is known of it.';
      return { transaction, seen: '', result: 'skipped', detail };
    }
    const seen = etagOf(situation);
    const because = this.whyNot(situation, action);
    if (because !== undefined) return { transaction, seen, result: 'skipped', detail: because };
    const detail = this.entry(situation, action)?.consequence;
    return { transaction, seen, result: 'waiting', ...(detail ? { detail } : {}) };
  }

  private async matching(filter: NonNullable<OperationBody['filter']>): Promise<TransactionId[]> {
    const ids: TransactionId[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.reader.list({
        ...readerFilter(filter),
        oldestFirst: true,
        limit: AT_ONCE,
        ...(cursor === undefined ? {} : { cursor }),
      });
      ids.push(...page.transactions.map((one) => one.transaction));
      cursor = page.nextCursor;
    } while (cursor !== undefined && ids.length < OPERATION_ITEMS_MAX);
    return ids.slice(0, OPERATION_ITEMS_MAX);
  }

  private async now(ids: readonly TransactionId[]): Promise<Map<TransactionId, Situation>> {
    const found = new Map<TransactionId, Situation>();
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const summaries = await this.reader.some(ids.slice(at, at + AT_ONCE));
      for (const one of await this.situations.ofSummaries(summaries)) {
        found.set(one.known.transaction, one);
      }
    }
    return found;
  }
}
