/** What clients and operators are told is what happened (I7, I8, protocol §6). */
import { ownerOf } from '@concordat/protocol';
import { finished, transactionOf, type Checker, type Remains } from './checker.js';
import { isCalm } from '../options.js';

export const honesty: Checker = {
  name: 'honesty',
  holds: 'I7, I8: what a client was told is what happened in every branch nobody touched',
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
      for (const [name, delta] of deltas) {
        // A plain outcome is about every branch; a decision only about those nobody touched.
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
  complaints: ({ registerStore, history, databases }) => {
    const complaints: string[] = [];
    for (const { transaction, heuristics: recorded, decision } of registerStore.rows.values()) {
      for (const { branch, evidence } of recorded) {
        const acts = history.handActs.filter((one) => one.gid.endsWith(`${transaction}:${branch}`));
        const against = decision === 'commit' ? 'committed' : 'rolled-back';
        if (acts.every((one) => one.act === against)) {
          const why = acts.length === 0 ? 'nobody touched it' : `it was only ${against} by hand`;
          complaints.push(`${transaction} ${branch}: "${evidence.explanation}", but ${why}`);
        }
      }
    }
    for (const { gid, participant } of history.handActs) {
      const row = registerStore.rows.get(transactionOf(gid));
      const decision = row?.decision ?? 'abort';
      const isCommitted = databases.get(participant)?.outcome.get(gid) === 'branch';
      if (isCommitted === (decision === 'commit')) continue;
      if (row?.heuristics.some((one) => gid.endsWith(`:${one.branch}`))) continue;
      const owner = ownerOf(transactionOf(gid));
      // Nobody asks about a branch that is not prepared any more: once its owner has died, an abort
      // that was presumed is told to nobody, and what died with a participant is in its log only.
      const isKnownLimit =
        decision === 'abort' &&
        (history.crashedOwners.has(owner) || history.crashedParticipants.has(participant));
      if (isKnownLimit) history.count('heuristicsUnnoticed');
      else complaints.push(`${gid} at ${participant} ended against ${decision}, and nobody knows`);
    }
    return complaints;
  },
};

export const noNeedlessAborts: Checker = {
  name: 'no needless aborts',
  holds: 'I4: where nothing fails and nobody refuses everything commits, whatever clocks do',
  complaints: ({ options, history }) =>
    isCalm(options)
      ? history.clients
          .filter((one) => one.told !== 'committed' && !one.gaveUp)
          .map((one) => `${one.transaction ?? 'a request'} is ${one.told} though nothing failed`)
      : [],
};
