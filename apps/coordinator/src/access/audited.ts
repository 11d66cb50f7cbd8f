/**
 * Carries something out between two entries of the audit. Guards "audited before it is done": without a
 * durable entry nothing is done, and the result is an entry of its own. Crash window: between the two, the
 * question has no answer, which is what the audit shows. Each new head of the chain is a line in the log as
 * well, which a person who can write to the database cannot take back.
 */
import { AuditTrail, type AuditDraft, type AuditRecord } from '@concordat/decision-log';
import { Refusal, RegisterUnknown } from '@concordat/engine';
import { HttpException, Injectable, Logger } from '@nestjs/common';
import type { Operator } from './acting.js';

/** What is asked for, before the caller and the result are known. */
export type Asked = Pick<
  AuditDraft,
  'action' | 'transaction' | 'branch' | 'gid' | 'reason' | 'ticket' | 'before'
>;

type Told = Readonly<Record<string, unknown>>;

export interface Done<T> {
  readonly auditId: string;
  readonly result: T;
}

@Injectable()
export class Audited {
  private readonly logger = new Logger('Audit');

  constructor(private readonly audit: AuditTrail) {
    this.audit.onAppended((entries) => {
      for (const { id, hash, action, phase, by } of entries) {
        this.logger.log(`audit ${id} ${hash} ${phase} ${action} by ${by}`);
      }
    });
  }

  /** Asks, carries out, answers. `tell` returns the result, in the words of the audit. */
  async run<T>(
    { by, role, from }: Operator,
    asked: Asked,
    carryOut: () => Promise<T>,
    tell: (result: T) => Told,
  ): Promise<Done<T>> {
    const draft = { by, role, ...(from === undefined ? {} : { from }), ...asked };
    const [question] = await this.audit.append([{ ...draft, phase: 'asked' }]);
    const auditId = (question as AuditRecord).id;
    const answer = (phase: AuditDraft['phase'], after: Told) =>
      this.record([{ ...draft, before: undefined, phase, answers: auditId, after }]);
    try {
      const result = await carryOut();
      await answer('done', tell(result));
      return { auditId, result };
    } catch (error) {
      const isRefused = error instanceof HttpException || error instanceof Refusal;
      const phase = isRefused ? 'refused' : 'failed';
      await answer(phase, { why: error instanceof Error ? error.message : String(error) });
      throw error;
    }
  }

  /** Entries of many at once: the questions, durable when this resolves. */
  async ask(drafts: readonly AuditDraft[]): Promise<AuditRecord[]> {
    return this.audit.append(drafts);
  }

  /** What was done is done: an answer that cannot be written goes to the log instead. */
  async answer(drafts: readonly AuditDraft[]): Promise<void> {
    return this.record(drafts);
  }

  private async record(drafts: readonly AuditDraft[]): Promise<void> {
    try {
      await this.audit.append(drafts);
    } catch (error) {
      if (!(error instanceof RegisterUnknown)) throw error;
      for (const { answers, phase, after } of drafts) {
        this.logger.error(
          `the answer to audit ${answers ?? '?'} was not written: ${phase} ${JSON.stringify(after)}`,
        );
      }
    }
  }
}
