/** What a prepared branch is said to hold, and who is said to wait for it. */
import { WaitPicture } from '@concordat/diagnosis';
import {
  formatGid,
  makeBranchId,
  makeTransactionId,
  type ClusterId,
  type Incarnation,
  type ParticipantName,
} from '@concordat/protocol';
import { preparedResource } from './prepared-resource.js';

const west = 'ledger-west' as ParticipantName;
const transaction = makeTransactionId(1, new Uint8Array(10), 'coordr01' as Incarnation);
const branch = makeBranchId(1);
const gid = formatGid({ cluster: 'clustr01' as ClusterId, transaction, branch });
const alone = { gid, heldMs: 5, xidAge: 1, locks: [], waiters: [], blockedSessions: 0 };
const picture = new WaitPicture([
  {
    ...{ id: '42', participant: west, waiter: { kind: 'session', pid: 42, application: 'psql' } },
    ...{ on: { kind: 'transactionid', relation: 'account' }, sinceMs: 1, heardAtMs: 2 },
    holders: [{ kind: 'branch', transaction, branch, isPrepared: true }],
  },
]);

describe('Who waits for a prepared branch', () => {
  it('is known to be no session where no report knows of one', () => {
    expect(preparedResource(west, alone, new WaitPicture())).not.toHaveProperty('truncated');
  });

  it('is not listed completely where a report of waits knows of more sessions', () => {
    expect(preparedResource(west, alone, picture)).toMatchObject({ waiters: [], truncated: true });
    const seen = { ...alone, waiters: [{ pid: 42 }], blockedSessions: 1 };
    expect(preparedResource(west, seen, picture)).not.toHaveProperty('truncated');
  });
});
