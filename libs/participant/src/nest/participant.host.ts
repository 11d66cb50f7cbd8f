/**
 * The participant's life inside a Nest application: started once every provider is there, stopped
 * before connections close. Guards "a service that cannot be a participant does not start": what the
 * start-up check finds ends the bootstrap with its remedies.
 */
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { TransactionId, VoteAgainst } from '@concordat/protocol';
import { JoinRefused } from '@concordat/engine';
import type { Branch } from '../branch/current-branch.js';
import {
  StandaloneParticipant,
  createParticipant,
  type ConnectionLost,
  type Readiness,
} from '../participant/participant.js';
import { OperationExplorer } from './operation.explorer.js';
import type { ParticipantModuleOptions } from './participant-module-options.js';
import { PARTICIPANT_OPTIONS } from './tokens.js';

@Injectable()
export class ParticipantHost implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /**
   * Resolves when this service takes no part any more: without a value once it was stopped, with the
   * reason when its broker connection closed for good. End the process then: nothing reaches it.
   */
  readonly closed: Promise<ConnectionLost | undefined>;
  private nowClosed!: (lost: ConnectionLost | undefined) => void;
  private started?: StandaloneParticipant;

  constructor(
    @Inject(PARTICIPANT_OPTIONS) private readonly options: ParticipantModuleOptions,
    private readonly explorer: OperationExplorer,
  ) {
    this.closed = new Promise((resolve) => {
      this.nowClosed = resolve;
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    const { name } = this.options;
    const operations = [...(this.options.operations ?? []), ...this.explorer.explore(name)];
    const log = this.options.log ?? new Logger('Concordat');
    const participant = createParticipant({ ...this.options, operations, log });
    await participant.start();
    this.started = participant;
    void participant.closed.then(this.nowClosed);
  }

  /** Before HTTP and databases close: open branches vote, the broker is drained. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.started?.stop();
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
