/**
 * What a role may do, in words for a button that needs a role. Guards "read-only is the default
 * role": the coordinator refuses in any case; the page says so before somebody has typed a reason.
 */
import type { AdminRole } from '@concordat/client';

const RANK: Readonly<Record<AdminRole, number>> = { viewer: 0, operator: 1, force: 2 };

/** Why somebody of this role may not do what needs that one; undefined when they may. */
export function whyMayNot(role: AdminRole, needed: AdminRole): string | undefined {
  if (RANK[role] >= RANK[needed]) return undefined;
  const article = needed === 'operator' ? 'an operator’s' : 'a force';
  return `You are signed in as ${role}, and this needs ${article} key.`;
}
