/**
 * `concordat transfer`: moves money between two ledgers in one transaction, and says what happened.
 * The smallest client there is, and the smoke test of a stack.
 */
import { ConcordatClient, TransactionAborted, type Transaction } from '@concordat/client';

export interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly debit: string;
  readonly credit: string;
  /** Minor units. */
  readonly amount: number;
}

/** Opens an account with a balance unless it is there already. */
export async function openAccount(
  client: ConcordatClient,
  participant: string,
  account: string,
  amount: number,
): Promise<void> {
  try {
    await client.transactions.submit(
      {
        label: `open ${account}`,
        branches: [{ participant, operations: [{ name: 'open', input: { account, amount } }] }],
      },
      { until: 'completed' }, // So that the next statement anywhere sees it.
    );
  } catch (error) {
    const exists = error instanceof TransactionAborted && error.cause?.code === 'ACCOUNT_EXISTS';
    if (!exists) throw error;
  }
}

/** One transfer, both sides or neither. Throws `TransactionAborted` with the cause. */
export function transfer(client: ConcordatClient, what: Transfer): Promise<Transaction> {
  const { from, to, debit, credit, amount } = what;
  return client.transactions.submit({
    label: 'transfer',
    timeoutMs: 10_000,
    branches: [
      { participant: from, operations: [{ name: 'debit', input: { account: debit, amount } }] },
      { participant: to, operations: [{ name: 'credit', input: { account: credit, amount } }] },
    ],
  });
}

/** What a person wants to know of a transfer that committed. */
export function describeTransfer(what: Transfer, done: Transaction): string[] {
  const balance = (participant: string): string => {
    const branch = done.branches.find((one) => one.participant === participant);
    const output = branch?.outputs?.[0] as { balance?: number } | undefined;
    return output?.balance === undefined ? '?' : String(output.balance);
  };
  const { from, to, debit, credit, amount } = what;
  return [
    `transaction ${done.transactionId}: ${done.decision === 'commit' ? 'committed' : done.status}`,
    `  ${from.padEnd(12)} ${debit.padEnd(8)} -${amount}  balance ${balance(from)}`,
    `  ${to.padEnd(12)} ${credit.padEnd(8)} +${amount}  balance ${balance(to)}`,
  ];
}
