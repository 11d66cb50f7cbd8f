/**
 * What Nest's pipeline throws to refuse, as votes: a guard's, a pipe's or a handler's no is a no, not
 * a failure. Guards two rules: the reason says what an HTTP client would see of the exception, the
 * field with it; and no more than that, so never a stack or a cause, and never without a bound.
 */
import { HttpException, HttpStatus } from '@nestjs/common';
import { NoCode } from '@concordat/protocol';
import { VoteNo } from '../branch/vote-no.js';
import { isRpcException } from './rpc-exception.js';

const ISSUES_MAX = 10;
const MESSAGE_LENGTH_MAX = 300;
const REASON_LENGTH_MAX = 1_000;
const DEPTH_MAX = 8;
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;
const STACK = /\n\s*at [^]*$/;

/** Where the same transaction, begun again, may well succeed. */
const AGAIN: readonly number[] = [
  HttpStatus.REQUEST_TIMEOUT,
  425, // Too Early
  HttpStatus.TOO_MANY_REQUESTS,
];

interface Issue {
  readonly field?: string;
  readonly message: string;
}

/**
 * A refusal for a client error of Nest's or an `RpcException`; undefined for anything else, which is
 * a failure. The code is the status's name, `INVALID_INPUT` for 400; an `RpcException` may bring its
 * own, as `code`.
 */
export function refusalOf(error: unknown): VoteNo | undefined {
  if (isRpcException(error)) {
    const said = error.getError();
    const own = typeof said === 'object' ? (said as { code?: unknown }).code : undefined;
    const code = typeof own === 'string' && CODE.test(own) ? own : 'REFUSED';
    return refusal(code, said, error.message);
  }
  if (!(error instanceof HttpException)) return undefined;
  const status = error.getStatus();
  if (status >= Number(HttpStatus.INTERNAL_SERVER_ERROR)) return undefined;
  const isInput = status === Number(HttpStatus.BAD_REQUEST);
  const code = isInput ? NoCode.invalidInput : (HttpStatus[status] ?? 'REFUSED');
  const said: unknown = error.getResponse();
  // Nest keeps the message of an error that was wrapped to itself.
  const fallback = said instanceof Error ? code.toLowerCase().replaceAll('_', ' ') : error.message;
  return refusal(code, said, fallback, AGAIN.includes(status));
}

function refusal(code: string, said: unknown, fallback: string, retryable = false): VoteNo {
  const issues = firstOf(issuesIn(said), ISSUES_MAX);
  const parts = issues.map(({ field, message }) => (field ? `${field}: ${message}` : message));
  const reason = bounded(parts.join('; ') || clean(fallback), REASON_LENGTH_MAX);
  const field = issues.find((issue) => issue.field !== undefined)?.field;
  const isList = issues.length > 1 || field !== undefined;
  const details = isList ? { ...(field ? { field } : {}), issues } : undefined;
  return new VoteNo(code, details, { reason, retryable });
}

/** The messages in a response: Nest keeps them in `message`, validators also in `errors`. */
function* issuesIn(said: unknown): Generator<Issue> {
  if (typeof said === 'string') yield* issuesOf(said, '', 0);
  if (typeof said !== 'object' || said === null || said instanceof Error) return;
  const { message, errors } = said as { message?: unknown; errors?: unknown };
  yield* issuesOf(message, '', 0);
  if (typeof errors === 'object') yield* issuesOf(errors, '', 0);
}

/**
 * The messages in the shapes that validators give them: a text; a list; class-validator's errors,
 * with children; a standard schema's issues, with a path; texts by field.
 */
function* issuesOf(value: unknown, field: string, depth: number): Generator<Issue> {
  if (typeof value === 'string') {
    const message = clean(value);
    if (message) yield { ...(field ? { field: bounded(field, MESSAGE_LENGTH_MAX) } : {}), message };
    return;
  }
  if (typeof value !== 'object' || value === null || depth >= DEPTH_MAX) return;
  if (value instanceof Error) return;
  if (Array.isArray(value)) {
    for (const one of value as unknown[]) yield* issuesOf(one, field, depth + 1);
    return;
  }
  const { property, constraints, children, message, path } = value as Record<string, unknown>;
  if (typeof property === 'string') {
    const inner = join(field, property);
    for (const text of Object.values(constraints ?? {})) yield* issuesOf(text, inner, depth + 1);
    yield* issuesOf(children, inner, depth + 1);
  } else if (typeof message === 'string') {
    const segments = Array.isArray(path) ? (path as unknown[]).map(segmentOf) : [];
    yield* issuesOf(message, join(field, ...segments), depth + 1);
  } else {
    for (const [name, inner] of Object.entries(value)) {
      yield* issuesOf(inner, join(field, name), depth + 1);
    }
  }
}

/** A standard schema may give a segment as itself or as `{ key }`. */
function segmentOf(segment: unknown): string {
  return String((segment as { key?: unknown } | null)?.key ?? segment);
}

function join(...segments: readonly string[]): string {
  return segments.filter((segment) => segment !== '').join('.');
}

function clean(text: string): string {
  return bounded(text.replace(STACK, '').trim(), MESSAGE_LENGTH_MAX);
}

function bounded(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`;
}

function firstOf<T>(values: Iterable<T>, max: number): T[] {
  const first: T[] = [];
  for (const value of values) {
    first.push(value);
    if (first.length === max) break;
  }
  return first;
}
