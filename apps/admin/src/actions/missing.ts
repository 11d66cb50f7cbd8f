/**
 * What an action still needs before it may be asked for. Guards "typed, not clicked": what must be typed
 * is compared to the letter.
 */
import type { OfferedAction } from '@concordat/client';

/** The first thing that is still missing, in words. */
export function whatIsMissing(
  needs: OfferedAction['needs'],
  said: { readonly reason: string; readonly ticket: string; readonly confirm: string },
): string | undefined {
  if (needs.reason && said.reason.trim() === '') return 'A reason is needed.';
  if (needs.ticket && said.ticket.trim() === '') return 'A ticket is needed.';
  if (needs.confirm !== undefined && said.confirm !== needs.confirm) {
    return 'The confirmation has to be typed exactly.';
  }
  return undefined;
}
