/**
 * The coordinator's end of the real wire, driven by a test: it sends what the test says and answers
 * questions from a list of decisions, so that a test can stop at every point of the protocol.
 */
import {
  NatsParticipantChannel,
  connectChannel,
  serveCoordinator,
  type ChannelConnection,
  type ServedCoordinator,
} from '@concordat/channel';
import type {
  BranchWait,
  EnlistmentAnswer,
  FinishAnswer,
  HeuristicReport,
  OperationCall,
  PrepareAnswer,
  WorkAnswer,
} from '@concordat/engine';
import {
  lowestTransactionIdAt,
  makeBranchId,
  makeTransactionId,
  type BranchId,
  type ClusterId,
  type Decision,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';

const OWNER = '0wner000' as Incarnation;
const TIME_LEFT_MS = 5_000;

export class ScriptedCoordinator {
  readonly decisions = new Map<TransactionId, Decision>();
  /** Pruned: the decision is no longer known. */
  readonly forgotten = new Set<TransactionId>();
  /** Enlistments are refused with this while it is set. */
  refuse?: Extract<EnlistmentAnswer, { kind: 'refused' }>;
  /** Happens between the question what was decided and its answer. */
  beforeAnswering?: (() => Promise<void>) | undefined;
  /** Below it nothing is live or unfinished; participants may forget, once retention is over. */
  lowWaterMark = (): Promise<TransactionId> => Promise.resolve(lowestTransactionIdAt(0));
  /** How long transactions have from now on, and how long ago their clients asked for them. */
  timeLeftMs = TIME_LEFT_MS;
  ageMs = 0;
  readonly reported: HeuristicReport[] = [];
  enlisted = 0;
  private made = 0;
  /** Which instance holds the open work of a transaction. */
  private readonly opened = new Map<TransactionId, InstanceId>();

  private constructor(
    private readonly connection: ChannelConnection,
    private readonly channel: NatsParticipantChannel,
    readonly cluster: ClusterId,
    private served?: ServedCoordinator,
  ) {}

  static async start(natsUrl: string, cluster: ClusterId): Promise<ScriptedCoordinator> {
    const connection = await connectChannel({ servers: natsUrl, name: 'coordinator' });
    const channel = new NatsParticipantChannel(connection, { cluster, incarnation: OWNER });
    const coordinator = new ScriptedCoordinator(connection, channel, cluster);
    await coordinator.comeUp();
    return coordinator;
  }

  /** Answers inquiries and enlistments from now on. */
  async comeUp(): Promise<void> {
    const { cluster } = this;
    this.served = await serveCoordinator(this.connection, {
      cluster,
      incarnation: OWNER,
      handlers: {
        inquire: async ({ transaction }) => {
          const decision = this.decisions.get(transaction);
          if (this.forgotten.has(transaction)) return { kind: 'forgotten' };
          if (!decision) return { kind: 'undecided' };
          await this.beforeAnswering?.();
          return { kind: 'decided', decision };
        },
        reportHeuristic: async (report) => {
          this.reported.push(report);
          return { recorded: true };
        },
        enlist: ({ transaction, instance }) => {
          if (this.refuse) return this.refuse;
          this.opened.set(transaction, instance);
          this.enlisted += 1;
          const { timeLeftMs } = this;
          const times = { timeLeftMs, idleLeaseMs: timeLeftMs };
          return { kind: 'enlisted', branch: makeBranchId(1), ...times };
        },
        isLive: () => true,
        lowWaterMark: () => this.lowWaterMark(),
      },
    });
    this.served.announceUp();
  }

  get isUp(): boolean {
    return this.served !== undefined;
  }

  /** Answers nothing any more. */
  async goAway(): Promise<void> {
    await this.served?.stop();
    this.served = undefined;
  }

  begin(): TransactionId {
    this.made += 1;
    const random = new Uint8Array(10);
    new DataView(random.buffer).setUint32(6, this.made);
    return makeTransactionId(Date.now(), random, OWNER);
  }

  /** Sends a prepare with operations, or for open work without. */
  async prepare(
    participant: string,
    transaction: TransactionId,
    operations?: readonly OperationCall[],
    branch: BranchId = makeBranchId(1),
  ): Promise<Extract<PrepareAnswer, { kind: 'vote' }>> {
    const instance = this.opened.get(transaction);
    const to = { transaction, branch, participant: participant as ParticipantName };
    const answer = await this.channel.prepare({
      to: { ...to, ...(instance && !operations ? { instance } : {}) },
      epoch: OWNER,
      ...(operations ? { operations } : {}),
      participants: [to.participant],
      timeLeftMs: this.timeLeftMs,
      ageMs: this.ageMs,
    });
    if (answer.kind === 'answered' && answer.answer.kind === 'vote') return answer.answer;
    throw new Error(`no vote: ${JSON.stringify(answer)}`);
  }

  /** The first call of open work. */
  async work(
    participant: string,
    transaction: TransactionId,
    operations: readonly OperationCall[],
  ): Promise<WorkAnswer['result']> {
    const { timeLeftMs } = this;
    const branch = makeBranchId(1);
    const to = { transaction, branch, participant: participant as ParticipantName };
    const times = { timeLeftMs, idleLeaseMs: timeLeftMs };
    const answer = await this.channel.work({ to, epoch: OWNER, call: 1, operations, ...times });
    if (answer.kind !== 'answered') throw new Error(`no answer: ${JSON.stringify(answer)}`);
    this.opened.set(transaction, answer.answer.instance);
    return answer.answer.result;
  }

  async finish(
    participant: string,
    transaction: TransactionId,
    decision: Decision,
    branch: BranchId = makeBranchId(1),
  ): Promise<FinishAnswer> {
    this.decisions.set(transaction, decision);
    const to = { transaction, branch, participant: participant as ParticipantName };
    const sent = { to, epoch: OWNER, decision, timeLeftMs: TIME_LEFT_MS };
    const answer = await this.channel.finish(sent);
    if (answer.kind === 'answered') return answer.answer;
    throw new Error(`no answer: ${JSON.stringify(answer)}`);
  }

  /** What the branch of a transaction waits for in its session. */
  async waitsNow(
    at: { readonly name: ParticipantName; readonly instance: InstanceId },
    transaction: TransactionId,
  ): Promise<readonly BranchWait[]> {
    const { name: participant, instance } = at;
    const branches = [{ transaction, branch: makeBranchId(1) }];
    const answer = await this.channel.waitsNow({ participant, instance }, branches);
    if (answer.kind === 'answered') return answer.answer;
    throw new Error(`no answer: ${JSON.stringify(answer)}`);
  }

  async stop(): Promise<void> {
    await this.goAway();
    await this.connection.close();
  }
}
