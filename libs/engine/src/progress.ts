/**
 * How far the owner of a transaction is with performing it, next to the machine's phase: proposed,
 * decided, settled, and what of that has been counted. Guards protocol §3 and §4 in the host: commit is
 * proposed once and by its owner only, the decision falls once, the end follows the decision and agrees
 * with it, and each is counted once. A step that is out of order is a defect of ours: the invariant
 * breaks, the process stops, and recovery repairs.
 */
import { invariant, type Decision } from '@concordat/protocol';

/** When a decision became known here: by the monotonic clock, and in wall-clock milliseconds. */
export interface DecidedMoment {
  readonly at: number;
  readonly atMs: number;
}

interface Decided extends DecidedMoment {
  readonly decision: Decision;
}

type Stage =
  | { readonly is: 'open' }
  /** The commit is proposed to the register, whose answer is not known yet. */
  | { readonly is: 'proposed' }
  | { readonly is: 'decided'; readonly decided: Decided; readonly counted: 'nothing' | 'decision' }
  /** Every record of the last step is durable: the end may be reported. */
  | {
      readonly is: 'settled';
      readonly decided: Decided;
      readonly endedAtMs: number;
      readonly counted: 'nothing' | 'decision' | 'end';
    }
  /** It ended without a decision that any process knows, and the evidence of that is durable. */
  | { readonly is: 'unknown'; readonly endedAtMs: number; readonly counted: 'nothing' | 'end' };

export class Progress {
  private stage: Stage = { is: 'open' };

  /** `takenOver`: its decision is on record and its finisher is dead, so nothing is proposed. */
  constructor(readonly takenOver: boolean) {}

  /** The commit is about to be proposed to the register. */
  propose(): void {
    const { is } = this.stage;
    invariant(is === 'open' && !this.takenOver, `commit proposed while ${this.words()}`);
    this.stage = { is: 'proposed' };
  }

  /** The decision is known: it is on record, or an abort is certain. */
  decide(decision: Decision, { at, atMs }: DecidedMoment): void {
    const { is } = this.stage;
    const mayDecide =
      (is === 'open' || is === 'proposed') && (decision === 'commit' || !this.takenOver);
    invariant(mayDecide, `${decision} decided while ${this.words()}`);
    this.stage = { is: 'decided', decided: { decision, at, atMs }, counted: 'nothing' };
  }

  /** It ended at `endedAtMs` with this decision, and every record of that is durable. */
  settle(decision: Decision, endedAtMs: number): void {
    const { stage } = this;
    const isDue = stage.is === 'decided' && stage.decided.decision === decision;
    invariant(isDue, `ended as ${decision} while ${this.words()}`);
    const { decided, counted } = stage;
    this.stage = { is: 'settled', decided, endedAtMs, counted };
  }

  /** It ended at `endedAtMs`, what was decided will never be known, and every record of that is durable. */
  settleUnknown(endedAtMs: number): void {
    const { is } = this.stage;
    invariant(is === 'open' && !this.takenOver, `ended as not known while ${this.words()}`);
    this.stage = { is: 'unknown', endedAtMs, counted: 'nothing' };
  }

  /** When it was decided, once: undefined before that and when it is counted already. */
  countDecision(): DecidedMoment | undefined {
    const { stage } = this;
    if (stage.is !== 'decided' && stage.is !== 'settled') return undefined;
    if (stage.counted !== 'nothing') return undefined;
    this.stage = { ...stage, counted: 'decision' };
    return stage.decided;
  }

  /** True once: when it has settled and its end is not counted yet. */
  countEnd(): boolean {
    const { stage } = this;
    if (stage.is === 'unknown' && stage.counted === 'nothing') {
      this.stage = { ...stage, counted: 'end' };
      return true;
    }
    if (stage.is !== 'settled' || stage.counted === 'end') return false;
    invariant(stage.counted === 'decision', 'an end counted before its decision');
    this.stage = { ...stage, counted: 'end' };
    return true;
  }

  isDecided(): boolean {
    return this.stage.is === 'decided' || this.stage.is === 'settled';
  }

  isSettled(): boolean {
    return this.stage.is === 'settled' || this.stage.is === 'unknown';
  }

  /** Wall-clock milliseconds of the decision and the end, as far as it is. */
  times(): { readonly decidedAtMs?: number; readonly endedAtMs?: number } {
    const { stage } = this;
    switch (stage.is) {
      case 'open':
      case 'proposed':
        return {};
      case 'decided':
        return { decidedAtMs: stage.decided.atMs };
      case 'unknown':
        return { endedAtMs: stage.endedAtMs };
      case 'settled':
        return { decidedAtMs: stage.decided.atMs, endedAtMs: stage.endedAtMs };
    }
  }

  private words(): string {
    const { stage } = this;
    const decided = 'decided' in stage ? ` (${stage.decided.decision})` : '';
    return `${stage.is}${decided}${this.takenOver ? ', taken over' : ''}`;
  }
}
