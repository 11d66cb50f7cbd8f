/** Counts, lists and instants in words, for sentences that people read. */

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** More than a sentence can carry; the branch table has them all. */
const LISTED_MAX = 4;

/** `a`, `a and b`, `a, b and c`; of more than `most`, `a, b, c and 61 more`. */
export function listed(words: readonly string[], most = LISTED_MAX): string {
  if (words.length <= 1) return words[0] ?? '';
  if (words.length > most) {
    return `${words.slice(0, most - 1).join(', ')} and ${words.length - most + 1} more`;
  }
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}

export const quoted = (name: string): string => `\`${name}\``;

/** `12:03` of today, else the day as well; UTC. */
export function instantText(ms: number, nowMs: number): string {
  const iso = new Date(ms).toISOString();
  const isToday = iso.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10);
  return isToday ? `${iso.slice(11, 16)} UTC` : `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

/** The first words of what somebody else said, on one line. */
export function shortly(text: string, lengthMax = 160): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > lengthMax ? `${line.slice(0, lengthMax - 1)}…` : line;
}
