/** What an action did, in a sentence. Guards "what happened, not what was asked". */
import type { Situation } from './situation.js';
import type { ActionName, BranchResultResource } from '@concordat/api';
import { listed, quoted } from '@concordat/words';

export function summaryOf(
  action: ActionName,
  branches: readonly BranchResultResource[],
  { known }: Situation,
): string {
  if (action === 'acknowledge') {
    const who = listed(branches.map((one) => quoted(one.participant)));
    return `The heuristic outcome of ${who || 'its branches'} is acknowledged; the evidence stays.`;
  }
  const of = (result: BranchResultResource['result']): string[] =>
    branches.filter((one) => one.result === result).map((one) => quoted(one.participant));
  const done = of('done');
  const [unreachable, refused, sent] = [of('unreachable'), of('refused'), of('sent')];
  const parts = [
    ...(done.length > 0 ? [`${listed(done)} ${VERB[action]}`] : []),
    ...(unreachable.length > 0 ? [`${listed(unreachable)} cannot be reached`] : []),
    ...(refused.length > 0 ? [`${listed(refused)} did not do it`] : []),
    ...(sent.length > 0
      ? [
          `${listed(sent)} ${sent.length > 1 ? 'were notified and have' : 'was notified and has'} not answered yet`,
        ]
      : []),
  ];
  const what = action.startsWith('force')
    ? done.length > 0
      ? 'Forced'
      : 'Not forced'
    : action === 'abort' && known.decision === 'abort'
      ? 'Aborted'
      : known.decision === undefined
        ? 'Done'
        : `${known.decision.toUpperCase()} decided`;
  return parts.length > 0 ? `${what}: ${parts.join('; ')}.` : `${what}.`;
}

const VERB: Readonly<Record<ActionName, string>> = {
  retry: 'acknowledged',
  abort: 'acknowledged',
  acknowledge: 'acknowledged',
  'force-commit-branch': 'committed its branch',
  'force-abort-branch': 'rolled its branch back',
};
