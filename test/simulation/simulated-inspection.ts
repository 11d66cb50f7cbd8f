/**
 * What a simulated participant reports of its database when a coordinator looks, and how a coordinator
 * asks. A participant that shares its database with others may list their branches as well, of its own
 * cluster or of another, as an implementation by other people might: it is not to be believed of those.
 * Outcome rows carry their cluster, and only those of the own one are listed.
 */
import {
  ParticipantInspector,
  type Answer,
  type BranchFate,
  type CommittedPage,
  type InspectedInstance,
  type InstanceReport,
  type Look,
  type OutcomeKey,
} from '@concordat/engine';
import { parseGid, type ClusterId, type Gid, type ParticipantName } from '@concordat/protocol';
import type { Host } from './host.js';
import type { Network } from './network.js';

const LOOK_MS = 1_000;

/** What a look can see of a database: a `DatabaseStore`. */
interface SeenStore {
  readonly prepared: ReadonlyMap<string, { readonly since: number }>;
  readonly outcome: ReadonlyMap<string, 'branch' | 'tombstone'>;
}

export class SimulatedInspector extends ParticipantInspector {
  constructor(
    private readonly from: Host,
    private readonly network: Network,
    private readonly names: readonly ParticipantName[],
  ) {
    super();
  }

  async roll(): Promise<readonly InspectedInstance[]> {
    const answers = await Promise.all(this.names.map((one) => this.look(one, {})));
    return answers.flatMap((one) => (one.kind === 'answered' ? [one.answer] : []));
  }

  look(participant: ParticipantName, look: Look): Promise<Answer<InspectedInstance>> {
    return this.network.request(this.from, participant, 'look', look, LOOK_MS);
  }
}

/** What is in these databases, as far as it was asked for. */
export function reportOf(
  look: Look,
  cluster: ClusterId,
  stores: readonly SeenStore[],
  now: number,
): InstanceReport {
  const { prepared, gids, committed } = look;
  return {
    ...(prepared ? { page: { branches: preparedIn(stores, now, prepared.after) } } : {}),
    ...(gids ? { fates: gids.map((gid) => ({ gid, fate: fateOf(gid, stores) })) } : {}),
    ...(committed
      ? { committed: committedIn(cluster, stores, committed.after, committed.limit) }
      : {}),
  };
}

function preparedIn(stores: readonly SeenStore[], now: number, after = '') {
  return stores
    .flatMap((store) => [...store.prepared])
    .flatMap(([gid, { since }]) => {
      const parts = parseGid(gid);
      if (!parts || gid <= after) return [];
      const { transaction, branch } = parts;
      return [{ gid: gid as Gid, transaction, branch, heldMs: now - since }];
    })
    .sort((a, b) => (a.gid < b.gid ? -1 : 1));
}

function fateOf(gid: string, stores: readonly SeenStore[]): BranchFate {
  if (stores.some((one) => one.prepared.has(gid))) return 'prepared';
  const [row] = stores.flatMap((one) => one.outcome.get(gid) ?? []);
  return row === 'branch' ? 'committed' : (row ?? 'nothing');
}

function committedIn(
  cluster: ClusterId,
  stores: readonly SeenStore[],
  after: OutcomeKey | undefined,
  limit: number,
): CommittedPage {
  const rows = stores
    .flatMap((store) => [...store.outcome])
    .flatMap(([gid, kind]) => (kind === 'branch' ? (parseGid(gid) ?? []) : []))
    .filter((one) => one.cluster === cluster)
    .filter((one) => after === undefined || isBehind(one, after))
    .sort((a, b) => (isBehind(a, b) ? 1 : -1))
    .map(({ transaction, branch }) => ({ transaction, branch }));
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { rows: page, ...(rows.length > limit && last ? { next: last } : {}) };
}

function isBehind(one: OutcomeKey, other: OutcomeKey): boolean {
  if (one.transaction !== other.transaction) return one.transaction > other.transaction;
  return Number(one.branch) > Number(other.branch);
}
