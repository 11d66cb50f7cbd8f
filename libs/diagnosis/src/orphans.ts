/**
 * What may be done about an orphan, and why not where it may not. Guards protocol §7: an orphan is
 * finished by what the register says; force is offered only where the register has forgotten.
 */
import type { OrphanActionResource } from '@concordat/api';
import type { FoundOrphan, OrphanKind } from '@concordat/engine';
import { lastSix, type Site } from './offered-actions.js';
import { quoted } from '@concordat/words';

/** An orphan, and when it was found if its participant could not be compared the last time. */
export type ListedOrphan = FoundOrphan & { readonly foundAtMs?: number };

const OPERATOR = { role: 'operator', reason: false, ticket: false } as const;

export function nextOf({ kind, participant, verdict, foundAtMs }: ListedOrphan): string {
  const who = quoted(participant);
  if (foundAtMs !== undefined) {
    return `Whether it is still there is not known: ${who} could not be compared the last time. It is compared again as soon as ${who} answers.`;
  }
  switch (kind) {
    case 'prepared-unknown':
      return `${who} asks every few seconds; once its coordinator is known to be gone, an abort is recorded and it rolls back. Finish does that now.`;
    case 'prepared-decided':
      return `${who} gets ${verdict ?? 'the decision'} again automatically, and asks by itself. Finish does that now.`;
    case 'prepared-forgotten':
      return 'Nothing by itself: a person must compare the data of the services, then force the branch the way the others went.';
    case 'committed-undecided':
      return 'Once nothing can commit it any more, the comparison records it as heuristic by itself.';
    case 'decided-lost':
      return `The commit is delivered again by itself; ${who} then reports what it has found, which is recorded as heuristic.`;
  }
}

export function orphanActions(orphan: ListedOrphan, site: Site): OrphanActionResource[] {
  const actions = [finish(orphan), recordHeuristic(orphan), ...forces(orphan, site)];
  if (orphan.foundAtMs === undefined) return actions;
  const because = `${quoted(orphan.participant)} could not be compared the last time: whether it is still there is not known.`;
  return actions.map((one) => ({ ...one, offered: false, because }));
}

function offer(
  action: OrphanActionResource['action'],
  because: string | undefined,
  rest: Pick<OrphanActionResource, 'consequence' | 'needs'>,
): OrphanActionResource {
  const { consequence, needs } = rest;
  return because === undefined
    ? { action, offered: true, consequence, needs }
    : { action, offered: false, because, consequence, needs };
}

const NO_FINISH: Partial<Record<OrphanKind, string>> = {
  'prepared-forgotten': 'The register has forgotten it and cannot say what it must become.',
  'committed-undecided': 'It is committed there: there is nothing left to finish.',
};

function finish(orphan: FoundOrphan): OrphanActionResource {
  const who = quoted(orphan.participant);
  const consequence =
    orphan.verdict === undefined
      ? `Asks the register, records an abort if no decision is on record, and sends the decision to ${who}.`
      : `Tells ${who} to ${orphan.verdict === 'commit' ? 'commit' : 'roll back'}, as the register says.`;
  return offer('finish', NO_FINISH[orphan.kind], { consequence, needs: OPERATOR });
}

function recordHeuristic(orphan: FoundOrphan): OrphanActionResource {
  const because =
    orphan.kind === 'committed-undecided'
      ? undefined
      : orphan.kind === 'decided-lost'
        ? 'Finish delivers the commit again, and what is found then is recorded by itself.'
        : 'It is prepared there: nothing has been done against anything yet.';
  return offer('record-heuristic', because, {
    consequence: `Records an abort if no decision is on record, and records that ${quoted(orphan.participant)} has committed all the same.`,
    needs: { ...OPERATOR, reason: true },
  });
}

function forces(orphan: FoundOrphan, { isForceEnabled }: Site): OrphanActionResource[] {
  const because =
    orphan.kind === 'prepared-forgotten'
      ? isForceEnabled
        ? undefined
        : 'Force is disabled here: a coordinator started with CONCORDAT_FORCE=enabled offers it.'
      : 'The register can say what it must become: finish it by that.';
  const who = quoted(orphan.participant);
  return (['commit', 'abort'] as const).map((decision) => {
    const [does, opposite] =
      decision === 'commit' ? ['commits', 'rolled back'] : ['rolls back', 'committed'];
    return offer(`force-${decision}`, because, {
      consequence: `${who} ${does} the branch, whatever was decided. Every other service of the transaction that ${opposite} disagrees with ${who} permanently; which they were is no longer known.`,
      needs: {
        role: 'force',
        reason: true,
        ticket: false,
        confirm: `FORCE ${decision.toUpperCase()} ${lastSix(orphan.transaction)}`,
      },
    });
  });
}
