/**
 * What values weigh in memory, about: enough to bound it, without serialising anything. A string may
 * take two bytes a character, and every value and name has its slot; what is read from JSON weighs at
 * least what its text does. Time in proportion to the number of values, no recursion.
 */

/** A value in an object or list, or the name of one. */
const SLOT_BYTES = 16;
const CONTAINER_BYTES = 64;
/** No message has more; a value that holds itself, which no JSON does, ends the walk here. */
const VALUES_MAX = 1_000_000;

/** Bytes that a value of JSON takes, about; rather too many than too few. */
export function weightOf(value: unknown): number {
  const left: unknown[] = [value];
  let bytes = 0;
  for (let values = 0; left.length > 0 && values < VALUES_MAX; values++) {
    const one = left.pop();
    bytes += SLOT_BYTES;
    if (typeof one === 'string') bytes += 2 * one.length;
    if (one === null || typeof one !== 'object') continue;
    bytes += CONTAINER_BYTES;
    if (Array.isArray(one)) {
      for (const member of one) left.push(member);
      continue;
    }
    for (const [name, member] of Object.entries(one)) {
      bytes += SLOT_BYTES + 2 * name.length;
      left.push(member);
    }
  }
  return bytes;
}
