/**
 * A participant's side of waits: looks periodically what branches of this instance wait for and reports it to
 * the owners of their transactions. Guards "nothing is sent while no branch waits", "one timer for all, and
 * none while nothing is running", and "what is over is taken back": each report is all that is known for its
 * owner, so one that is lost, late or repeated is corrected by the next, and after the last wait an empty one
 * is repeated until it arrives.
 *
 * No rule depends on reports: they only make cycles of waits found early. Crash after a report: its waits end
 * with the session, and the owner drops what is not repeated.
 */
import {
  ownerOf,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
} from '@concordat/protocol';
import {
  WAITS_MAX,
  type BranchWait,
  type Clock,
  type CoordinatorChannel,
  type Resource,
} from '../ports/index.js';

export interface WaitReporterPorts {
  readonly resource: { waits(): ReturnType<Resource['waits']> };
  readonly coordinators: Pick<CoordinatorChannel, 'reportWaits'>;
  readonly clock: Clock;
}

export interface WaitReporterOptions {
  readonly participant: ParticipantName;
  readonly instance: InstanceId;
  /** Whether a session of this instance is at work. */
  readonly isBusy: () => boolean;
  /** Between two looks while nothing was seen to wait, and while something was. */
  readonly lookMs?: number;
  readonly lookAgainMs?: number;
  /** How often waits that do not change are reported again. */
  readonly repeatMs?: number;
  /** Called when the database could not be looked at. */
  readonly onFailure?: (error: unknown) => void;
}

const LOOK_MS = 40;
const LOOK_AGAIN_MS = 80;
/** Less than owners keep a report. */
export const REPEAT_MS = 1_000;

/** What an owner was sent last. */
interface Told {
  readonly about: string;
  at: number;
  /** Whether it has acknowledged this. */
  heard: boolean;
  sending: boolean;
  /** Whether waits were reported to it, so that their end has to be reported. */
  readonly isEmpty: boolean;
}

export class WaitReporter {
  private readonly told = new Map<Incarnation, Told>();
  private sequence = 0;
  private cancel: (() => void) | undefined;
  private isStopped = false;
  private waiting: readonly BranchWait[] = [];

  constructor(
    private readonly ports: WaitReporterPorts,
    private readonly options: WaitReporterOptions,
  ) {}

  /** What was seen to wait at the last look. */
  get seen(): readonly BranchWait[] {
    return this.waiting;
  }

  /** To be called when a branch begins: looks go on from here as long as one is at work. */
  nudge(): void {
    if (this.cancel || this.isStopped) return;
    const { lookMs = LOOK_MS, lookAgainMs = LOOK_AGAIN_MS } = this.options;
    const ms = this.waiting.length > 0 || this.told.size > 0 ? lookAgainMs : lookMs;
    this.cancel = this.ports.clock.after(ms, () => void this.look());
  }

  stop(): void {
    this.isStopped = true;
    this.cancel?.();
  }

  private async look(): Promise<void> {
    try {
      this.waiting = await this.ports.resource.waits();
      this.tell();
    } catch (error) {
      this.waiting = []; // Nothing is known. Receivers of an earlier report drop it by themselves.
      this.options.onFailure?.(error);
    }
    this.cancel = undefined;
    if (this.options.isBusy() || this.told.size > 0) this.nudge();
  }

  private tell(): void {
    const byOwner = new Map<Incarnation, BranchWait[]>();
    for (const owner of this.told.keys()) byOwner.set(owner, []);
    for (const wait of this.waiting) {
      const owner = ownerOf(wait.transaction);
      byOwner.set(owner, [...(byOwner.get(owner) ?? []), wait]);
    }
    for (const [owner, waits] of byOwner) this.tellOwner(owner, waits.slice(0, WAITS_MAX));
  }

  private tellOwner(owner: Incarnation, waits: readonly BranchWait[]): void {
    const about = JSON.stringify(waits.map(({ id, holders }) => [id, holders]));
    const before = this.told.get(owner);
    const isNew = before?.about !== about;
    const isOver = before?.heard === true && before.isEmpty && waits.length === 0;
    if (isOver) {
      this.told.delete(owner);
      return;
    }
    const { clock } = this.ports;
    const isDue = !before || clock.now() - before.at >= (this.options.repeatMs ?? REPEAT_MS);
    if (before?.sending || (!isNew && before?.heard === true && !isDue)) return;
    const isEmpty = waits.length === 0;
    const told: Told = { about, at: clock.now(), heard: false, sending: true, isEmpty };
    this.told.set(owner, told);
    void this.send(owner, waits, told);
  }

  private async send(owner: Incarnation, waits: readonly BranchWait[], told: Told): Promise<void> {
    const { participant, instance } = this.options;
    this.sequence += 1;
    const report = { participant, instance, sequence: this.sequence, waits };
    const answer = await this.ports.coordinators.reportWaits(owner, report);
    told.sending = false;
    // Without responders, there is no report to withdraw.
    told.heard = answer.kind === 'answered' || answer.kind === 'no-responders';
  }
}
