/**
 * Joins a transaction explicitly: for handlers that no interceptor reaches (a raw NATS subscription, a
 * queue worker). Guards the same rule as the interceptor: enlist first, or refuse.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { Branch } from '../branch/current-branch.js';
import { parseContext } from '../branch/transaction-context.js';
import { ParticipantHost } from './participant.host.js';

@Injectable()
export class BranchRunner {
  constructor(@Inject(ParticipantHost) private readonly host: ParticipantHost) {}

  /**
   * Runs `body` in the branch of the transaction that a context header (`v1;tx=…`) names. Throws
   * JoinRefused when this service may not take part; nothing was done then.
   */
  async run<T>(contextHeader: string, body: (branch: Branch) => Promise<T>): Promise<T> {
    return this.host.join(parseContext(contextHeader), body);
  }
}
