/** The two ends of the channel over the simulated network: subjects as the wire protocol names them. */
import {
  CoordinatorChannel,
  ParticipantChannel,
  WaitQuestions,
  type Answer,
  type BranchWait,
  type Enlistment,
  type EnlistmentAnswer,
  type FinishAnswer,
  type FinishRequest,
  type HeuristicReport,
  type Inquiry,
  type InquiryAnswer,
  type Marks,
  type PrepareAnswer,
  type PrepareRequest,
  type ReportAnswer,
  type TransactionWaits,
  type WaitReport,
  type WorkAnswer,
  type WorkRequest,
} from '@concordat/engine';
import {
  ownerOf,
  type BranchId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { Host } from './host.js';
import type { RequestKind } from './messages.js';
import type { Network } from './network.js';

/** How long who asks waits, in milliseconds. */
export interface Patience {
  /** For what a coordinator has to look up or record. */
  readonly inquiryMs: number;
  /** For what a coordinator knows. */
  readonly pingMs: number;
  readonly waitsMs: number;
  /** For what an instance finds in its memory or sees in its database. */
  readonly lookMs: number;
}

export class ToParticipants extends ParticipantChannel {
  constructor(
    private readonly from: Host,
    private readonly network: Network,
  ) {
    super();
  }
  work(request: WorkRequest): Promise<Answer<WorkAnswer>> {
    return this.send('work', request);
  }
  prepare(request: PrepareRequest): Promise<Answer<PrepareAnswer>> {
    return this.send('prepare', request);
  }
  finish(request: FinishRequest): Promise<Answer<FinishAnswer>> {
    return this.send(request.decision, request);
  }
  assertFits(): void {}
  private send<T>(
    kind: RequestKind,
    request: WorkRequest | PrepareRequest | FinishRequest,
  ): Promise<Answer<T>> {
    const { participant, instance } = request.to;
    const subject = instance ? `${participant}/${instance}` : participant;
    return this.network.request<T>(this.from, subject, kind, request, request.timeLeftMs);
  }
}

/** How a coordinator follows waits, to other coordinators and to instances. */
export class ToWaiting extends WaitQuestions {
  constructor(
    private readonly from: Host,
    private readonly network: Network,
    private readonly patience: Patience,
  ) {
    super();
  }
  waitsOf(
    owner: Incarnation,
    transactions: readonly TransactionId[],
  ): Promise<Answer<readonly TransactionWaits[]>> {
    const subject = `coordinator/${owner}`;
    return this.network.request(
      this.from,
      subject,
      'waits-of',
      transactions,
      this.patience.waitsMs,
    );
  }
  waitsNow(
    { participant, instance }: { participant: ParticipantName; instance: InstanceId },
    branches: readonly { transaction: TransactionId; branch: BranchId }[],
  ): Promise<Answer<readonly BranchWait[]>> {
    const subject = `${participant}/${instance}`;
    return this.network.request(this.from, subject, 'waits-now', branches, this.patience.lookMs);
  }
}

export class ToCoordinators extends CoordinatorChannel {
  constructor(
    private readonly from: Host,
    private readonly network: Network,
    private readonly patience: Patience,
    /** Which participant asks; absent where a coordinator does. */
    private readonly participant?: ParticipantName,
  ) {
    super();
  }
  inquire(inquiry: Inquiry): Promise<Answer<InquiryAnswer>> {
    return this.ask('coordinators', 'inquire', inquiry, this.patience.inquiryMs);
  }
  reportHeuristic(report: HeuristicReport): Promise<Answer<ReportAnswer>> {
    return this.ask('coordinators', 'report', report, this.patience.inquiryMs);
  }
  enlist(enlistment: Enlistment): Promise<Answer<EnlistmentAnswer>> {
    const owner = ownerOf(enlistment.transaction);
    return this.ask(`coordinator/${owner}`, 'enlist', enlistment, this.patience.inquiryMs);
  }
  ping(incarnation: Incarnation): Promise<Answer<{ alive: true }>> {
    return this.ask(`coordinator/${incarnation}`, 'ping', {}, this.patience.pingMs);
  }
  isLive(owner: Incarnation, transaction: TransactionId): Promise<Answer<{ live: boolean }>> {
    return this.ask(`coordinator/${owner}`, 'live', { transaction }, this.patience.pingMs);
  }
  reportWaits(owner: Incarnation, report: WaitReport): Promise<Answer<{ noted: true }>> {
    return this.ask(`coordinator/${owner}`, 'waits', report, this.patience.waitsMs);
  }
  lowWaterMark(): Promise<Answer<Marks>> {
    const { participant } = this;
    return this.ask('coordinators', 'mark', { participant }, this.patience.pingMs);
  }
  private ask<T>(
    subject: string,
    kind: RequestKind,
    message: unknown,
    timeoutMs: number,
  ): Promise<Answer<T>> {
    return this.network.request(this.from, subject, kind, message, timeoutMs);
  }
}
