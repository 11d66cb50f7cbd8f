/** Effects: each once (I12), none made or lost (I6), none left hanging (I10), one commit per key (I16). */
import { isCalm } from '../options.js';
import { transactionOf, type Checker } from './checker.js';

export const OPENING_BALANCE = 1_000;

export const exactlyOnce: Checker = {
  name: 'exactly once',
  holds: 'I12: the effects of a branch are applied once',
  complaints: ({ databases }) =>
    [...databases].flatMap(([name, store]) =>
      [...store.applied]
        .filter(([, times]) => times !== 1)
        .map(([gid, times]) => `${gid} was applied ${times} times at ${name}`),
    ),
};

export const conservation: Checker = {
  name: 'conservation',
  holds: 'I6: no money is made or lost, but by manual changes',
  complaints: ({ databases, history }) => {
    const torn = new Set(history.handActs.map((one) => transactionOf(one.gid)));
    let total = 0;
    let due = databases.size * OPENING_BALANCE;
    for (const store of databases.values()) {
      for (const balance of store.balances.values()) total += balance;
      for (const [gid, { deltas }] of store.appliedEffects) {
        if (torn.has(transactionOf(gid))) for (const delta of deltas.values()) due += delta;
      }
    }
    return total === due ? [] : [`balances add up to ${total}, not ${due}`];
  },
};

export const noOrphans: Checker = {
  name: 'no orphans',
  holds: 'I10: no prepared transaction is left, but for those in doubt past retention',
  complaints: ({ databases, registerStore, history }) =>
    [...databases].flatMap(([name, store]) =>
      [...store.prepared.keys()].flatMap((gid) => {
        if (!registerStore.isForgotten(transactionOf(gid))) {
          return [`${gid} is still prepared at ${name}`];
        }
        // Its owner had died, and no answer was possible for as long as decisions are kept: a person must
        // look.
        history.count('forgottenInDoubt');
        return [];
      }),
    ),
};

export const keyedOnce: Checker = {
  name: 'keyed once',
  holds: 'I16: under one idempotency key at most one transaction commits',
  complaints: ({ registerStore }) => {
    const holders = new Map<string, string>();
    const complaints: string[] = [];
    for (const [id, row] of registerStore.rows) {
      if (row.decision !== 'commit' || !row.idempotency) continue;
      const { key } = row.idempotency;
      const other = holders.get(key);
      if (other) complaints.push(`${other} and ${id} both committed under key ${key}`);
      holders.set(key, id);
    }
    return complaints;
  },
};

export const joined: Checker = {
  name: 'joined',
  holds:
    'ADR 38: where nothing fails, what runs under one key runs once at a time, at all coordinators',
  complaints: ({ options, history }) => (isCalm(options) ? history.sideBySide : []),
};
