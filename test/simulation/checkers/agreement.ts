/** Branches agree with each other (I1), and with a decision that came first and never changed (I2, I3). */
import { decidedAt } from '@concordat/protocol';
import { finished, transactionOf, type Checker } from './checker.js';

export const agreement: Checker = {
  name: 'agreement',
  holds: 'I1: of one transaction, branches without manual changes end alike',
  complaints: (remains) => {
    const committed = new Map<string, string>();
    const aborted = new Map<string, string>();
    for (const one of finished(remains)) {
      if (!one.touched) (one.committed ? committed : aborted).set(one.transaction, one.participant);
    }
    return [...committed]
      .filter(([id]) => aborted.has(id))
      .map(([id, at]) => `torn: ${id} committed at ${at}, aborted at ${aborted.get(id)}`);
  },
};

export const irrevocability: Checker = {
  name: 'irrevocability',
  holds:
    'I2, I14: one decision per transaction; what the register answered a coordinator is permanent',
  complaints: ({ registerStore, history }) => {
    const complaints: string[] = [];
    const seen = new Map<string, string>();
    for (const { transaction, decision } of registerStore.history) {
      const earlier = seen.get(transaction);
      // The copy of what its participant has committed may be pruned, and made again as long as the row is there.
      if (earlier === decision && decidedAt(transaction)) continue;
      if (earlier) complaints.push(`${transaction} was decided ${earlier} and then ${decision}`);
      seen.set(transaction, decision);
    }
    for (const [transaction, decision] of history.acknowledged) {
      const now = registerStore.everDecided(transaction)?.decision ?? 'nothing';
      if (now !== decision) {
        complaints.push(`${transaction} was answered as ${decision}; now ${now} is on record`);
      }
    }
    return complaints;
  },
};

export const oneTruth: Checker = {
  name: 'one truth',
  holds: 'ADR 34: what its participant has decided is what everybody is told, and what is copied',
  complaints: (remains) => {
    const { registerStore, history } = remains;
    const committed = new Set(
      finished(remains).flatMap((one) => (one.committed ? [one.transaction as string] : [])),
    );
    const told = [
      ...history.toldOfOnePhase,
      ...[...registerStore.pruned.values(), ...registerStore.rows.values()],
    ].filter((one) => decidedAt(one.transaction));
    // What wrote nothing has no row either way, and its commit is no other end than its abort.
    const isEmpty = (transaction: string) =>
      history.clients.some(
        (one) => one.transaction === transaction && [...one.deltas.values()].every((d) => d === 0),
      );
    return told
      .filter(({ transaction }) => !isEmpty(transaction))
      .filter(({ transaction, decision }) => committed.has(transaction) !== (decision === 'commit'))
      .map(({ transaction, decision }) => `${transaction} was told as ${decision}, and is not`);
  },
};

export const nothingUntold: Checker = {
  name: 'nothing untold',
  holds: 'ADR 57: no participant forgets a commit of its own that no coordinator has on record',
  complaints: ({ history }) =>
    history.untold.map((gid) => `${gid} was forgotten there, and never recorded here`),
};

export const validity: Checker = {
  name: 'validity',
  holds: 'I3: a branch commits only after commit is on record, and then every branch of it does',
  complaints: (remains) => {
    const complaints: string[] = [];
    const { registerStore, history, databases } = remains;
    for (const { gid, participant, standing, byHand } of history.applied) {
      // In one phase the participant decides, and the register has a copy at most.
      if (byHand || standing === 'commit' || decidedAt(transactionOf(gid))) continue;
      complaints.push(
        `${gid} committed at ${participant} while ${standing ?? 'nothing'} was on record`,
      );
    }
    for (const [id, row] of [...registerStore.pruned, ...registerStore.rows]) {
      if (row.decision !== 'commit') continue;
      for (const { participant, branch } of row.branches) {
        const store = databases.get(participant);
        const rows = [...(store?.pruned ?? []), ...(store?.outcome ?? [])];
        const isIn = rows.some(
          ([gid, kind]) => kind === 'branch' && gid.endsWith(`${id}:${branch}`),
        );
        const isTouched = history.handActs.some((one) => one.gid.endsWith(`${id}:${branch}`));
        if (!isIn && !isTouched)
          complaints.push(`${id} is on record as commit, not in ${participant}`);
      }
    }
    return complaints;
  },
};
