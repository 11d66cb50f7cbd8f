/** Orphans as the admin API shows them, and what may be done about one. */
import { z } from 'zod';
import { Decision } from '../status.js';
import { PreparedBranchResource } from './participant.js';
import { Needs, reasonFields } from './needs.js';

export const ORPHAN_KINDS = [
  'prepared-unknown',
  'prepared-decided',
  'prepared-forgotten',
  'committed-undecided',
  'decided-lost',
] as const;

export const ORPHAN_ACTIONS = [
  'finish',
  'record-heuristic',
  'force-commit',
  'force-abort',
] as const;
export const OrphanActionName = z.enum(ORPHAN_ACTIONS, {
  error: `must be one of ${ORPHAN_ACTIONS.join(', ')}`,
});
export type OrphanActionName = z.infer<typeof OrphanActionName>;

export const OrphanActionResource = z
  .object({
    action: OrphanActionName.meta({
      description:
        '`finish`: as the register says; the force ones only where the register has forgotten',
    }),
    offered: z.boolean(),
    because: z.string().optional(),
    consequence: z.string(),
    needs: Needs,
  })
  .meta({ id: 'OrphanAction' });
export type OrphanActionResource = z.infer<typeof OrphanActionResource>;

export const OrphanResource = z
  .object({
    gid: z.string(),
    transactionId: z.string(),
    branch: z.string(),
    participant: z.string(),
    kind: z.enum(ORPHAN_KINDS).meta({
      description:
        '`prepared-unknown`: prepared there, neither live nor decided here; `prepared-decided`: decided here, and no coordinator finishes it; `prepared-forgotten`: past retention, the decision is no longer known; `committed-undecided`: committed there, not here; `decided-lost`: decided commit here, neither prepared nor committed there',
    }),
    heldMs: z.number().min(0).optional(),
    prepared: PreparedBranchResource.optional(),
    verdict: Decision.optional().meta({
      description: 'what the register says it must become, where it says so',
    }),
    evidence: z.string().meta({ description: 'one sentence: what was found where' }),
    foundAt: z.iso.datetime().optional().meta({
      description:
        'when it was found, where its participant could not be compared the last time: whether it is still there is not known',
    }),
    next: z.string(),
    actions: z.array(OrphanActionResource),
    etag: z.string().meta({ description: 'what If-Match must carry to act on it' }),
  })
  .meta({ id: 'Orphan' });
export type OrphanResource = z.infer<typeof OrphanResource>;

export const OrphanListResource = z
  .object({
    orphans: z.array(OrphanResource),
    notCompared: z
      .array(z.object({ participant: z.string(), why: z.string() }))
      .meta({ description: 'participants that the last comparison could not look into' }),
    comparedAt: z.iso.datetime().optional(),
    serverTime: z.iso.datetime(),
  })
  .meta({ id: 'AdminOrphanList' });
export type OrphanListResource = z.infer<typeof OrphanListResource>;

export const OrphanActionBody = z
  .strictObject({
    gid: z
      .string()
      .regex(
        /^cc:[a-z0-9]{8}:[0-9a-hjkmnp-tv-z]{26}-[a-z0-9]{8}:[1-9][0-9]{0,3}$/,
        'must be the gid of a branch',
      ),
    participant: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be a participant name'),
    action: OrphanActionName,
    ...reasonFields,
  })
  .meta({ id: 'OrphanActionRequest' });
export type OrphanActionBody = z.infer<typeof OrphanActionBody>;

export const OrphanActionResultResource = z
  .object({
    gid: z.string(),
    result: z.enum(['done', 'unreachable', 'refused', 'nothing-to-do']),
    summary: z.string(),
    auditId: z.string(),
  })
  .meta({ id: 'OrphanActionResult' });
export type OrphanActionResultResource = z.infer<typeof OrphanActionResultResource>;
