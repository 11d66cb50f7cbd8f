/**
 * Which actions a transaction allows now, and why not where it does not. Guards protocol §7: the
 * opposite of a decision is never offered to any role; force is for transactions that the register has
 * pruned, where no decision can be recorded any more. The guards of the actions ask the same list.
 */
import type { ActionName, OfferedActionResource } from '@concordat/api';
import type { BranchView } from '@concordat/engine';
import { madeAtMs } from '@concordat/protocol';
import { placeOf } from './alone.js';
import { hasEnded } from './known-transaction.js';
import {
  isUnresolvedHeuristic,
  nothingLies,
  stateOf,
  waitingBranches,
  type Situation,
} from './situation.js';
import { durationText, instantText, listed, quoted } from '@concordat/words';

export interface Site {
  readonly isForceEnabled: boolean;
}

const OPERATOR = { role: 'operator', reason: false, ticket: false } as const;

export function offeredActions(situation: Situation, site: Site): OfferedActionResource[] {
  return [
    ...retries(situation),
    abort(situation),
    acknowledge(situation),
    ...forces(situation, site),
  ];
}

/** The entry that a request is about. */
export function entryOf(
  offered: readonly OfferedActionResource[],
  action: ActionName,
  branch: string | undefined,
): OfferedActionResource | undefined {
  return offered.find((one) => one.action === action && one.branch === branch);
}

function entry(
  action: ActionName,
  because: string | undefined,
  rest: Pick<OfferedActionResource, 'consequence' | 'needs'> & { readonly branch?: string },
): OfferedActionResource {
  return {
    action,
    ...(rest.branch === undefined ? {} : { branch: rest.branch }),
    offered: because === undefined,
    ...(because === undefined ? {} : { because }),
    consequence: rest.consequence,
    needs: rest.needs,
  };
}

function retries(situation: Situation): OfferedActionResource[] {
  const { known } = situation;
  const waiting = waitingBranches(situation);
  const because = whyNoRetry(situation, waiting);
  const to = listed(waiting.map((one) => quoted(one.participant))) || 'participants that lack it';
  const verb = known.decision?.toUpperCase() ?? 'the decision';
  const all = entry('retry', because, {
    consequence: `Sends ${verb} to ${to} now instead of later. It repeats the decision and changes nothing else.`,
    needs: OPERATOR,
  });
  if (because !== undefined || waiting.length < 2) return [all];
  const each = waiting.map((one) =>
    entry('retry', undefined, {
      branch: one.branch,
      consequence: `Sends ${verb} to ${quoted(one.participant)} now${inText(one, situation)}.`,
      needs: OPERATOR,
    }),
  );
  return [all, ...each];
}

function inText({ nextAttemptAtMs }: BranchView, { nowMs }: Situation): string {
  if (nextAttemptAtMs === undefined) return '';
  return ` instead of in ${durationText(Math.max(0, nextAttemptAtMs - nowMs))}`;
}

function whyNoRetry(situation: Situation, waiting: readonly BranchView[]): string | undefined {
  const { known } = situation;
  const place = placeOf(situation);
  if (known.decision === undefined) {
    const asks = place ? ` An abort asks ${quoted(place)} now what it has decided.` : '';
    return `Nothing is decided, so there is nothing to deliver.${asks}`;
  }
  if (hasEnded(known)) return 'It has ended: every branch has answered.';
  if (waiting.length === 0) return 'Every branch has answered.';
  if (known.decision === 'abort' && nothingLies(situation, waiting)) {
    return 'None of its branches is prepared any more: there is nothing to deliver.';
  }
  return undefined;
}

function abort(situation: Situation): OfferedActionResource {
  const place = placeOf(situation);
  return entry('abort', whyNoAbort(situation), {
    consequence: place
      ? `Asks ${quoted(place)}, which decides it alone, for an abort: if it has committed already, that is the answer, and otherwise it can no longer commit.`
      : 'Records an abort in the register: no branch keeps its work, and its client gets that answer. If its coordinator proposes commit at the same moment, the first of the two counts.',
    needs: { ...OPERATOR, reason: true },
  });
}

function whyNoAbort({ known, nowMs, isForgotten }: Situation): string | undefined {
  const since = known.decidedAtMs ?? known.endedAtMs;
  const when = since === undefined ? '' : ` at ${instantText(since, nowMs)}`;
  if (known.decision === 'commit') {
    return `COMMIT was decided${when} and cannot be undone. To undo its effects, begin a transaction that compensates.`;
  }
  if (known.decision === 'abort') return `ABORT was decided${when}.`;
  if (isForgotten) return 'It is past retention: no decision can be recorded any more.';
  if (hasEnded(known)) return 'It has ended.';
  return undefined;
}

function acknowledge(situation: Situation): OfferedActionResource {
  const { known, nowMs } = situation;
  const because = isUnresolvedHeuristic(situation)
    ? undefined
    : known.resolved
      ? `It was acknowledged by ${known.resolved.by} at ${instantText(known.resolved.atMs, nowMs)}.`
      : 'Its outcome is not heuristic.';
  return entry('acknowledge', because, {
    consequence:
      'Records that somebody has put right what disagreed, with the reason. It leaves the list of what needs attention; outcome and evidence stay as they are.',
    needs: { ...OPERATOR, reason: true, ticket: true },
  });
}

/** Force is for what is forgotten and prepared: there is no decision to contradict, and nothing else can end it. */
function forces(situation: Situation, { isForceEnabled }: Site): OfferedActionResource[] {
  const { known, isForgotten, prepared } = situation;
  if (placeOf(situation) !== undefined) return []; // Nothing is ever prepared that could be finished so.
  const candidates = isForgotten
    ? known.branches.filter((one) => prepared?.has(one.branch))
    : known.branches.filter((one) => waitingBranches(situation).includes(one)).slice(0, 1);
  return candidates.flatMap((one) =>
    (['commit', 'abort'] as const).map((decision) =>
      entry(`force-${decision}-branch`, whyNoForce(situation, isForceEnabled, decision), {
        branch: one.branch,
        consequence: forceConsequence(situation, one, decision),
        needs: {
          role: 'force',
          reason: true,
          ticket: false,
          confirm: `FORCE ${decision.toUpperCase()} ${lastSix(known.transaction)}`,
        },
      }),
    ),
  );
}

function whyNoForce(
  { known, isForgotten }: Situation,
  isForceEnabled: boolean,
  decision: 'commit' | 'abort',
): string | undefined {
  if (known.decision === decision) {
    return `${decision.toUpperCase()} was decided: retry delivers it, without force.`;
  }
  if (known.decision !== undefined) {
    return `${known.decision.toUpperCase()} was decided, and its opposite is never carried out here.`;
  }
  if (!isForgotten) return 'It can still be decided: abort it instead.';
  if (!isForceEnabled) {
    return 'Force is disabled here: a coordinator started with CONCORDAT_FORCE=enabled offers it.';
  }
  return undefined;
}

function forceConsequence(
  situation: Situation,
  branch: BranchView,
  decision: 'commit' | 'abort',
): string {
  const { known, nowMs } = situation;
  const others = known.branches.filter((one) => one.branch !== branch.branch);
  const verb = decision === 'commit' ? 'commits' : 'rolls back';
  const opposite = decision === 'commit' ? 'rolled back' : 'committed';
  const age = instantText(madeAtMs(known.transaction), nowMs);
  const named =
    others.length > 0 ? listed(others.map((one) => quoted(one.participant))) : undefined;
  const disagree = named
    ? `If ${named} ${opposite}, ${quoted(branch.participant)} disagrees with ${others.length === 1 ? 'it' : 'them'} permanently`
    : `Every other service of the transaction that ${opposite} disagrees with ${quoted(branch.participant)} permanently; which they were is no longer known`;
  const reach =
    stateOf(situation, branch.participant) === 'silent' ? ' It cannot be reached at present.' : '';
  return `${quoted(branch.participant)} ${verb} its branch of ${age}, whatever was decided. ${disagree}.${reach}`;
}

/**
 * What has to be typed besides the verb: the last six before the owner, which all transactions of a
 * coordinator share.
 */
export function lastSix(transaction: string): string {
  return transaction.slice(0, transaction.lastIndexOf('-')).slice(-6);
}
