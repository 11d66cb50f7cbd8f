/**
 * A participant's life inside a Nest application: started once every provider is there, stopped
 * before connections close. Guards "a service that cannot be a participant does not start": what the
 * start-up check finds ends the bootstrap with its remedies.
 */
import { Logger } from '@nestjs/common';
import type { TransactionId, VoteAgainst } from '@concordat/protocol';
import { JoinRefused } from '@concordat/engine';
import type { Branch } from '../branch/current-branch.js';
import { ParticipantMisconfigured } from '../participant/operation-table.js';
import {
  StandaloneParticipant,
  createParticipant,
  type ConnectionLost,
  type Readiness,
} from '../participant/participant.js';
import type { OperationDefinition, ParticipantLog } from '../participant/participant-options.js';
import type { ParticipantModuleOptions } from './participant-module-options.js';

export class ParticipantHost {
  /** What transactions call this participant. */
  readonly name: string;
  /**
   * Resolves when this participant takes no part any more: without a value once it was stopped, with
   * the reason when its broker connection closed permanently. End the process then: nothing reaches it.
   */
  readonly closed: Promise<ConnectionLost | undefined>;
  private readonly log: ParticipantLog;
  private nowClosed!: (lost: ConnectionLost | undefined) => void;
  private started?: StandaloneParticipant;

  constructor(private readonly options: ParticipantModuleOptions) {
    this.name = options.name;
    this.log = options.log ?? new Logger('Concordat');
    this.closed = new Promise((resolve) => {
      this.nowClosed = resolve;
    });
  }

  /** The application's start. Rejects with the remedy when the service is unfit. */
  async start(decorated: readonly OperationDefinition[]): Promise<void> {
    const { log } = this;
    const operations = [...(this.options.operations ?? []), ...decorated];
    if (operations.length === 0) {
      throw new ParticipantMisconfigured(
        `participant ${this.name} has no operations: list a class that is marked @Participant among the providers of a module, and decorate its methods with @Operation`,
      );
    }
    const participant = createParticipant({ ...this.options, operations, log });
    await participant.start();
    this.started = participant;
    void participant.closed.then(this.nowClosed);
  }

  /** Before HTTP and databases close: open branches vote, the broker is drained. */
  async stop(): Promise<void> {
    await this.started?.stop();
  }

  /** To this participant's log. */
  warn(message: string): void {
    this.log.warn(message);
  }

  /** The participant under this module, once the application has started. */
  get participant(): StandaloneParticipant | undefined {
    return this.started;
  }

  /** For `/readyz`: whether transactions can use this instance now, and if not, why. */
  async readiness(): Promise<Readiness> {
    if (!this.started) return { ready: false, reasons: ['the application is starting'] };
    return this.started.readiness();
  }

  async inspect(): Promise<Record<string, unknown>> {
    return this.started ? this.started.inspect() : {};
  }

  join<T>(transaction: TransactionId, body: (branch: Branch) => Promise<T>): Promise<T> {
    if (this.started) return this.started.join(transaction, body);
    const reason = 'the application is starting; try again in a moment';
    return Promise.reject(new JoinRefused('not-ready', reason));
  }

  voteOf(error: unknown): VoteAgainst | undefined {
    return this.started?.voteOf(error);
  }
}
