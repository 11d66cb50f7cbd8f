/**
 * What makes a parsed body unfit for further use: names that poison prototypes, and more levels or
 * values than anything honest has. Guards "nothing is begun by a body that cannot be trusted to be
 * walked". The walk keeps its own stack, one frame a level, so that a hostile depth meets no recursion;
 * it writes no path down: where it is follows from the frames, and is computed only when something is found.
 */
import { invalidRequest, type Problem } from '../problems/problem.js';

export const JSON_DEPTH_MAX = 20;
/** Values in one body: what objects and lists hold, and they themselves. */
export const JSON_VALUES_MAX = 250_000;

const FIELD_LENGTH_MAX = 80;

/** An object or list that is being walked; `keys` are an object's. */
interface Frame {
  readonly value: readonly unknown[] | Readonly<Record<string, unknown>>;
  readonly keys: readonly string[] | undefined;
  readonly length: number;
  /** The member that comes next. */
  next: number;
}

/** The problem with a parsed body, or undefined. Takes time in proportion to the body, and no more memory than its depth. */
export function hostilePart(body: unknown): Problem | undefined {
  const frames: Frame[] = isContainer(body) ? [frameOf(body)] : [];
  let values = 1;
  for (let top = frames.at(-1); top; top = frames.at(-1)) {
    if (top.next === top.length) {
      frames.pop();
      continue;
    }
    const member = take(top);
    values += 1;
    if (top.keys?.[top.next - 1] === '__proto__') {
      return refused(frames, 'is not a name that a field may have');
    }
    if (values > JSON_VALUES_MAX) {
      const message = `holds more than ${JSON_VALUES_MAX} values`;
      return invalidRequest([{ field: 'body', message }]);
    }
    if (!isContainer(member)) continue;
    if (frames.length === JSON_DEPTH_MAX) {
      return refused(frames, `is nested deeper than ${JSON_DEPTH_MAX} levels`);
    }
    const frame = frameOf(member);
    if (frame.length > 0) frames.push(frame);
  }
  return undefined;
}

function isContainer(value: unknown): value is Frame['value'] {
  return value !== null && typeof value === 'object';
}

function frameOf(value: Frame['value']): Frame {
  if (Array.isArray(value)) return { value, keys: undefined, length: value.length, next: 0 };
  const keys = Object.keys(value);
  return { value, keys, length: keys.length, next: 0 };
}

function take(frame: Frame): unknown {
  const at = frame.keys ? (frame.keys[frame.next] as string) : frame.next;
  frame.next += 1;
  // The value of a member called __proto__ is its own here: JSON.parse defines it as any other.
  return (frame.value as Record<string | number, unknown>)[at];
}

/** A problem with the member that was taken last. */
function refused(frames: readonly Frame[], message: string): Problem {
  let path = '';
  for (const { keys, next } of frames) {
    const name = keys?.[next - 1];
    if (name === undefined) path += `[${next - 1}]`;
    else path += path === '' ? name : `.${name}`;
  }
  return invalidRequest([{ field: path.slice(0, FIELD_LENGTH_MAX), message }]);
}
