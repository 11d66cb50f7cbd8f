/**
 * What must hold in every story, with any expected trace: a rewritten trace can be wrong,
 * this cannot be rewritten. Protocol §3 (nothing is sent or answered against the register, one decision
 * permanently), §4 (a branch commits only if commit is on record) and §6 (exceptions only where a DBA or a
 * backup touched a branch).
 */
import type { InquiryAnswer, TransactionView } from '@concordat/engine';
import { decidedAt, parseGid, type Decision, type TransactionId } from '@concordat/protocol';
import type { RegisterStore } from '../simulation/simulated-register.js';
import type { Database } from './gated-database.js';
import type { NetworkListener } from './manual-network.js';
import type { Trace } from './trace.js';

export class Watch implements NetworkListener {
  private readonly complaints: string[] = [];

  constructor(
    private readonly register: RegisterStore,
    private readonly databases: ReadonlyMap<string, Database>,
    private readonly trace: Trace,
  ) {}

  /** No message says more than what is on record at this moment. */
  sent(kind: string, transaction: string | undefined, content: unknown): void {
    if (transaction === undefined) return;
    const stands = this.standing(transaction);
    const name = this.trace.name(transaction);
    const said = kind === 'answer' ? decisionIn(content as InquiryAnswer) : kind;
    if (decidedAt(transaction as TransactionId) !== undefined) {
      if (kind === 'answer') this.toldThere(transaction as TransactionId, said);
      return;
    }
    if (said === 'commit' && stands !== 'commit') {
      this.complain(`${kind} "commit ${name}" left though ${stands ?? 'nothing'} is on record`);
    }
    if (said === 'abort' && stands === 'commit') {
      this.complain(`${kind} "abort ${name}" left though commit is on record`);
    }
  }

  /** No client is answered more than what is on record, and a commit of nothing is the only one not written. */
  told(view: TransactionView): void {
    if (decidedAt(view.transaction) !== undefined) {
      const wrote = view.branches.some((one) => one.vote?.kind !== 'read-only');
      if (wrote) this.toldThere(view.transaction, view.decision);
      return;
    }
    const stands = this.standing(view.transaction);
    const name = this.trace.name(view.transaction);
    const wrote = view.branches.some((one) => one.vote?.kind === 'prepared');
    if (view.decision === 'abort' && stands === 'commit') {
      this.complain(`a client was answered that ${name} aborts though commit is on record`);
    }
    const known = this.register.rows.get(view.transaction)?.heuristics ?? [];
    for (const { branch, outcome } of view.branches) {
      if (
        view.outcome &&
        outcome?.kind === 'heuristic' &&
        !known.some((one) => one.branch === branch)
      ) {
        this.complain(`a client was answered how ${name} ended before its evidence was recorded`);
      }
    }
    if (view.decision === 'commit' && stands !== 'commit' && (wrote || stands === 'abort')) {
      this.complain(
        `a client was answered that ${name} commits though ${stands ?? 'nothing'} is on record`,
      );
    }
  }

  /** In one phase the database of its participant decides: no answer says more than the row that is there. */
  private toldThere(transaction: TransactionId, said: string | undefined): void {
    const place = decidedAt(transaction) ?? '';
    const rows = [...(this.databases.get(place)?.store.outcome ?? [])];
    const row = rows.find(([gid]) => gid.includes(transaction))?.[1];
    const name = this.trace.name(transaction);
    if (said === 'commit' && row !== 'branch') {
      this.complain(`${name} was told as committed though ${place} has ${row ?? 'no row'}`);
    }
    if (said === 'abort' && row === 'branch') {
      this.complain(`${name} was told as aborted though ${place} has committed it`);
    }
  }

  failed(error: unknown): void {
    this.complain(error instanceof Error ? String(error.stack) : String(error));
  }

  /** Everything that was wrong so far, and what is wrong now. */
  check(): string[] {
    const { history } = this.register;
    for (const [at, { transaction, decision }] of history.entries()) {
      const earlier = history.slice(0, at).find((one) => one.transaction === transaction);
      if (earlier) {
        const name = this.trace.name(transaction);
        this.complain(`${name} was decided ${earlier.decision} and then ${decision}`);
      }
    }
    for (const database of this.databases.values()) this.checkDatabase(database);
    return this.complaints;
  }

  private checkDatabase({ name, store, tampered }: Database): void {
    for (const [gid, row] of store.outcome) {
      if (tampered.has(gid)) continue;
      const transaction = parseGid(gid)?.transaction as TransactionId;
      const stands = this.standing(transaction);
      if (decidedAt(transaction) !== undefined) {
        const isCopied = stands === undefined || stands === (row === 'branch' ? 'commit' : 'abort');
        if (isCopied) continue;
        this.complain(
          `${this.trace.name(transaction)} is ${row} at ${name}, and ${stands} on record`,
        );
        continue;
      }
      const branches = this.register.rows.get(transaction)?.branches ?? [];
      const what = this.trace.name(transaction);
      if (row === 'branch' && stands !== 'commit') {
        this.complain(`${what} is committed at ${name} though ${stands ?? 'nothing'} is on record`);
      }
      if (row === 'tombstone' && branches.some((one) => one.participant === name)) {
        this.complain(`${what} is aborted at ${name} though commit is on record`);
      }
    }
    for (const [gid, times] of store.applied) {
      if (times === 1 || tampered.has(gid)) continue;
      this.complain(`${this.trace.plain(gid)} was applied ${times} times at ${name}`);
    }
  }

  private standing(transaction: string): Decision | undefined {
    return this.register.rows.get(transaction as TransactionId)?.decision;
  }

  private complain(complaint: string): void {
    if (!this.complaints.includes(complaint)) this.complaints.push(complaint);
  }
}

function decisionIn(answer: InquiryAnswer): Decision | undefined {
  return answer.kind === 'decided' ? answer.decision : undefined;
}
