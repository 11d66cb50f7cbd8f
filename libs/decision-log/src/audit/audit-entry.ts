/**
 * An entry of the audit and its hash. Guards "nothing of an entry can change unnoticed": the hash is
 * taken over every field in a canonical form and over the hash of the entry before it, so that an edited,
 * removed or moved entry breaks the chain at its place.
 */
import { createHash } from 'node:crypto';

export type AuditPhase = 'asked' | 'done' | 'refused' | 'failed';

/** What is about to be done, or what came of it. */
export interface AuditDraft {
  readonly by: string;
  readonly role: string;
  /** Where the request came from. */
  readonly from?: string;
  readonly action: string;
  readonly transaction?: string;
  readonly branch?: string;
  readonly gid?: string;
  readonly reason?: string;
  readonly ticket?: string;
  readonly phase: AuditPhase;
  /** The entry whose result this one records. */
  readonly answers?: string;
  readonly before?: Readonly<Record<string, unknown>>;
  readonly after?: Readonly<Record<string, unknown>>;
}

export interface AuditRecord extends AuditDraft {
  /** Its place in the chain: 1, 2, … */
  readonly id: string;
  readonly atMs: number;
  readonly hash: string;
}

/** What the first entry names as the hash before it. */
export const GENESIS = '0'.repeat(64);

export interface Placed {
  readonly sequence: number;
  readonly atMs: number;
  readonly previous: string;
}

export function hashOf(draft: AuditDraft, { sequence, atMs, previous }: Placed): string {
  const { by, role, from, action, transaction, branch, gid, reason, ticket, phase } = draft;
  const fields = [sequence, atMs, by, role, from, action, transaction, branch, gid, reason, ticket];
  const rest = [phase, draft.answers, draft.before, draft.after, previous];
  const text = canonical([...fields, ...rest].map((field) => field ?? null));
  return createHash('sha256').update(text).digest('hex');
}

/** JSON with sorted names: the same text, however the value was stored and read back. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}
