/**
 * A history: everything that was seen of a run, one JSON object per line. Guards "the checker knows
 * nothing but what was seen": clients write what they asked and were answered, the nemesis what it did, the
 * watcher what it found, and at rest the databases are read without the product. The order of the
 * lines means nothing: what has an order carries its time.
 */

/** When: milliseconds of one monotonic clock, and of the wall clock that Postgres reads too. */
export interface Stamp {
  readonly t: number;
  readonly wall: number;
}

/** What an attempt asks one participant to change, if it commits. */
export interface Delta {
  readonly participant: string;
  readonly key: string;
  readonly delta: number;
}

export type Balances = Readonly<Record<string, Readonly<Record<string, number | null>>>>;

/** What was there before the first line, and what the run promises about itself. */
export interface Initial extends Stamp {
  readonly type: 'initial';
  readonly cluster: string;
  readonly seed: number;
  /** T: within this much after healing nothing is in doubt. */
  readonly boundMs: number;
  readonly balances: Balances;
  /** Keys that only ever change together: equal at the end. */
  readonly equal: readonly (readonly Omit<Delta, 'delta'>[])[];
}

/** A client begins one attempt. All attempts of one label ask for the very same. */
export interface Invoke extends Stamp {
  readonly type: 'invoke';
  readonly attempt: string;
  readonly proc: string;
  readonly op: string;
  readonly at: string;
  /** In the decision's row and in the journal: by it, attempts without an answer are found. */
  readonly label?: string;
  readonly key?: string;
  readonly deltas: readonly Delta[];
  /** The work may be refused by a participant for its own reasons. */
  readonly mayRefuse?: true;
}

/** What the client was answered, for certain. */
export interface Ok extends Stamp {
  readonly type: 'ok';
  readonly attempt: string;
  readonly transaction: string;
  readonly told: 'committed' | 'aborted';
  readonly moment: 'decided' | 'completed';
  /** Outputs of the operations, per participant. */
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** The client was answered, or knows because it never asked for it, that nothing of the attempt commits. */
export interface Fail extends Stamp {
  readonly type: 'fail';
  readonly attempt: string;
  readonly transaction?: string;
  readonly code: string;
  /** Kind of the abort's cause, e.g. `vote`. */
  readonly cause?: string;
}

/** The client knows nothing: a time-out, a broken connection, an answer that settles nothing. */
export interface Info extends Stamp {
  readonly type: 'info';
  readonly attempt: string;
  readonly transaction?: string;
  readonly why: string;
}

export type Answer = Ok | Fail | Info;

/** The nemesis at work. `gid` for what concerns one prepared transaction. */
export interface FaultEvent extends Stamp {
  readonly type: 'fault';
  readonly id: number;
  readonly fault: string;
  readonly target: string;
  readonly phase: 'inject' | 'recovered' | 'skipped';
  readonly detail?: string;
}

/** Somebody else's prepared transaction, which must stay as it is. */
export interface Plant extends Stamp {
  readonly type: 'plant';
  readonly gid: string;
  readonly database: string;
  readonly xid: string;
}

/** A database administrator finished a branch of ours manually. */
export interface DbaAct extends Stamp {
  readonly type: 'dba';
  readonly gid: string;
  readonly act: 'commit' | 'rollback';
}

/** A process of the product; coordinators name their incarnation. */
export interface Life extends Stamp {
  readonly type: 'life';
  readonly service: string;
  readonly event: 'up' | 'ended' | 'not-started';
  readonly incarnation?: string;
  /** It ended because it was made to. */
  readonly expected?: boolean;
  readonly words?: string;
}

export type PhaseName =
  | 'calm'
  | 'calm-over'
  | 'chaos'
  | 'healed'
  | 'rest'
  /** The same transfers twice: with nothing wrong, and beside one stuck branch. */
  | 'steady'
  | 'steady-over'
  | 'stuck'
  | 'stuck-over'
  | 'dumped';

export interface Phase extends Stamp {
  readonly type: 'phase';
  readonly phase: PhaseName;
}

export interface PreparedNow {
  readonly gid: string;
  readonly database: string;
  /** Microseconds of the server's clock. */
  readonly preparedAtUs: number;
}

/** What the watcher saw at one moment; a poll that failed is not written. */
export interface Poll extends Stamp {
  readonly type: 'poll';
  readonly prepared: readonly PreparedNow[];
  /** Commits not noted as ended. */
  readonly open: number;
  /** Decisions not seen by an earlier poll, perhaps again some that were. */
  readonly decisions: readonly { readonly transaction: string; readonly decision: string }[];
}

/** The key that only the attempts of one label change, where a commit of one branch shows whose it is. */
export const witnessOf = (label: string): string => `${label}.available`;

/** The participant that decides a transaction in one phase: its id ends with the name. */
export const placeOf = (transaction: string): string | undefined =>
  transaction.slice(ID_LENGTH + 1) || undefined;
/** Of an id that names its owner only. */
const ID_LENGTH = 35;

export interface DecisionRow extends Stamp {
  readonly type: 'decision';
  readonly transaction: string;
  readonly decision: 'commit' | 'abort';
  readonly label: string | null;
  readonly key: string | null;
  readonly branches: readonly { readonly branch: string; readonly participant: string }[];
  readonly decidedAtUs: number;
  readonly endedAtUs: number | null;
  readonly outcome: string | null;
}

export interface HeuristicRow extends Stamp {
  readonly type: 'heuristic';
  readonly transaction: string;
  readonly branch: string;
  readonly participant: string;
  readonly found: string;
}

/** A row of `concordat_branch`. */
export interface OutcomeRow extends Stamp {
  readonly type: 'outcome';
  readonly participant: string;
  readonly transaction: string;
  readonly branch: string;
  readonly kind: 'branch' | 'tombstone';
  readonly createdAtUs: number;
  /** Commit of the row itself, by the server: for a branch, its COMMIT PREPARED. */
  readonly committedAtUs: number | null;
}

export interface BalanceRow extends Stamp {
  readonly type: 'balance';
  readonly participant: string;
  readonly key: string;
  readonly value: number | null;
}

export interface PreparedRow extends Stamp, PreparedNow {
  readonly type: 'prepared';
  readonly xid: string;
}

export interface TimelineEntry {
  readonly sequence: number;
  readonly type: string;
  readonly branch?: string;
  /** The vote's kind, the decision, or the outcome of the entry. */
  readonly said?: string;
}

/** What the owner noted of a transaction. Notes may be lost; those that are there must be true. */
export interface JournalRow extends Stamp {
  readonly type: 'journal';
  readonly transaction: string;
  readonly label: string | null;
  readonly branches: readonly string[];
  readonly timeline: readonly TimelineEntry[];
}

/** An operator asks for something to be done. `act` is the reason given, by which the audit has it. */
export interface Act extends Stamp {
  readonly type: 'act';
  readonly act: string;
  readonly at: string;
  readonly action: 'abort' | 'retry';
  readonly transaction: string;
}

/** What the operator was answered; `audit` is the entry that the answer named. */
export interface Acted extends Stamp {
  readonly type: 'acted';
  readonly act: string;
  readonly told: 'done' | 'refused' | 'unknown';
  readonly audit?: number;
  readonly why?: string;
}

/** An entry of the audit, every field of it. */
export interface AuditRow extends Stamp {
  readonly type: 'audit';
  readonly sequence: number;
  readonly atMs: number;
  readonly by: string;
  readonly role: string;
  readonly from: string | null;
  readonly action: string;
  readonly transaction: string | null;
  readonly branch: string | null;
  readonly gid: string | null;
  readonly reason: string | null;
  readonly ticket: string | null;
  readonly phase: 'asked' | 'done' | 'refused' | 'failed';
  readonly answers: number | null;
  readonly before: unknown;
  readonly after: unknown;
  readonly previous: string;
  readonly hash: string;
}

/** What the audit names as its end. */
export interface AuditHead extends Stamp {
  readonly type: 'audit-head';
  readonly sequence: number;
  readonly hash: string;
}

export type Event =
  | Act
  | Acted
  | AuditRow
  | AuditHead
  | Initial
  | Invoke
  | Answer
  | FaultEvent
  | Plant
  | DbaAct
  | Life
  | Phase
  | Poll
  | DecisionRow
  | HeuristicRow
  | OutcomeRow
  | BalanceRow
  | PreparedRow
  | JournalRow;

/** An event before it is stamped. */
export type Unstamped<E = Event> = E extends Event ? Omit<E, keyof Stamp> : never;

export function toLine(event: Event): string {
  return JSON.stringify(event);
}

/** Reads NDJSON. A line that was cut by a crash of the writer fails by its number. */
export function fromLines(text: string): Event[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      try {
        return JSON.parse(line) as Event;
      } catch (error) {
        throw new Error(`line ${index + 1} of the history is not JSON: was it cut?`, {
          cause: error,
        });
      }
    });
}
