/**
 * Six ways to be stuck, each made by doing the real thing at the right moment. The moment is held
 * open by a row lock: the transaction's other branch waits for it, so the one to be broken has
 * prepared and nothing is decided yet. Guards "nothing is pretended": no row is written for show.
 */
import { randomBytes } from 'node:crypto';
import { TransactionAborted, type ConcordatClient, type Transaction } from '@concordat/client';
import { formatGid, makeBranchId, makeTransactionId, tokenFrom } from '@concordat/protocol';
import type { ClusterId } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import { openAccount } from '../transfer.js';
import {
  connect,
  holdAccount,
  leavePrepared,
  preparedIn,
  rollBackByHand,
  wantAccount,
} from './demo.sql.js';
import { freshName, NARROW_SLOTS, type DemoParticipant, type DemoStage } from './demo-stage.js';

export interface StuckKind {
  readonly title: string;
  /** Brings it about; returns what was done, in a sentence. */
  readonly make: (parts: DemoParts) => Promise<string>;
}

export interface DemoParts {
  readonly stage: DemoStage;
  readonly client: ConcordatClient;
  readonly clusterId: ClusterId;
  /** Called in reverse order when the demonstration ends: puts right what can be put right, and says what. */
  readonly onEnd: (what: string, heal: () => Promise<void>) => void;
}

const BALANCE = 100_000;
const DAY_MS = 86_400_000;
/** Long enough ago to be past any sensible retention. */
const FORGOTTEN_AGO_MS = 400 * DAY_MS;
const PREPARE_TIMEOUT_MS = 30_000;
const TRANSACTION_TIMEOUT_MS = 60_000;
const SLOW_TIMEOUT_MS = 15 * 60_000;

export const STUCK_KINDS: readonly StuckKind[] = [
  { title: 'participant down', make: participantDown },
  { title: 'database down', make: databaseDown },
  { title: 'rolled back manually', make: rolledBackByHand },
  { title: 'orphan', make: orphan },
  { title: 'slots exhausted', make: slotsExhausted },
  { title: 'slow participant', make: slowParticipant },
];

async function participantDown(parts: DemoParts): Promise<string> {
  const { stage, onEnd } = parts;
  onEnd('payments starts again, and its commit arrives', async () => {
    await stage.startService('payments');
    await nothingInDoubt(stage, 'payments');
  });
  const done = await commitAround(parts, 'payments', 'pay order', () =>
    stage.killService('payments'),
  );
  return `${done.transactionId}: payments was killed after its vote; COMMIT is decided`;
}

async function databaseDown(parts: DemoParts): Promise<string> {
  const { stage, onEnd } = parts;
  onEnd('the database of warehouse starts again, and its commit arrives', async () => {
    await stage.startServerOf('warehouse');
    await nothingInDoubt(stage, 'warehouse');
  });
  const done = await commitAround(parts, 'warehouse', 'reserve stock', () =>
    stage.crashServerOf('warehouse'),
  );
  return `${done.transactionId}: the database of warehouse went away after its vote; COMMIT is decided`;
}

async function rolledBackByHand(parts: DemoParts): Promise<string> {
  const { stage } = parts;
  const done = await commitAround(parts, 'loyalty', 'award points', async (gid) => {
    const admin = await connect(stage.adminUrl('loyalty'), 'psql');
    await rollBackByHand(admin, gid);
    await admin.end();
  });
  return `${done.transactionId}: somebody ran ROLLBACK PREPARED at loyalty; COMMIT is decided all the same`;
}

/** Prepared under an id that is past retention, with two sessions that want its row. */
async function orphan(parts: DemoParts): Promise<string> {
  const { stage, client, clusterId, onEnd } = parts;
  const account = freshName('ledger-2025');
  await openAccount(client, 'archive', account, BALANCE);
  const owner = tokenFrom(randomBytes(8));
  const transaction = makeTransactionId(Date.now() - FORGOTTEN_AGO_MS, randomBytes(10), owner);
  const gid = formatGid({ cluster: clusterId, transaction, branch: makeBranchId(1) });
  const session = await connect(stage.url('archive'));
  await leavePrepared(session, gid, account);
  await session.end();
  for (let waiter = 0; waiter < 2; waiter++) {
    onEnd('a session that waits at archive ends', await wantAccount(stage.url('archive'), account));
  }
  return `${gid}: prepared at archive, and so old that its decision is no longer known`;
}

async function slotsExhausted(parts: DemoParts): Promise<string> {
  const { stage, client, onEnd } = parts;
  const account = freshName('voucher');
  await openAccount(client, 'vouchers', account, BALANCE);
  await openAccount(client, 'storefront', account, BALANCE);
  const foreign = Array.from({ length: NARROW_SLOTS }, () => freshName('somebody-else'));
  onEnd('prepared transactions of others at vouchers are rolled back', () =>
    rollBackForeign(stage),
  );
  for (const gid of foreign) {
    const held = freshName('held');
    await openAccount(client, 'vouchers', held, BALANCE);
    const session = await connect(stage.url('vouchers'));
    await leavePrepared(session, gid, held);
    await session.end();
  }
  try {
    await client.transactions.submit(transferOf('redeem voucher', 'vouchers', account, account));
  } catch (error) {
    if (!(error instanceof TransactionAborted)) throw error;
    const { code, reason } = error.cause;
    return `${error.transactionId}: aborted, ${code ?? error.cause.kind}${reason ? ` (${reason})` : ''}`;
  }
  throw new Error('a participant without a free slot has voted yes');
}

/** Foreign prepared transactions fill the server of vouchers; also those of an earlier run. */
export async function rollBackForeign(stage: DemoStage): Promise<void> {
  const admin = await connect(stage.adminUrl('vouchers'), 'psql');
  for (const gid of await preparedIn(admin)) {
    if (gid.startsWith('somebody-else-')) await rollBackByHand(admin, gid);
  }
  await admin.end();
}

async function slowParticipant(parts: DemoParts): Promise<string> {
  const { stage, client, onEnd } = parts;
  const account = freshName('parcel');
  await openAccount(client, 'shipping', account, BALANCE);
  await openAccount(client, 'storefront', account, BALANCE);
  const release = await holdAccount(stage.url('shipping'), account);
  const request = transferOf('ship order', 'storefront', account, account, 'shipping');
  const submitted: Promise<Transaction>[] = [];
  onEnd('the report at shipping ends, and the transaction that waits for it goes on', async () => {
    await release();
    await Promise.all(submitted);
  });
  const gid = await preparedAfter(stage, 'storefront', () => {
    const patient = { ...request, timeoutMs: SLOW_TIMEOUT_MS };
    submitted.push(told(client.transactions.submit(patient)));
  });
  onEnd(
    'a session that waits at storefront ends',
    await wantAccount(stage.url('storefront'), account),
  );
  return `${gid.split(':')[2] ?? gid}: shipping waits for a row that a report holds; storefront has prepared, holds its locks, and another session waits for them`;
}

/**
 * A transaction of two branches that commits, with something done to one of them between its vote
 * and the decision. Resolves once the decision is on record.
 */
async function commitAround(
  { stage, client }: DemoParts,
  victim: DemoParticipant,
  label: string,
  happen: (gid: string) => Promise<void>,
): Promise<Transaction> {
  const account = freshName(victim);
  await openAccount(client, victim, account, BALANCE);
  await openAccount(client, 'storefront', account, BALANCE);
  const release = await holdAccount(stage.url('storefront'), account);
  const request = transferOf(label, victim, account, account);
  const submitted: Promise<Transaction>[] = [];
  const begin = () => void submitted.push(told(client.transactions.submit(request)));
  try {
    await happen(await preparedAfter(stage, victim, begin));
  } finally {
    await release();
  }
  const [done] = await Promise.all(submitted);
  if (!done) throw new Error('nothing was submitted');
  return done;
}

/** Does `begin` and waits until a branch has prepared at the participant that was not there before. */
async function preparedAfter(
  stage: DemoStage,
  participant: DemoParticipant,
  begin: () => void,
): Promise<string> {
  const session = await connect(stage.url(participant));
  try {
    const before = new Set(await preparedIn(session));
    begin();
    return await waitFor(async () => (await preparedIn(session)).find((gid) => !before.has(gid)), {
      what: `${participant} to prepare`,
      timeoutMs: PREPARE_TIMEOUT_MS,
    });
  } finally {
    await session.end();
  }
}

/** Waits until the decision has arrived at a participant that is back. */
async function nothingInDoubt(stage: DemoStage, participant: DemoParticipant): Promise<void> {
  const session = await connect(stage.url(participant));
  try {
    await waitFor(async () => (await preparedIn(session)).length === 0, {
      what: `the decision to arrive at ${participant}`,
      timeoutMs: PREPARE_TIMEOUT_MS,
    });
  } finally {
    await session.end();
  }
}

/** A promise whose failure goes to a later `await`, and is not reported as unhandled meanwhile. */
function told<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function transferOf(
  label: string,
  from: string,
  debit: string,
  credit: string,
  to: string = 'storefront',
) {
  return {
    label,
    timeoutMs: TRANSACTION_TIMEOUT_MS,
    branches: [
      { participant: from, operations: [{ name: 'debit', input: { account: debit, amount: 1 } }] },
      { participant: to, operations: [{ name: 'credit', input: { account: credit, amount: 1 } }] },
    ],
  };
}
