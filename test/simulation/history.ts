/**
 * What happened in a run, noted at the moment it happened: for the checkers, which know nothing of
 * the product, and for the tally, which says what a run has met at all. What is never met is not
 * tested, however many seeds pass.
 */
import type { FoundOrphan } from '@concordat/engine';
import type { Decision, Incarnation, ParticipantName, TransactionId } from '@concordat/protocol';

/**
 * A client changes its mind; or a call of its own met another instance than the one that its branch
 * lives on, as every service with several instances must expect; or it took no part otherwise.
 */
export type GivenUp = 'mind-changed' | 'branch-elsewhere' | 'call-failed';

/** What a client knows at the end about one of its requests. */
export interface ClientRecord {
  deltas: ReadonlyMap<string, number>;
  transaction?: TransactionId;
  key?: string;
  /** `unknown` until the client has an answer, permanently if its coordinator died first. */
  told: 'committed' | 'aborted' | 'unknown';
  /** Its answer about the end, if it waited for the end. */
  outcome?: string;
  /** It gave way in a deadlock. */
  isVictim?: true;
  /** It got the answer of an attempt that gave way to be begun again. */
  isRestarted?: true;
  /** Why it asked for the abort itself. */
  gaveUp?: GivenUp;
  /** It was refused, because its coordinator, so many milliseconds after its start, was not on the list. */
  turnedAwayAtMs?: number;
}

/** A prepared branch that a person finished manually, or that its database lost. */
export interface HandAct {
  readonly gid: string;
  readonly participant: ParticipantName;
  readonly act: 'committed' | 'rolled-back' | 'lost';
  readonly at: number;
}

/** A pass of reconciliation that says of participants that it compared them to the end. */
export interface Compared {
  readonly begunAt: number;
  readonly endedAt: number;
  readonly participants: readonly ParticipantName[];
  /** What it names as not settled. */
  readonly open: readonly string[];
}

/** One branch becoming visible in its database. */
export interface Applied {
  readonly gid: string;
  readonly participant: ParticipantName;
  /** What was on record in the register at that moment. */
  readonly standing: Decision | undefined;
  readonly byHand: boolean;
}

export const EVENTS = [
  'begun',
  'turnedAway',
  'commits',
  'aborts',
  'unknownToClient',
  'losses',
  'duplicates',
  'zombies',
  'clogged',
  'registerUnknown',
  'lostAnswers',
  'crashes',
  'pauses',
  'suspensions',
  'partitions',
  'clogs',
  'clockJumps',
  'failovers',
  'unforcedLost',
  'takeovers',
  'losingProposals',
  'deadlocks',
  'recalls',
  'restarts',
  'joinedElsewhere',
  'joins',
  'joinsRefused',
  'handActs',
  'heuristics',
  'heuristicsUnnoticed',
  'pruned',
  'forgottenThere',
  'struckOff',
  'houseFailed',
  'notesLost',
  'foundByRows',
  'looks',
  'committedAlone',
  'decidedThere',
  'forgottenInDoubt',
  'neverKnown',
] as const;
export type EventName = (typeof EVENTS)[number];
export type Tally = Record<string, number>;

export class History {
  readonly clients: ClientRecord[] = [];
  readonly handActs: HandAct[] = [];
  readonly applied: Applied[] = [];
  /** Decisions that the register answered to a coordinator: they must never change. */
  readonly acknowledged = new Map<TransactionId, Decision>();
  /** Commits that were noted as ended while a branch of theirs was still prepared. */
  readonly endedEarly: { readonly gid: string; readonly participant: ParticipantName }[] = [];
  /** What the mark passed while it was live or had not ended. */
  readonly passed: string[] = [];
  /** Where the mark was raised to, and when. */
  readonly marks: { readonly mark: TransactionId; readonly at: number }[] = [];
  readonly compared: Compared[] = [];
  /** What passes of reconciliation called orphans. */
  readonly reported: FoundOrphan[] = [];
  /** What somebody who asked about a transaction in one phase was told. */
  readonly toldOfOnePhase: { readonly transaction: TransactionId; readonly decision: Decision }[] =
    [];
  /** Commits in one phase that their participant forgot while no coordinator had ever recorded them. */
  readonly untold: string[] = [];
  /** Who finished, or asked about, a branch of another service in the same database. */
  readonly trespasses: string[] = [];
  readonly crashedOwners = new Set<Incarnation>();
  readonly crashedParticipants = new Set<ParticipantName>();
  readonly broken: Error[] = [];
  /** Transactions of one key that ran at the same time: their requests did not join. */
  readonly sideBySide: string[] = [];
  private readonly underKeys = new Map<string, Set<TransactionId>>();
  readonly tally: Tally = Object.fromEntries(EVENTS.map((name) => [name, 0]));

  count(event: EventName, times = 1): void {
    this.tally[event] = (this.tally[event] ?? 0) + times;
  }

  /** A transaction was begun under a key, until `ended` resolves. */
  begunUnder(key: string, transaction: TransactionId, ended: Promise<void>): void {
    const running = this.underKeys.get(key) ?? new Set();
    this.underKeys.set(key, running);
    for (const other of running) {
      this.sideBySide.push(`${transaction} was begun under ${key} beside ${other}`);
    }
    running.add(transaction);
    void ended.then(() => running.delete(transaction));
  }

  actOn(gid: string): HandAct | undefined {
    return this.handActs.find((one) => one.gid === gid);
  }
}
