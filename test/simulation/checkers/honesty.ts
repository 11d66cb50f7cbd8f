/** What clients and operators are shown is what happened (I7, I8, protocol §6). */
import { decidedAt, ownerOf, type ParticipantName } from '@concordat/protocol';
import { finished, transactionOf, type Checker, type Remains } from './checker.js';
import type { ClientRecord } from '../history.js';
import { isCalm, type WorldOptions } from '../options.js';

export const honesty: Checker = {
  name: 'honesty',
  holds: 'I7, I8: a client’s answer is what happened in every branch without a manual change',
  complaints: (remains) => {
    const complaints: string[] = [];
    const branches = finished(remains);
    for (const { transaction, told, outcome, deltas } of remains.history.clients) {
      if (!transaction || told === 'unknown') continue;
      const own = branches.filter((one) => one.transaction === transaction);
      const inIt = new Set(
        own.filter((one) => one.committed).map((one) => one.participant as string),
      );
      const touched = new Set(touchedAt(remains, transaction));
      // Of what wrote nothing only the owner knows until its end is on record.
      const stands = remains.registerStore.everDecided(transaction)?.decision;
      if (told === 'committed' && stands === 'abort') {
        const owner = ownerOf(transaction);
        // In one phase that is no excuse, unless it wrote nothing: its participant has the outcome.
        const wroteNothing = [...deltas.values()].every((one) => one === 0);
        const isExcused = decidedAt(transaction)
          ? wroteNothing
          : remains.history.crashedOwners.has(owner);
        if (!isExcused) {
          complaints.push(`${transaction} was reported committed, and an abort was recorded`);
        }
      }
      for (const [name, delta] of deltas) {
        // A plain outcome concerns every branch; a decision only those without manual changes.
        const isExcused = touched.has(name) && (outcome ?? '') !== told;
        if (told === 'committed' && delta !== 0 && !inIt.has(name) && !isExcused) {
          complaints.push(`${transaction} was reported committed but is not in ${name}`);
        }
        if (told === 'aborted' && inIt.has(name) && !touched.has(name)) {
          complaints.push(`${transaction} was reported aborted but is in ${name}`);
        }
      }
    }
    return complaints;
  },
};

function touchedAt({ history }: Remains, transaction: string): string[] {
  return history.handActs
    .filter((one) => transactionOf(one.gid) === transaction)
    .map((one) => one.participant);
}

export const heuristics: Checker = {
  name: 'heuristics',
  holds: 'a branch finished against the decision is recorded with evidence, and no other one is',
  complaints: (remains) => {
    const { registerStore, history, databases, options, house } = remains;
    const complaints: string[] = [];
    for (const { transaction, heuristics: recorded, decision } of registerStore.rows.values()) {
      for (const { branch, participant, evidence } of recorded) {
        const isOwn = [...(databases.get(participant)?.everPrepared ?? [])].some((gid) =>
          gid.endsWith(`${transaction}:${branch}`),
        );
        // Where neither a commit nor the history names a branch, its first reporter is believed.
        const names = house.noted.get(transaction)?.branches ?? [];
        const isKnown = decision === 'commit' || names.some((one) => one.branch === branch);
        if (!isOwn && isKnown) complaints.push(`${transaction} ${branch} is not ${participant}'s`);
        const acts = history.handActs.filter((one) => one.gid.endsWith(`${transaction}:${branch}`));
        const against = decision === 'commit' ? 'committed' : 'rolled-back';
        if (acts.every((one) => one.act === against)) {
          const why =
            acts.length === 0 ? 'it was not changed manually' : `it was only ${against} manually`;
          complaints.push(`${transaction} ${branch}: "${evidence.explanation}", but ${why}`);
        }
      }
    }
    for (const [transaction, { participant }] of registerStore.neverKnown) {
      history.count('neverKnown');
      const { closedBelow = '' } = databases.get(participant) ?? {};
      if (transaction < closedBelow || registerStore.isForgotten(transaction)) continue;
      complaints.push(`${transaction} is recorded as not known, and ${participant} knows it`);
    }
    for (const { gid, participant } of history.handActs) {
      const row = registerStore.everDecided(transactionOf(gid));
      const decision = row?.decision ?? 'abort';
      const store = databases.get(participant);
      const isCommitted = (store?.pruned.get(gid) ?? store?.outcome.get(gid)) === 'branch';
      if (isCommitted === (decision === 'commit')) continue;
      if (row?.heuristics.some((one) => gid.endsWith(`:${one.branch}`))) continue;
      const owner = ownerOf(transactionOf(gid));
      // No process asks about a branch that is not prepared any more: once its owner has died, a presumed
      // abort is not delivered, and what died with a participant is in its log only. With housekeeping its
      // outcome row is compared for as long as both sides keep it, whichever process has died.
      const isCompared = options.house && isCommitted;
      const isKnownLimit = isCompared
        ? isForgottenUnmet(remains, gid, participant)
        : decision === 'abort' &&
          (history.crashedOwners.has(owner) || history.crashedParticipants.has(participant));
      const isTombstonePruned = !isCommitted && (store?.pruned.has(gid) ?? false);
      if (isKnownLimit || isTombstonePruned) history.count('heuristicsUnnoticed');
      else
        complaints.push(
          `${gid} at ${participant} ended against ${decision}, and no record shows it`,
        );
    }
    return complaints;
  },
};

/**
 * Whether one side forgot the branch before any pass came through: no pass that began after the branch was
 * committed manually, and ended before that, says that it compared its participant completely and leaves it
 * out.
 */
function isForgottenUnmet(remains: Remains, gid: string, participant: ParticipantName): boolean {
  const { history, databases } = remains;
  const { marks, compared } = history;
  const passedAt = marks.find(({ mark }) => mark > transactionOf(gid))?.at ?? Infinity;
  const prunedAt = databases.get(participant)?.prunedAt.get(gid) ?? Infinity;
  const forgottenAt = Math.min(passedAt, prunedAt);
  if (forgottenAt === Infinity) return false;
  const committedAt = history.actOn(gid)?.at ?? 0;
  return !compared.some(
    ({ begunAt, endedAt, participants, open }) =>
      begunAt >= committedAt &&
      endedAt < forgottenAt &&
      participants.includes(participant) &&
      !open.includes(gid),
  );
}

export const noNeedlessAborts: Checker = {
  name: 'no needless aborts',
  holds: 'I4: where nothing fails and no branch refuses everything commits, with any clocks',
  complaints: ({ options, history }) =>
    isCalm(options)
      ? history.clients
          .filter((one) => one.told !== 'committed' && !isExcused(one, options))
          .map((one) => `${one.transaction ?? 'a request'} is ${one.told} though nothing failed`)
      : [],
};

/**
 * Its client changed its mind, or called another instance than the one on which its branch lives; a call
 * that fails otherwise fails for no reason. And a coordinator takes no request before it is on the list: where the
 * register does not fail, that is one call and its answer from its start, and no longer.
 */
function isExcused(
  { gaveUp, isVictim, turnedAwayAtMs }: ClientRecord,
  { registerDelayMsMax, replicas }: WorldOptions,
): boolean {
  // It was in a cycle: that is for another checker to say.
  if (isVictim) return true;
  if (gaveUp === 'branch-elsewhere') return replicas > 1;
  if (gaveUp) return gaveUp === 'mind-changed';
  return turnedAwayAtMs !== undefined && turnedAwayAtMs <= 2 * registerDelayMsMax;
}
