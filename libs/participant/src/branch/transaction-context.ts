/**
 * The context that a direct call carries: `Concordat-Context: v1;tx=<transaction id>`. Guards
 * protocol §8: read case-insensitively, unknown fields ignored, an unknown version refused with a
 * clear code, and a context that cannot be read never taken for "no context".
 */
import { isTransactionId, type TransactionId } from '@concordat/protocol';
import { JoinRefused } from '@concordat/engine';

export const CONTEXT_HEADER = 'Concordat-Context';

/** The context header's value among headers of any shape: a record, fetch or NATS headers, a Map. */
export function contextHeaderOf(headers: unknown): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const wanted = CONTEXT_HEADER.toLowerCase();
  for (const [name, value] of entriesOf(headers)) {
    if (name.toLowerCase() !== wanted) continue;
    const first: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof first === 'string') return first;
  }
  return undefined;
}

/** The transaction a context names. Throws {@link JoinRefused} for one that cannot be read. */
export function parseContext(value: string): TransactionId {
  const [version, ...fields] = value.split(';').map((part) => part.trim());
  if (version !== 'v1') {
    throw new JoinRefused(
      'unknown-context-version',
      `this service reads version v1 of the ${CONTEXT_HEADER} header; update it, or send v1`,
    );
  }
  for (const field of fields) {
    const [name, text = ''] = field.split('=');
    if (name === 'tx' && isTransactionId(text)) return text;
  }
  throw new JoinRefused(
    'unreadable-context',
    `the ${CONTEXT_HEADER} header names no transaction; write v1;tx=<transaction id>`,
  );
}

function entriesOf(headers: object): Iterable<readonly [string, unknown]> {
  const iterable = headers as { [Symbol.iterator]?: unknown };
  return typeof iterable[Symbol.iterator] === 'function'
    ? (headers as Iterable<readonly [string, unknown]>)
    : Object.entries(headers);
}
