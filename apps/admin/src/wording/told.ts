/**
 * What others wrote, as it may be shown. Guards "shown as it was written": characters that turn the text
 * around or have no width are named instead of obeyed, and a label of blanks still has a name to click.
 */

/** Marks, embeddings, overrides and isolates of direction. */
const TURNING = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;
const UNSEEN = /[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\u2800]/gu;

/** The text with every control of direction as its code, an override as `⟨U+202E⟩`. */
export function visible(text: string): string {
  return text.replace(TURNING, (one) => {
    const code = (one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return `⟨U+${code}⟩`;
  });
}

/** The label of a transaction, or words in its place where nothing of it would be seen. */
export function labelWords(label: string | undefined, none = 'no label'): string {
  if (label === undefined) return none;
  const shown = visible(label);
  return shown.replace(UNSEEN, '') === '' ? 'a label of blanks' : shown;
}
