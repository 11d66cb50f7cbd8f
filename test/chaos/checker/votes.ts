/**
 * I3: commit needs a durable vote of every branch, and is on record before any commit is sent.
 * Guards the order of forcing and sending, three times over: by the rows that must be there, by the
 * server's own times of outcome row, decision and COMMIT PREPARED, and by replaying what owners noted
 * through a small machine of its own: the first step that was not allowed is named.
 */
import type { Facts } from './facts.js';
import { placeOf, type JournalRow, type TimelineEntry } from './history.js';
import type { Checker } from './verdict.js';

export const votesBeforeCommit: Checker = function* (facts) {
  for (const [transaction, fate] of facts.fates) {
    const row = facts.decision(transaction);
    for (const { branch, participant, createdAtUs, committedAtUs } of fate.committed) {
      const gid = facts.gid(transaction, branch);
      if (facts.isExplained(gid, 'commit')) continue;
      if (row?.decision !== 'commit') {
        yield `${gid} is committed at ${participant}; ${row?.decision ?? 'nothing'} is on record`;
        continue;
      }
      if (!row.branches.some((one) => one.branch === branch && one.participant === participant)) {
        yield `${gid} is committed at ${participant}, which the decision does not name`;
      }
      if (createdAtUs > row.decidedAtUs) {
        yield `${gid} was at work ${createdAtUs - row.decidedAtUs} µs after commit was decided`;
      }
      if (committedAtUs !== null && committedAtUs < row.decidedAtUs) {
        yield `${gid} was committed ${row.decidedAtUs - committedAtUs} µs before it was decided`;
      }
    }
    if (row?.decision === 'commit') yield* branchesAreThoseThatWrote(facts, transaction);
  }
  for (const journal of facts.journals) yield* replay(facts, journal);
};

/** R is the set of branches asked to change something: none left out, none added. */
function* branchesAreThoseThatWrote(facts: Facts, transaction: string): Iterable<string> {
  const all = facts.gid(transaction, '*');
  const deltas = facts.deltasOf(transaction);
  if (deltas === undefined) {
    yield `${all} is committed, and no client ever asked for it`;
    return;
  }
  const asked = [
    ...new Set(deltas.filter(({ delta }) => delta !== 0).map((one) => one.participant)),
  ].sort();
  const named = (facts.decision(transaction)?.branches ?? []).map((one) => one.participant).sort();
  if (asked.join() === named.join()) return;
  yield `${all} was asked of ${asked.join(', ')} and is decided for ${named.join(', ')}`;
}

interface Told {
  readonly sent: Set<string>;
  readonly votes: Map<string, string>;
  readonly finishSent: Set<string>;
  readonly acknowledged: Set<string>;
  proposed: boolean;
  decision?: string;
}

/** What an owner knows of a transaction before its first step. */
function nothingTold(): Told {
  return {
    sent: new Set(),
    votes: new Map(),
    finishSent: new Set(),
    acknowledged: new Set(),
    proposed: false,
  };
}

function* replay(facts: Facts, journal: JournalRow): Iterable<string> {
  const { timeline, transaction, branches } = journal;
  const step = placeOf(transaction) === undefined ? take : takeAlone;
  // A long timeline loses its middle: nothing can be said of an order with a gap.
  if (timeline.some(({ sequence }, at) => sequence !== at + 1)) return;
  const told = nothingTold();
  for (const entry of timeline) {
    const wrong = step(told, entry, branches);
    if (wrong === undefined) continue;
    const gid = facts.gid(transaction, entry.branch ?? '*');
    yield `${gid}: step ${entry.sequence} (${entry.type}) was not allowed: ${wrong}`;
    return;
  }
}

/** What is wrong with the next step, if anything is. Steps that settle nothing are let through. */
function take(told: Told, entry: TimelineEntry, branches: readonly string[]): string | undefined {
  const { type, branch = '', said = '' } = entry;
  const willing = (one: string): boolean =>
    ['prepared', 'read-only'].includes(told.votes.get(one) ?? '');
  switch (type) {
    case 'prepare-sent':
      if (told.decision) return `${told.decision} was decided already`;
      // One that was lost on its way is said again, while its vote is missing.
      if (told.votes.has(branch)) return 'its vote had come';
      told.sent.add(branch);
      return undefined;
    case 'voted':
      if (!told.sent.has(branch)) return 'it was not asked to prepare';
      if (!told.votes.has(branch)) told.votes.set(branch, said);
      return undefined;
    case 'proposed':
      if (told.decision) return `${told.decision} was decided already`;
      if (!branches.every(willing)) return 'not every branch had voted for it';
      told.proposed = true;
      return undefined;
    case 'decided': {
      if (told.decision) return `${told.decision} was decided already`;
      const isReadOnly = branches.every((one) => told.votes.get(one) === 'read-only');
      if (said === 'commit' && !told.proposed && !isReadOnly) return 'commit was never proposed';
      told.decision = said;
      return undefined;
    }
    case 'commit-sent':
    case 'abort-sent':
      if (`${told.decision ?? 'nothing'}-sent` !== type) {
        return `${told.decision ?? 'nothing'} was decided by then`;
      }
      told.finishSent.add(branch);
      return undefined;
    case 'acknowledged':
      if (!told.finishSent.has(branch)) return 'it had not been sent a decision';
      told.acknowledged.add(branch);
      return undefined;
    case 'ended':
      if (!told.decision) return 'nothing was decided by then';
      return told.decision === 'commit' ? notAllAcknowledged(told) : undefined;
    default:
      return undefined;
  }
}

/**
 * The same in one phase: committed by the vote that says so, by the answer to its question, or read-only; aborted by
 * that answer, or because nothing had been sent. Nothing is proposed.
 */
function takeAlone(
  told: Told,
  entry: TimelineEntry,
  branches: readonly string[],
): string | undefined {
  const { type, branch = '', said = '' } = entry;
  switch (type) {
    case 'voted':
      if (!told.sent.has(branch)) return 'it was not asked to prepare';
      // The first vote counts, and committed at any time.
      if (said === 'committed' || !told.votes.has(branch)) told.votes.set(branch, said);
      return undefined;
    case 'unreached':
      told.votes.set(branch, said || type);
      return undefined;
    case 'settle-sent':
      if (told.decision) return `${told.decision} was decided already`;
      told.finishSent.add(branch);
      return undefined;
    case 'acknowledged':
      if (!told.finishSent.has(branch)) return 'it had not been asked for its tombstone';
      told.votes.set(branch, said);
      return undefined;
    case 'decided': {
      if (told.decision) return `${told.decision} was decided already`;
      const shown = told.votes.get(branches[0] ?? '');
      told.decision = said;
      if (said === 'commit') {
        const isShown = shown === 'committed' || shown === 'read-only';
        return isShown ? undefined : 'its participant had not said so';
      }
      const isNowhere = told.sent.size === 0 || shown === 'unreached' || shown === 'aborted';
      return isNowhere ? undefined : 'its participant had not said so';
    }
    case 'proposed':
    case 'commit-sent':
    case 'abort-sent':
      return 'its participant decides';
    case 'ended':
      return told.decision ? undefined : 'nothing was decided by then';
    default:
      return take(told, entry, branches);
  }
}

function notAllAcknowledged({ votes, acknowledged }: Told): string | undefined {
  const missing = [...votes]
    .filter(([branch, vote]) => vote === 'prepared' && !acknowledged.has(branch))
    .map(([branch]) => branch);
  return missing.length > 0 ? `branches ${missing.join(', ')} had not acknowledged` : undefined;
}
