/** The Idempotency-Key of a request. */
import { Problem } from '../problems/problem.js';

/** The key of a request, or the problem with it. */
export function idempotencyKeyOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (/^[\x20-\x7e]{1,255}$/.test(header) && header.trim() !== '') return header;
  const message = 'must be 1 to 255 printable ASCII characters';
  throw new Problem('invalid-request', `The Idempotency-Key ${message}. Nothing was begun.`, {
    errors: [{ field: 'header Idempotency-Key', message }],
  });
}
