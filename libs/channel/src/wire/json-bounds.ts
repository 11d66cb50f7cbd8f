/**
 * Bounds of free-form JSON: inputs and outputs belong to the participants, so no schema describes
 * them; their depth is bounded all the same, and a key that would reach an object's prototype is
 * refused at any depth.
 */
import { JSON_DEPTH_MAX } from './limits.js';

/** What is wrong with a parsed JSON value and where, or undefined. Iterative: depth costs no stack. */
export function jsonFault(
  root: unknown,
  depthMax = JSON_DEPTH_MAX,
): { path: string; what: string } | undefined {
  const open: { value: unknown; depth: number; path: string }[] = [
    { value: root, depth: 1, path: '' },
  ];
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth, path } = next;
    if (value === null || typeof value !== 'object') continue;
    if (depth > depthMax) {
      return { path, what: `nests deeper than ${depthMax} levels` };
    }
    const isArray = Array.isArray(value);
    for (const key of Object.keys(value)) {
      if (!isArray && key === '__proto__') return { path, what: 'has a key named __proto__' };
      const child = (value as Record<string, unknown>)[key];
      if (child !== null && typeof child === 'object') {
        open.push({ value: child, depth: depth + 1, path: path ? `${path}.${key}` : key });
      }
    }
  }
  return undefined;
}
