/** What is said of a transaction in one phase of which no record is left: never that no record means abort. */
import { SystemClock } from '@concordat/channel';
import type { InquiryAnswer, Liveness, TransactionManager } from '@concordat/engine';
import {
  makeTransactionId,
  type ClusterId,
  type Incarnation,
  type ParticipantName,
} from '@concordat/protocol';
import { Identity } from '../platform/identity.js';
import { TransactionLookup } from './transaction-lookup.js';
import type { TransactionRecords } from './transaction-records.js';

const SELF = '6fkr70s7' as Incarnation;
const id = makeTransactionId(1, new Uint8Array(10), SELF, 'ledger' as ParticipantName);

/** Nothing is in memory or on record, and the participant's answer, through the manager, is this. */
function told(answer: InquiryAnswer) {
  const manager = { view: () => undefined, inquire: () => Promise.resolve(answer) };
  const records = { isHistoryBehind: () => false, find: () => Promise.resolve(undefined) };
  const identity = new Identity('c1uster0' as ClusterId, SELF, new SystemClock());
  return new TransactionLookup(
    manager as unknown as TransactionManager,
    {} as Liveness,
    records as unknown as TransactionRecords,
    identity,
  ).find(id);
}

describe('A transaction that its participant decided', () => {
  it('is not known any more past retention, there and here', async () => {
    await expect(told({ kind: 'forgotten' })).rejects.toMatchObject({
      code: 'unknown-or-forgotten',
      message: expect.stringMatching(/at participant ledger.*not known any more/) as string,
    });
  });

  it('is not known now while that does not answer', async () => {
    await expect(told({ kind: 'undecided' })).rejects.toMatchObject({ code: 'not-known-now' });
  });
});
