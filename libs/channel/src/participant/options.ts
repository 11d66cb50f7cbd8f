/**
 * What a participant gives to be served: who it is, what it does with each command, and how much of
 * it at once.
 */
import type {
  FinishAnswer,
  FinishRequest,
  Look,
  PrepareAnswer,
  PrepareRequest,
  WorkAnswer,
  WorkRequest,
} from '@concordat/engine';
import type { ClusterId, Incarnation, InstanceId, ParticipantName } from '@concordat/protocol';
import type { LaneLimits } from '../link/lane.js';

export interface ParticipantHandlers {
  work(request: WorkRequest): Promise<WorkAnswer>;
  prepare(request: PrepareRequest): Promise<PrepareAnswer>;
  finish(request: FinishRequest): Promise<FinishAnswer>;
  /**
   * What operators see of this instance; any JSON object of at most `bytesMax` bytes. `look` says what
   * is wanted besides the usual; what a participant does not know of it, it leaves out.
   */
  inspect(look: Look, bytesMax: number): Promise<Readonly<Record<string, unknown>>>;
}

export interface ServeParticipantOptions {
  readonly cluster: ClusterId;
  readonly participant: ParticipantName;
  readonly instance: InstanceId;
  /** Of the service, as semver: shown by `nats micro ls` and in the list of participants. */
  readonly version: string;
  readonly handlers: ParticipantHandlers;
  /** A coordinator came up: resolve in-doubt branches now rather than at the next pass. */
  readonly onCoordinatorUp?: (incarnation: Incarnation) => void;
  readonly limits?: Partial<Record<LaneName, LaneLimits>>;
}

export type LaneName = 'opening' | 'open' | 'finishing';
