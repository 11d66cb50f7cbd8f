/** Services share a database: each judges, finishes and reports what is its own (§5, §6). */
import { parseGid } from '@concordat/protocol';
import type { Checker, Remains } from './checker.js';

export const ownOnly: Checker = {
  name: 'own only',
  holds: 'a branch of another service in the same database is left to its owner',
  complaints: (remains) => [
    ...remains.history.trespasses,
    ...judged(remains),
    ...reported(remains),
    ...watched(remains),
  ],
};

function judged({ strangers, registerStore }: Remains): string[] {
  return [...(strangers?.transactions ?? [])].flatMap((transaction) => {
    const row = registerStore.everDecided(transaction);
    return row ? [`${transaction} of another cluster was decided here: ${row.decision}`] : [];
  });
}

function reported({ strangers, history, registerStore }: Remains): string[] {
  return history.reported.flatMap(({ gid, participant, kind, verdict }) => {
    const parts = parseGid(gid);
    if (!parts) return [`${gid} was reported of ${participant}`];
    if (parts.cluster === strangers?.cluster) {
      return [`${gid} of another cluster was reported of ${participant} as ${kind}`];
    }
    // Where no commit names a branch, no record says whose it is: the participant that lists it is believed.
    if (verdict !== 'commit' && kind !== 'decided-lost') return [];
    const row = registerStore.everDecided(parts.transaction);
    const owner = row?.branches.find((one) => one.branch === parts.branch)?.participant;
    if (owner === participant) return [];
    return [`${gid} of ${owner ?? 'no service'} was reported of ${participant} as ${kind}`];
  });
}

function watched({ strangers, house }: Remains): string[] {
  return [...house.watched].flatMap(([participant, gids]) =>
    [...gids]
      .filter((gid) => strangers !== undefined && parseGid(gid)?.cluster === strangers.cluster)
      .map((gid) => `${gid} of another cluster is watched at ${participant}`),
  );
}
