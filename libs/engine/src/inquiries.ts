/**
 * What others ask the manager about transactions, and report about their branches. Guards protocol §5, §6 and
 * §8: a decision on record is the answer, an abort is recorded where there is none, a report is checked
 * before it is believed, and each external asker can cause a bounded number of register rows.
 *
 * Crash windows of a report: before the evidence is durable no answer was sent, and the participant reports
 * again; after it, a repeat finds it recorded. An abort that has to be recorded first becomes durable with
 * the evidence or before it, and a crash in between leaves an abort that was certain anyway.
 */
import {
  decidedAt,
  madeAtMs,
  ownerOf,
  type Incarnation,
  type TransactionId,
} from '@concordat/protocol';
import { durationText } from '@concordat/words';
import { AskerQuotas, type Quota } from './asker-quotas.js';
import { judgeReport, type KnownOfReport, type ReportVerdict } from './heuristic-report.js';
import { answerInquiry, type InquirerPorts, type Question } from './inquirer.js';
import type { LiveTransaction } from './live-transaction.js';
import { mayBeThere } from './liveness.js';
import { NotBelieved } from './not-believed.js';
import type {
  Clock,
  HeuristicReport,
  InquiryAnswer,
  StandingDecision,
  TransactionHistory,
  TransactionStory,
} from './ports/index.js';
import { Refusal } from './refusal.js';

/** No clock of a coordinator should be this wrong: an id made later than this after now was made up. */
export const FUTURE_MS_MAX = 24 * 60 * 60_000;

export interface InquiriesPorts extends InquirerPorts {
  readonly clock: Clock;
  /** Without one, only the register and the live owner know whose a branch is. */
  readonly history?: TransactionHistory;
}

export interface InquiriesOptions {
  readonly incarnation: Incarnation;
  /** Aborts that inquiries of one participant may have recorded. */
  readonly abortsPerParticipant: Quota;
  /** Heuristic outcomes that are recorded at one participant's word. */
  readonly reportsPerParticipant: Quota;
}

/** Whether an id says that it was made later than any coordinator can have made one. */
export function isFromTheFuture(id: TransactionId, nowMs: number): boolean {
  return madeAtMs(id) > nowMs + FUTURE_MS_MAX;
}

export class Inquiries {
  private readonly aborts: AskerQuotas;
  private readonly reports: AskerQuotas;

  constructor(
    private readonly ports: InquiriesPorts,
    private readonly options: InquiriesOptions,
  ) {
    const { clock } = ports;
    this.aborts = new AskerQuotas(clock, options.abortsPerParticipant);
    this.reports = new AskerQuotas(clock, options.reportsPerParticipant);
  }

  /** What became of a transaction. Throws `NotBelieved` or a `Refusal` to an external asker. */
  answer(question: Question, live: LiveTransaction | undefined): Promise<InquiryAnswer> {
    const { incarnation } = this.options;
    const admitAbort = (asked: Question) => this.admitAbort(asked);
    return answerInquiry(question, live, this.ports, incarnation, admitAbort);
  }

  /**
   * Records a heuristic outcome at a participant's word, if what is known here bears it out. Throws
   * `NotBelieved`, or a `Refusal` that says to report again; rejects with `RegisterUnknown` when it
   * cannot look or write.
   */
  async report(report: HeuristicReport, live: LiveTransaction | undefined): Promise<void> {
    const { transaction, branch, participant, evidence } = report;
    const verdict = await this.judge(report, live);
    switch (verdict.kind) {
      case 'recorded':
        return;
      case 'not-believed':
        throw new NotBelieved(verdict.code, verdict.why);
      case 'try-again':
        throw new Refusal('cannot-tell-now', verdict.why, { retryAfterMs: 1_000 });
      case 'record':
    }
    const waitMs = this.reports.take(participant);
    if (waitMs !== undefined) throw overQuota('heuristic outcomes were reported', waitMs);
    const heuristic = { branch, participant, evidence };
    try {
      await this.ports.register.recordHeuristic(transaction, evidence.decision, heuristic);
    } catch (error) {
      this.reports.giveBack(participant); // It is reported again, and is written once.
      throw error;
    }
  }

  private async judge(
    report: HeuristicReport,
    live: LiveTransaction | undefined,
  ): Promise<ReportVerdict> {
    const { transaction } = report;
    const standing = await this.ports.register.standing(transaction);
    if (standing) return this.judgeStanding(report, standing, live);
    if (live) return judgeAtOwner(report, live);
    if (await this.mayBeLiveElsewhere(transaction)) {
      return again('its owner lives, or could not be asked; report it again later');
    }
    return this.judgeLeftBehind(report);
  }

  /** Silence proves nothing, and a report can wait. */
  private async mayBeLiveElsewhere(transaction: TransactionId): Promise<boolean> {
    if (ownerOf(transaction) === this.options.incarnation) return false;
    return mayBeThere(await this.ports.liveness.atOwner(transaction));
  }

  private async judgeStanding(
    report: HeuristicReport,
    standing: StandingDecision,
    live?: LiveTransaction,
  ): Promise<ReportVerdict> {
    const owned = live && !live.isTakenOver() ? [...live.memory.values()] : undefined;
    const known: KnownOfReport = {
      decision: standing.decision,
      committing: standing.branches,
      named: [...standing.branches, ...(owned ?? [])],
      isComplete: owned !== undefined,
      recorded: standing.heuristics,
    };
    if (known.named.some((one) => one.branch === report.branch)) return judgeReport(report, known);
    const story = await this.ports.history?.storyOf(report.transaction);
    return judgeReport(report, withStory(known, story));
  }

  /**
   * No decision is on record and the owner is gone. If its history names the branch, the participant may have
   * received "abort" from the owner itself, which then died: the abort is recorded, and the report is
   * compared with what is on record. Without a history nothing is written: an id is easily invented.
   */
  private async judgeLeftBehind(report: HeuristicReport): Promise<ReportVerdict> {
    const { transaction, branch, participant, evidence } = report;
    if (decidedAt(transaction) !== undefined) {
      const why =
        'its participant decides it in one phase, so nothing can be done there against a decision';
      return { kind: 'not-believed', code: 'no-contradiction', why };
    }
    if (evidence.decision !== 'abort') {
      const why = 'no commit is on record: no coordinator here has sent one';
      return { kind: 'not-believed', code: 'no-contradiction', why };
    }
    const story = await this.ports.history?.storyOf(transaction);
    const own = story?.branches.find((one) => one.branch === branch);
    if (own?.participant !== participant) {
      const code = own ? 'wrong-participant' : 'unknown-transaction';
      const why = own
        ? `branch ${branch} is not ${participant}'s`
        : `no decision is on record, and nothing is known of a branch ${branch} of ${participant}`;
      return { kind: 'not-believed', code, why };
    }
    const decided = await this.ports.register.decide({
      transaction,
      proposed: 'abort',
      finisher: this.options.incarnation,
      branches: [],
      note: { asked: { branch, participant } },
    });
    if (decided.kind === 'on-record') return this.judgeStanding(report, decided.standing);
    const why = 'its transaction is past retention: what was decided is no longer known';
    return { kind: 'not-believed', code: 'unknown-transaction', why };
  }

  private admitAbort({ transaction, asker }: Question): (written: boolean) => void {
    if (!asker) return () => undefined;
    if (isFromTheFuture(transaction, this.ports.clock.wallNow())) {
      const message = `${transaction} has a time stamp more than a day in the future: no abort is recorded for it`;
      throw new Refusal('made-in-the-future', message, { retryAfterMs: 60_000 });
    }
    const waitMs = this.aborts.take(asker.participant);
    if (waitMs !== undefined) throw overQuota('unknown transactions were asked about', waitMs);
    return (written) => {
      if (!written) this.aborts.giveBack(asker.participant);
    };
  }
}

/** No decision is on record, and the transaction is in the owner's own memory. */
function judgeAtOwner(report: HeuristicReport, live: LiveTransaction): ReportVerdict {
  const decision = live.decision();
  if (decision === undefined) {
    const why = 'nothing is decided yet, so there is nothing to contradict';
    return { kind: 'not-believed', code: 'no-contradiction', why };
  }
  // A commit on record was found above; one that is recorded meanwhile is found by the next report.
  if (decision === 'commit') return again('its decision was not on record yet; report it again');
  return judgeReport(report, {
    decision,
    committing: [],
    named: [...live.memory.values()],
    isComplete: true,
    recorded: [],
  });
}

function withStory(known: KnownOfReport, story: TransactionStory | undefined): KnownOfReport {
  if (!story) return known;
  const named = [...known.named, ...story.branches];
  return { ...known, named, isComplete: known.isComplete || story.isComplete };
}

function again(why: string): ReportVerdict {
  return { kind: 'try-again', why };
}

function overQuota(what: string, waitMs: number): Refusal {
  const message = `too many ${what} in your name: ask again in ${durationText(waitMs)}`;
  return new Refusal('over-quota', message, { retryAfterMs: waitMs });
}
