/**
 * Looks for prepares that were lost on their way to a participant, and sends them again. Guards protocol §4.3
 * "unknown is never no": silence alone changes nothing. Only when an instance of the participant that was
 * there when the prepare was sent says that none has come to it, and none that answers says that one has, the same
 * prepare is sent once more; no vote is made up or changed, and the deadline stays what it was.
 *
 * Where all instances that answer have started since, the one that was asked is gone, or cannot be reached: no
 * vote will come. What it did is not known, and not guessed: the owner gives the transaction up, as it may at
 * any time before it proposes, where another attempt follows.
 *
 * Crash windows (ADR 26). An instance that has the first prepare is not connected now: two of them run, the
 * outcome row lets one prepare, and the first vote counts; at worst it is the no of the copy, which aborts.
 * An instance that had it died: another one that was running then does it again, or finds the branch prepared
 * and says no; one that started later cannot know. The owner dies after it repeated the prepare: as after the
 * first time.
 */
import {
  formatGid,
  type BranchId,
  type ClusterId,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { Clock } from './ports/index.js';

/** A branch whose vote is awaited. */
export interface SilentBranch {
  readonly transaction: TransactionId;
  readonly branch: BranchId;
  readonly participant: ParticipantName;
  /** The one that its prepare was sent to; absent where any may have it. */
  readonly instance?: InstanceId;
  /** Since its prepare was sent. */
  readonly silentMs: number;
}

/** Which prepares one instance has received, and since when it listens; without both it cannot know. */
export interface HeardReport {
  readonly participant: ParticipantName;
  readonly instance: InstanceId;
  readonly heard?: readonly string[];
  readonly listeningMs?: number;
}

export interface LostPreparesPorts {
  readonly clock: Clock;
  readonly manager: {
    silentBranches(silentMs: number): SilentBranch[];
    /** Its prepare has reached no instance, and is sent again; or `withItsInstance`: it is lost with the one that had it. */
    lost(branch: SilentBranch, withItsInstance: boolean): void;
  };
  /** Asks every instance of every participant which of these prepares have come to it. */
  readonly ask: (gids: readonly string[]) => Promise<readonly HeardReport[]>;
}

/** A vote that is not there after so long is looked after, and so often. */
const SILENT_MS = 1_000;
/** So many are asked about at once. */
const ASKED_MAX = 200;

export class LostPrepares {
  private cancel?: () => void;
  private running?: Promise<void>;

  constructor(
    private readonly ports: LostPreparesPorts,
    private readonly cluster: ClusterId,
  ) {}

  /** Looks every second; sends nothing while no vote is late. */
  start(): void {
    this.cancel = this.ports.clock.after(SILENT_MS, () => {
      this.running = this.look()
        .catch(() => undefined) // It could not ask: the next look does.
        .finally(() => {
          if (this.cancel) this.start();
        });
    });
  }

  async stop(): Promise<void> {
    this.cancel?.();
    this.cancel = undefined;
    await this.running;
  }

  async look(silentMs = SILENT_MS): Promise<void> {
    const { manager, ask } = this.ports;
    const silent = manager.silentBranches(silentMs).slice(0, ASKED_MAX);
    if (silent.length === 0) return;
    const reports = await ask(silent.map((one) => this.gidOf(one)));
    for (const branch of silent) {
      const told = reports.filter((one) => one.participant === branch.participant && one.heard);
      if (told.some((one) => one.heard?.includes(this.gidOf(branch)))) continue;
      if (wasOnItsWay(branch, told)) manager.lost(branch, false);
      else if (wasWithItsInstance(branch, told)) manager.lost(branch, true);
    }
  }

  private gidOf({ transaction, branch }: SilentBranch): string {
    return formatGid({ cluster: this.cluster, transaction, branch });
  }
}

/** Whether an instance that was there when it was sent has answered: it would have heard of it. */
function wasOnItsWay({ instance, silentMs }: SilentBranch, told: readonly HeardReport[]): boolean {
  return told.some(
    (one) =>
      (one.listeningMs ?? 0) > silentMs && (instance === undefined || one.instance === instance),
  );
}

/** Whether the instance that had its prepare is gone: all that answer have started since it was sent. */
function wasWithItsInstance(
  { instance, silentMs }: SilentBranch,
  told: readonly HeardReport[],
): boolean {
  const isYounger = ({ listeningMs = Number.POSITIVE_INFINITY, ...one }: HeardReport): boolean =>
    listeningMs < silentMs && one.instance !== instance;
  return told.length > 0 && told.every(isYounger);
}
