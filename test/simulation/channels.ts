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
import type { Network } from './network.js';

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
    return this.send('finish', request);
  }
  assertFits(): void {}
  private send<T>(
    type: string,
    request: WorkRequest | PrepareRequest | FinishRequest,
  ): Promise<Answer<T>> {
    const { participant, instance } = request.to;
    const subject = instance ? `${participant}/${instance}` : participant;
    return this.network.request<T>(this.from, subject, type, request, request.timeLeftMs);
  }
}

/** How a coordinator follows waits, to other coordinators and to instances. */
export class ToWaiting extends WaitQuestions {
  constructor(
    private readonly from: Host,
    private readonly network: Network,
  ) {
    super();
  }
  waitsOf(
    owner: Incarnation,
    transactions: readonly TransactionId[],
  ): Promise<Answer<readonly TransactionWaits[]>> {
    const subject = `coordinator/${owner}`;
    return this.network.request(this.from, subject, 'waits-of', transactions, 1_000);
  }
  waitsNow(
    { participant, instance }: { participant: ParticipantName; instance: InstanceId },
    branches: readonly { transaction: TransactionId; branch: BranchId }[],
  ): Promise<Answer<readonly BranchWait[]>> {
    const subject = `${participant}/${instance}`;
    return this.network.request(this.from, subject, 'waits-now', branches, 500);
  }
}

export class ToCoordinators extends CoordinatorChannel {
  constructor(
    private readonly from: Host,
    private readonly network: Network,
  ) {
    super();
  }
  inquire(inquiry: Inquiry): Promise<Answer<InquiryAnswer>> {
    return this.network.request(this.from, 'coordinators', 'inquire', inquiry, 3_000);
  }
  reportHeuristic(report: HeuristicReport): Promise<Answer<ReportAnswer>> {
    return this.network.request(this.from, 'coordinators', 'report-heuristic', report, 3_000);
  }
  enlist(enlistment: Enlistment): Promise<Answer<EnlistmentAnswer>> {
    const subject = `coordinator/${ownerOf(enlistment.transaction)}`;
    return this.network.request(this.from, subject, 'enlist', enlistment, 3_000);
  }
  ping(incarnation: Incarnation): Promise<Answer<{ alive: true }>> {
    return this.network.request(this.from, `coordinator/${incarnation}`, 'ping', {}, 2_000);
  }
  isLive(owner: Incarnation, transaction: TransactionId): Promise<Answer<{ live: boolean }>> {
    const subject = `coordinator/${owner}`;
    return this.network.request(this.from, subject, 'live', { transaction }, 2_000);
  }
  reportWaits(owner: Incarnation, report: WaitReport): Promise<Answer<{ noted: true }>> {
    return this.network.request(this.from, `coordinator/${owner}`, 'waits', report, 1_000);
  }
  lowWaterMark(): Promise<Answer<Marks>> {
    return this.network.request(this.from, 'coordinators', 'low-water-mark', {}, 2_000);
  }
}
