/**
 * Requests of other coordinators for their clients, carried out by the commands that this coordinator's own
 * routes use. Guards "rights are checked where it is done": the client's rights are checked again as if the
 * request had come here; and nothing is forwarded from here, so no request goes round in circles.
 */
import { Rollback, RunOperations } from '@concordat/api';
import type { Forward, ForwardAnswer } from '@concordat/channel';
import { Injectable, Logger } from '@nestjs/common';
import { z } from 'zod';
import type { Principal } from '../access/key-ring.js';
import { problemOf } from '../problems/problem-of.js';
import { schemaProblem } from '../problems/schema-problem.js';
import type { Reply } from '../requests/reply.js';
import { NOTHING_RUNS } from '../forwarding/joining.js';
import { rollbackReason, TransactionCommands } from './transaction-commands.js';

/** Of a request that joins the same one here: a body is known by its fingerprint. */
const JoinedBody = z.object({ fingerprint: z.string().regex(/^[0-9a-f]{64}$/) });

@Injectable()
export class CarryOut {
  private readonly logger = new Logger('Forwarded');

  private finished = 0;

  constructor(private readonly commands: TransactionCommands) {}

  /** Requests that other coordinators sent here since the start, and that were answered. */
  get carriedOut(): number {
    return this.finished;
  }

  /** Never rejects: what goes wrong is the answer. */
  async answer(forward: Forward): Promise<ForwardAnswer> {
    try {
      const { status, headers, body = null } = await this.carryOut(forward);
      return { status, headers, body };
    } catch (thrown) {
      const problem = problemOf(thrown, this.logger);
      return {
        status: problem.getStatus(),
        headers: problem.headers,
        body: problem.getResponse(),
      };
    } finally {
      this.finished += 1;
    }
  }

  private async carryOut(forward: Forward): Promise<Reply> {
    const { transaction, verb, key, wait = { until: 'decided', waitMs: 0 } } = forward;
    const principal: Principal = { id: forward.principal, scope: forward.role };
    switch (verb) {
      case 'work': {
        const body = checked(RunOperations, forward.body);
        return this.commands.work(transaction, body, principal, key);
      }
      case 'commit':
        return this.commands.commit(transaction, principal, wait);
      case 'rollback': {
        const body = checked(Rollback, forward.body ?? {});
        return this.commands.rollback(transaction, rollbackReason(body), principal, wait);
      }
      case 'join': {
        const { fingerprint } = checked(JoinedBody, forward.body);
        const claim = { claimant: transaction, key: `${principal.id}:${key ?? ''}`, fingerprint };
        const reply = await this.commands.join(claim, principal, wait);
        return reply ?? { status: NOTHING_RUNS, headers: {} };
      }
    }
  }
}

function checked<T>(schema: z.ZodType<T>, body: unknown): T {
  const read = schema.safeParse(body);
  if (read.success) return read.data;
  throw schemaProblem(read.error.issues, 'body');
}
