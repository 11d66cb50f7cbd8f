/** How a trace says things: one short phrase per message, vote, outcome, cause and decision. */
import type {
  BranchWait,
  Decided,
  EnlistmentAnswer,
  FinishAnswer,
  FinishRequest,
  HeardReport,
  HeuristicReport,
  InquiryAnswer,
  KeyClaim,
  OperationCall,
  PrepareAnswer,
  PrepareRequest,
  ReportAnswer,
  TransactionView,
  TransactionWaits,
  WaitReport,
  WaitingBranch,
  WorkAnswer,
  WorkRequest,
} from '@concordat/engine';
import type { AbortCause, BranchOutcome, Enlisted, Vote } from '@concordat/protocol';
import type { KeyedAnswer } from '../simulation/keyed-requests.js';
import type { RequestKind } from '../simulation/messages.js';
import type { Trace } from './trace.js';

/** What an answer to a request is called, so that a story can deliver or drop it. */
export const REPLY_KIND: Readonly<Record<RequestKind, string>> = {
  work: 'done',
  prepare: 'vote',
  commit: 'ack',
  abort: 'ack',
  inquire: 'answer',
  report: 'recorded',
  enlist: 'enlisted',
  ping: 'pong',
  live: 'liveness',
  mark: 'answer',
  waits: 'noted',
  'waits-of': 'told',
  'waits-now': 'seen',
  join: 'joined',
  heard: 'told',
  look: 'seen',
};

/** What a request carries besides its kind and its transaction. */
export function requestDetail(kind: RequestKind, message: unknown): string {
  switch (kind) {
    case 'work':
      return ` ${operations((message as WorkRequest).operations)}`;
    case 'prepare': {
      const calls = (message as PrepareRequest).operations;
      return calls ? ` with ${operations(calls)}` : '';
    }
    case 'report': {
      const { evidence } = message as HeuristicReport;
      return ` should ${evidence.decision} but is ${evidence.found}`;
    }
    case 'commit':
    case 'abort':
    case 'inquire':
    case 'enlist':
    case 'ping':
    case 'live':
    case 'mark':
    case 'look':
      return '';
    case 'waits':
      return waitsText((message as WaitReport).waits);
    case 'waits-of':
      return ` ${listed(message as string[])}`;
    case 'waits-now':
      return ` ${listed((message as WaitingBranch[]).map((one) => one.transaction))}`;
    case 'heard':
      return ` ${listed((message as string[]).map((gid) => gid.split(':')[2] ?? gid))}`;
    case 'join':
      return ` ${(message as { claim: KeyClaim }).claim.key}`;
  }
}

/** What an answer says. */
export function replyDetail(kind: RequestKind, reply: unknown): string {
  switch (kind) {
    case 'work': {
      const { result } = reply as WorkAnswer;
      return result.kind === 'done' ? '' : voteText(result);
    }
    case 'prepare': {
      const said = reply as PrepareAnswer;
      return said.kind === 'vote' ? voteText(said.vote) : `refused: ${said.code}`;
    }
    case 'commit':
    case 'abort':
      return finishText(reply as FinishAnswer);
    case 'inquire': {
      const said = reply as InquiryAnswer;
      return said.kind === 'decided' ? said.decision : said.kind;
    }
    case 'enlist': {
      const said = reply as EnlistmentAnswer;
      return said.kind === 'refused' ? `refused: ${said.code}` : '';
    }
    case 'live':
      return (reply as { live: boolean }).live ? 'live here' : 'not live here';
    case 'report': {
      const said = reply as ReportAnswer;
      return said.recorded ? '' : `no: ${said.code}`;
    }
    case 'waits-of':
      return waitsText((reply as TransactionWaits[]).flatMap(({ waits }) => waits)).trim();
    case 'waits-now':
      return waitsText(reply as BranchWait[]).trim();
    case 'heard': {
      const { heard = [] } = reply as HeardReport;
      return heard.length === 0
        ? 'no prepare has come'
        : `it has come of ${listed(heard.map((gid) => gid.split(':')[2] ?? gid))}`;
    }
    case 'join': {
      const { told } = reply as { told?: KeyedAnswer };
      if (!told) return 'nothing runs here';
      return told.view ? `${told.transaction} ${told.view.status}` : storedText(told);
    }
    case 'ping':
    case 'mark':
    case 'waits':
    case 'look':
      return '';
  }
}

function waitsText(waits: readonly BranchWait[]): string {
  const said = waits.map(({ transaction, holders, withoutSession }) => {
    const held = holders.map((one) => (one.kind === 'branch' ? one.transaction : 'somebody else'));
    const how = withoutSession ? 'waits without a session behind' : 'waits for';
    return `${transaction} ${how} ${listed(held)}`;
  });
  return said.length > 0 ? ` ${said.join('; ')}` : ' nothing waits';
}

export function transactionIn(kind: RequestKind, message: unknown): string | undefined {
  switch (kind) {
    case 'work':
    case 'prepare':
    case 'commit':
    case 'abort':
      return (message as FinishRequest).to.transaction;
    case 'inquire':
    case 'report':
    case 'enlist':
    case 'live':
      return (message as { transaction: string }).transaction;
    case 'ping':
    case 'mark':
    case 'waits':
    case 'waits-of':
    case 'waits-now':
    case 'join':
    case 'heard':
    case 'look':
      return undefined;
  }
}

export function voteText(vote: Vote): string {
  if (vote.kind !== 'no') return vote.kind;
  return vote.retryable ? `no: ${vote.code}, retryable` : `no: ${vote.code}`;
}

export function outcomeText(outcome: BranchOutcome): string {
  if (outcome.kind !== 'heuristic') return outcome.kind;
  return `heuristic: ${outcome.evidence.found}`;
}

export function decidedText(decided: Decided, trace: Trace): string {
  switch (decided.kind) {
    case 'forgotten':
      return 'forgotten';
    case 'key-taken':
      return `the key belongs to ${trace.name(decided.holder.transaction)}`;
    case 'on-record': {
      const { standing, byUs } = decided;
      return byUs
        ? `${standing.decision} is on record`
        : `${standing.decision} is on record already`;
    }
  }
}

export function participantsOf(branches: readonly Enlisted[]): string {
  return listed(branches.map((one) => one.participant));
}

export function listed(names: readonly string[]): string {
  if (names.length < 2) return names[0] ?? 'no participant';
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** What a client learns from a view: an end, a decision, or that there is none yet. */
export function viewText(view: TransactionView, trace: Trace): string {
  const why = view.cause ? `, ${causeText(view.cause, trace)}` : '';
  if (view.outcome) return `${view.outcome}${why}`;
  if (view.decision) return `${view.decision} is decided${why}`;
  return `not decided yet, ${view.status}`;
}

/** The answer of the transaction that holds a request's key. */
export function storedText({ transaction, decision }: KeyedAnswer): string {
  return `given the stored answer of ${transaction}: ${decision}`;
}

export function causeText(cause: AbortCause, trace: Trace): string {
  switch (cause.kind) {
    case 'vote':
      return `${cause.participant} voted ${voteText(cause.vote)}`;
    case 'unreachable':
      return `${cause.participant} was not there`;
    case 'deadline':
      return cause.missing.length > 0
        ? `no vote of ${listed(cause.missing)} by the deadline`
        : 'the deadline passed';
    case 'rollback-requested':
      return cause.reason;
    case 'doubtful-work':
      return `it is unknown whether ${cause.participant} did its work`;
    case 'given-up':
      return `its owner gave it up, knowing nothing of ${cause.participant}`;
    case 'idempotency-key':
      return `its key belongs to ${trace.name(cause.winner)}`;
    case 'operator':
      return `an operator said: ${cause.reason}`;
    case 'undetermined':
      return 'an abort was on record already';
  }
}

function finishText(answer: FinishAnswer): string {
  switch (answer.kind) {
    case 'acknowledged':
      return outcomeText(answer.outcome);
    case 'not-yet':
      return `not yet: ${answer.reason}`;
    case 'refused':
      return `refused: ${answer.code}`;
  }
}

function operations(calls: readonly OperationCall[]): string {
  return calls.map((one) => one.name).join('+');
}
