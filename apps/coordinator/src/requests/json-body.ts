/**
 * Checks on bodies that come before any schema: media type, depth, poisoned keys. Guards "nothing is
 * begun by a body that cannot be trusted to be walked": the walk here keeps its own stack, so a
 * hostile depth meets no recursion, and a `__proto__` key is refused rather than silently dropped.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { invalidRequest, Problem } from '../problems/problem.js';

export const JSON_DEPTH_MAX = 20;

type Next = (error?: unknown) => void;

/** Refuses a body that is not `application/json` in UTF-8, before it is read. */
export function requireJson(request: IncomingMessage, _response: ServerResponse, next: Next): void {
  if (!hasBody(request)) return next();
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '')
    .toLowerCase()
    .split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  if (type.trim() === 'application/json' && isUtf8) return next();
  next(
    new Problem(
      'unsupported-media-type',
      'The body must be application/json in UTF-8: set the Content-Type header. Nothing was begun.',
      { errors: [{ field: 'header Content-Type', message: 'must be application/json' }] },
    ),
  );
}

/** Refuses a parsed body that is too deep or has a `__proto__` key. An absent body is an empty one. */
export function refuseHostileJson(
  request: IncomingMessage & { body?: unknown },
  _response: ServerResponse,
  next: Next,
): void {
  if (request.method === 'POST') request.body ??= {};
  next(hostilePart(request.body));
}

/** The problem with a parsed body, or undefined. */
export function hostilePart(body: unknown): Problem | undefined {
  const stack: { value: unknown; depth: number; path: string }[] = [
    { value: body, depth: 1, path: '' },
  ];
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { value, depth, path } = top;
    if (value === null || typeof value !== 'object') continue;
    if (depth > JSON_DEPTH_MAX) {
      const message = `is nested deeper than ${JSON_DEPTH_MAX} levels`;
      return invalidRequest([{ field: path.slice(0, 80) || 'body', message }]);
    }
    for (const [key, member] of Object.entries(value)) {
      const at = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
      if (key === '__proto__') {
        return invalidRequest([{ field: at, message: 'is not a name that a field may have' }]);
      }
      stack.push({ value: member, depth: depth + 1, path: at });
    }
  }
  return undefined;
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return (
    request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
  );
}
