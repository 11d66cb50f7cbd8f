/**
 * Durations as people write them in a URL or a header: `20` (seconds), `20s`, `500ms`, `2m`. Guards
 * "every bound is explicit": anything else is refused with the forms that are understood.
 */
const form = /^(\d{1,7}(?:\.\d{1,3})?)(ms|s|m)?$/;

const MS_PER: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

export const DURATION_FORMS = 'a duration such as 20 (seconds), 20s, 500ms or 2m';

/** Milliseconds of a written duration; a bare number counts seconds. Undefined when unreadable. */
export function parseDurationMs(text: string): number | undefined {
  const match = form.exec(text.trim());
  if (!match) return undefined;
  const [, amount, unit = 's'] = match;
  return Math.round(Number(amount) * (MS_PER[unit] as number));
}
