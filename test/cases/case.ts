/**
 * A case: which transaction meets which fault, where, what is done next, and what has to be so afterwards.
 * The crash matrix, `kill -9` and the named faults are tables of cases; run.ts runs every one of them alike.
 */
import type { Predicate } from '../faults/proxy/frame.js';
import type { Action as FrameAction, Rule } from '../faults/proxy/rule.js';
import type { ParticipantId, Product, ServiceId } from '../stage/product.js';
import type { Answer, CaseStage, Kept } from './stage.js';

/** `drop`: the effect is done and its reply lost; only at points that are answered. */
export type PointAction = 'kill' | 'stop' | 'throw' | 'hang' | 'drop';

/** At a crash point of a service, see test/crash/crash-points.mjs. */
export interface PointFault {
  readonly at: ServiceId;
  /** e.g. `decide.post`, or `commit.pre@ledger-west`: what the coordinator does with that participant. */
  readonly point: string;
  readonly does: PointAction;
  /** The n-th time only; each time by default. */
  readonly nth?: number;
}

/** At a frame on a service's link to its database or to the broker. */
export interface LinkFault {
  readonly on: ServiceId;
  readonly link: 'database' | 'broker';
  /** The frame in words. Steps name the fault by them. */
  readonly what: string;
  readonly frame: Predicate;
  readonly does: FrameAction;
  readonly times?: number;
  /** The case goes on once it has happened so often: once by default, at once for what is only watched. */
  readonly hits?: number;
}

export type Fault = PointFault | LinkFault;

export type Shape =
  | 'transfer'
  | 'refused'
  | 'three'
  | 'step-by-step'
  | 'recover'
  | 'inquire'
  | 'alone'
  | 'alone-refused'
  | 'alone-asked';

/** What is done, or looked at, at one moment of a case. */
export interface Step {
  /** As the page of cases says it. */
  readonly says: string;
  readonly act: (run: CaseRun) => unknown;
}

export interface Case {
  /** As the test is called; begins with the number of a named fault where it is one. */
  readonly name: string;
  /** Left out of `npm test`. */
  readonly isNightly?: boolean;
  /** Skipped, for what this machine does not have. */
  readonly isLeftOut?: boolean;
  readonly faults: readonly Fault[];
  readonly sends: Shape;
  /** The time of its transaction; ten seconds by default. */
  readonly timeoutMs?: number;
  /** How long its client waits, as `?wait=` says it. */
  readonly wait?: string;
  readonly idempotencyKey?: string;
  /** Before the transaction is sent, with the faults in place. */
  readonly first?: readonly Step[];
  /** Once the faults have happened. The client's answer is awaited after these at the latest. */
  readonly then?: readonly Step[];
  /** At the end, also of a case that failed. */
  readonly last?: readonly Step[];
  /** `truth`: any answer, or none; what is answered holds. */
  readonly hears: 'commit' | 'abort' | 'nothing' | 'truth';
  /** What the answer has to hold besides. */
  readonly answer?: object;
  /** `heuristic`: a branch was finished manually, or lost, and disagrees. */
  readonly ends: 'commit' | 'abort' | 'either' | 'heuristic';
  /** In the register. An abort needs no record, so it is said where there has to be one. */
  readonly onRecord?: 'commit' | 'abort';
  /** What databases remember, where it is more than "a branch where it committed, and only there". */
  readonly remembers?: Partial<Readonly<Record<ParticipantId, 'branch' | 'tombstone' | 'nothing'>>>;
  /** In one of some rounds, the first branch is resolved within this time, see `firstResolved`. */
  readonly firstWithinMs?: number;
}

export const isPoint = (fault: Fault): fault is PointFault => 'point' in fault;
export const isLink = (fault: Fault): fault is LinkFault => 'link' in fault;

/** At a crash point; `#n` behind its name is its n-th time only. */
export function at(service: ServiceId, point: string, does: PointAction): PointFault {
  const [name = '', nth] = point.split('#');
  return { at: service, point: name, does, ...(nth === undefined ? {} : { nth: Number(nth) }) };
}

/** At a frame between a service and its database, or the broker. */
export function on(
  service: ServiceId,
  link: LinkFault['link'],
  what: string,
  [frame, does]: readonly [Predicate, FrameAction],
  more: Pick<LinkFault, 'times' | 'hits'> = {},
): LinkFault {
  return { on: service, link, what, frame, does, ...more };
}

/** One run of a case: what its steps work with. */
export class CaseRun {
  /** The client's answer, when it comes; undefined without one. */
  answer: Promise<Answer | undefined> = Promise.resolve(undefined);
  /** The same once it was awaited. */
  told?: Answer;
  answeredAt?: number;
  /** What other transactions of the case have moved from alice to bob, as far as their clients know. */
  movedByOthers = 0;
  /** Milliseconds until the first branch was resolved, where a step measured it. */
  firstMs?: number;
  /** What a step has found, for a later one. */
  readonly notes = new Map<string, unknown>();
  private readonly rules = new Map<string, Rule>();

  constructor(
    readonly stage: CaseStage,
    readonly row: Case,
    /** What there was before it. */
    readonly before: Kept,
  ) {}

  get product(): Product {
    return this.stage.product;
  }

  /** Puts the fault of a link in its place. */
  lay({ on: service, link, what, frame, does, times }: LinkFault): void {
    const options = times === undefined ? {} : { times };
    this.rules.set(what, this.stage.wire(service)[link].rule(what, frame, does, options));
  }

  /** The fault of a link by its words. */
  rule(what: string): Rule {
    const rule = this.rules.get(what);
    if (!rule) throw new Error(`no fault of this case is called ${what}`);
    return rule;
  }

  /** What CRASH_POINTS says of a service in this case; empty without a crash point of it. */
  crashOf(service: ServiceId): string {
    return this.row.faults
      .filter(isPoint)
      .filter((fault) => fault.at === service)
      .map(({ point, does, nth }) => `${point}${nth === undefined ? '' : `#${nth}`}=${does}`)
      .join(';');
  }

  /** Waits for the client's answer, or for its failure. */
  async answered(): Promise<Answer | undefined> {
    if (this.answeredAt === undefined) {
      this.told = await this.answer;
      this.answeredAt = performance.now();
    }
    return this.told;
  }

  /** The id of its transaction, once it was answered. */
  get id(): string {
    const id = this.told?.body['transactionId'];
    if (id === undefined) throw new Error('no answer has said which transaction it is');
    return String(id);
  }
}
