/**
 * From here to there: commits on record that have not ended, whose branches are neither prepared nor
 * committed at their participant any more. Guards "say what is known": it only reports; the delivery, which
 * never stops, gets the same answer and records it.
 */
import { formatGid, type ClusterId, type ParticipantName } from '@concordat/protocol';
import { durationText } from '@concordat/words';
import type {
  OutcomeKey,
  ParticipantInspector,
  PreparedBranchReport,
  UnfinishedCommit,
} from '../ports/index.js';
import type { FoundOrphan } from './found-orphan.js';

const FATES_PAGE = 200;
const ASKED_MAX = 1_000;

/** `prepared` was read before: a branch that committed meanwhile is found by its outcome row. */
export async function lostCommits(
  inspector: ParticipantInspector,
  cluster: ClusterId,
  participant: ParticipantName,
  unfinished: readonly UnfinishedCommit[],
  prepared: readonly PreparedBranchReport[],
): Promise<FoundOrphan[]> {
  const held = new Set<string>(prepared.map((one) => one.gid));
  const missing = new Map<string, OutcomeKey & { readonly decidedAgoMs: number }>();
  for (const { transaction, branches, decidedAgoMs } of unfinished) {
    for (const one of branches) {
      if (one.participant !== participant || missing.size >= ASKED_MAX) continue;
      const { branch } = one;
      const gid = formatGid({ cluster, transaction, branch });
      if (!held.has(gid)) missing.set(gid, { transaction, branch, decidedAgoMs });
    }
  }
  const gids = [...missing.keys()];
  const lost: FoundOrphan[] = [];
  for (let at = 0; at < gids.length; at += FATES_PAGE) {
    const asked = gids.slice(at, at + FATES_PAGE);
    const answer = await inspector.look(participant, { gids: asked });
    const fates = answer.kind === 'answered' ? answer.answer.details.fates : undefined;
    if (!fates) return lost;
    for (const { gid, fate } of fates) {
      const known = missing.get(gid);
      if (!known || fate === 'prepared' || fate === 'committed') continue;
      const { transaction, branch, decidedAgoMs } = known;
      const there =
        fate === 'tombstone'
          ? 'the tombstone of an abort is there'
          : 'it is neither prepared there nor has it an outcome row';
      const evidence = `Commit was decided ${durationText(decidedAgoMs)} ago and is not acknowledged; ${there}.`;
      const kind = 'decided-lost';
      lost.push({ gid, transaction, branch, participant, kind, verdict: 'commit', evidence });
    }
  }
  return lost;
}
