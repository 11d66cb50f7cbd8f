/** Who holds a lock: a transaction of ours leads to its page. */
import type { LockHolder } from '@concordat/client';
import { Link } from 'wouter';
import { idTail } from '../wording/format.js';
import { otherWords } from './wait-words.js';

export function Holder({ holder }: { readonly holder: LockHolder }) {
  const { kind, transactionId, status } = holder;
  if (kind !== 'branch' || transactionId === undefined) return <>{otherWords(holder)}</>;
  return (
    <>
      transaction <TransactionLink id={transactionId} />
      {status ? <span className="muted"> ({status})</span> : null}
    </>
  );
}

export function TransactionLink({ id }: { readonly id: string }) {
  return (
    <Link href={`/transactions/${encodeURIComponent(id)}`} title={id}>
      <code>{idTail(id)}</code>
    </Link>
  );
}
