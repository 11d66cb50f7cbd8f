/** Waits for locks in lines of text: who waits where for what, and who holds it. */
import { counted, durationText, sessionWords, thingWords } from '@concordat/words';
import type {
  Blocker,
  Blocks,
  BranchWaits,
  LockHolder,
  LockWait,
  WaitCycle,
} from '@concordat/client';
import { plain } from '../terminal/text.js';

/** `transaction 01k… (active)`, `session pid 12 of application psql, user alice`. */
export function holderText(holder: LockHolder): string {
  const { kind, transactionId = '', status, gid = '' } = holder;
  if (kind === 'branch')
    return plain(`transaction ${transactionId}${status ? ` (${status})` : ''}`);
  if (kind === 'prepared') return plain(`prepared transaction ${gid}, none of ours`);
  return plain(sessionWords(holder));
}

/** `row (0,7) of account`. */
export const thingText = (thing: LockWait['for']): string => plain(thingWords(thing));

/** What a branch waits for. A branch that waits for nothing has no line. */
export function describeWaits(told: BranchWaits | undefined, serverTime: string): string[] {
  if (!told) return [];
  if (!told.known) return ['whether it waits for a lock is not known'];
  return told.waits.map((wait) => {
    const how = wait.withoutSession ? 'waits without a session, probably for' : 'waits for';
    const ahead = wait.ahead ? `, ${wait.ahead} ahead of it` : '';
    return `${how} ${thingText(wait.for)}, ${heldText(wait)}${ahead} (since ${wait.since}, ${so(wait.since, serverTime)})`;
  });
}

function heldText({ heldBy }: LockWait): string {
  if (heldBy.length === 0) return 'whose holder is not seen';
  return `held by ${heldBy.map(holderText).join(' and ')}`;
}

export function describeBlocks(blocks: Blocks | undefined, serverTime: string): string[] {
  if (!blocks) return [];
  const { sessions, participants, since } = blocks;
  const places = participants.map(plain).join(', ');
  return [
    `blocks ${counted(sessions, 'session')} at ${places} since ${since} (${so(since, serverTime)}, as of ${blocks.asOf})`,
  ];
}

/** A session that belongs to no branch of ours and blocks branches. */
export function describeBlocker(blocker: Blocker, serverTime: string): string {
  const { participant, holder, sessions, transactions, since } = blocker;
  const whose =
    transactions.length > 0
      ? `, of ${transactions.length === 1 ? 'transaction' : 'transactions'} ${transactions.map(plain).join(', ')}`
      : '';
  return `${plain(participant)}: ${holderText(holder)} blocks ${counted(sessions, 'session')} since ${since} (${so(since, serverTime)})${whose}`;
}

/** One line for each wait of a cycle. */
export function describeCycle({ state, at, victim, waits }: WaitCycle): string[] {
  const when = at === undefined ? '' : ` ${at}`;
  const head =
    state === 'waiting'
      ? 'in a cycle of waits'
      : `was in a cycle of waits, broken${when}; ${plain(victim ?? 'one of them')} gave way`;
  return [
    head,
    ...waits.map(
      ({ transactionId, participant, heldBy, relation, row }) =>
        `  ${plain(transactionId)} ${state === 'waiting' ? 'waits' : 'waited'} for ${thingText({ kind: 'transactionid', ...(relation === undefined ? {} : { relation }), ...(row === undefined ? {} : { row }) })} at ${plain(participant)}, held by ${plain(heldBy)}`,
    ),
  ];
}

function so(since: string, serverTime: string): string {
  return `${durationText(Math.max(0, Date.parse(serverTime) - Date.parse(since)))} so far`;
}
