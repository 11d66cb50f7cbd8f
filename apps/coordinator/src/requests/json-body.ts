/**
 * Reads a request's body: who may send one, media type, size, time, text, JSON, and what no schema asks
 * for: hostile parts, repeated names, numbers that JavaScript cannot hold. Guards "what a client sent is what a
 * participant gets", and "a stranger costs nothing": without a key a body is neither read nor parsed, and
 * what is left of one that is not read to its end closes the connection.
 */
import { durationText } from '@concordat/words';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '@concordat/engine';
import type { Allowance } from '../access/body-allowance.js';
import { invalidRequest, Problem } from '../problems/problem.js';
import { fieldName } from '../problems/schema-problem.js';
import type { BodyBudget } from './body-budget.js';
import { inexactNumbers, type InexactNumber } from './exact-numbers.js';
import { hostilePart } from './hostile-part.js';
import { repeatedNames } from './repeated-names.js';

type Next = (error?: unknown) => void;
type Handler = (
  request: IncomingMessage & { body?: unknown },
  response: ServerResponse,
  next: Next,
) => void;

export interface BodyLimits {
  /** Whose body this is, and how large it may be; undefined: it is not read at all. */
  readonly allowanceOf: (request: IncomingMessage) => Allowance | undefined;
  readonly budget: BodyBudget;
  /** A body that is not whole after so long is refused. */
  readonly deliverMs: number;
  readonly clock: Pick<Clock, 'after'>;
}

/** After an answer, what is left of the body may still come for so long; then the connection ends. */
const LINGER_MS = 1_000;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Puts the parsed body on the request; an absent one is empty. Passes on the problem of one that is not
 * fit. One that may not be sent is left alone: the guard of the route says why.
 */
export function readJson(limits: BodyLimits): Handler {
  return (request, response, next) => {
    if (!hasBody(request)) {
      if (request.method === 'POST') request.body = {};
      return next();
    }
    closeUnlessRead(request, response);
    const allowance = limits.allowanceOf(request);
    if (!allowance) return next();
    const { bytesMax, owner } = allowance;
    const problem = unsupported(request) ?? oversized(request, bytesMax);
    if (problem) return next(problem);
    const back = limits.budget.take(owner, Number(request.headers['content-length'] ?? bytesMax));
    if (back instanceof Problem) return next(back);
    response.once('close', () => back()); // Also when it was answered, or the client has gone.
    bytesOf(request, bytesMax, limits).then(
      (bytes) => {
        back(bytes.length);
        const read = parse(bytes);
        if (read instanceof Problem) return next(read);
        request.body = read.value;
        next();
      },
      (error: unknown) => next(error),
    );
  };
}

/**
 * Ends the connection of a request that was answered before its body was read. The rest is dropped for a
 * moment, so that an honest sender reads the answer instead of a reset.
 */
function closeUnlessRead(request: IncomingMessage, response: ServerResponse): void {
  response.once('finish', () => {
    if (request.complete) return;
    const cut = setTimeout(() => request.socket.destroy(), LINGER_MS);
    request.once('close', () => clearTimeout(cut));
    request.resume();
  });
}

/** A body that is not `application/json` in UTF-8, or is compressed. */
function unsupported({ headers }: IncomingMessage): Problem | undefined {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  if (type.trim() !== 'application/json' || !isUtf8) {
    return new Problem(
      'unsupported-media-type',
      'The body must be application/json in UTF-8: set the Content-Type header. Nothing was done.',
      { errors: [{ field: 'header Content-Type', message: 'must be application/json' }] },
    );
  }
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() === 'identity') return undefined;
  return new Problem(
    'unsupported-media-type',
    'The body must be application/json in UTF-8 and not compressed. Nothing was done.',
    { errors: [{ field: 'header Content-Encoding', message: 'must be absent' }] },
  );
}

function oversized({ headers }: IncomingMessage, bytesMax: number): Problem | undefined {
  return Number(headers['content-length'] ?? 0) > bytesMax ? tooLarge(bytesMax) : undefined;
}

function tooLarge(bytesMax: number): Problem {
  return new Problem(
    'payload-too-large',
    `The body is larger than the ${bytesMax} bytes that this coordinator accepts. Nothing was done; split the work or send less.`,
    { errors: [{ field: 'body', message: `is larger than ${bytesMax} bytes` }] },
  );
}

/** The bytes of the body. Rejects with the problem of one that is too large, too slow or was cut off. */
function bytesOf(
  request: IncomingMessage,
  bytesMax: number,
  { deliverMs, clock }: Pick<BodyLimits, 'deliverMs' | 'clock'>,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const cancel = clock.after(deliverMs, () => end(() => reject(tooSlow(deliverMs))));
    const end = (settle: () => void): void => {
      cancel();
      request.off('data', onData).off('end', onEnd).off('close', onCut).off('error', onCut);
      settle();
    };
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > bytesMax) end(() => reject(tooLarge(bytesMax)));
    };
    const onEnd = (): void => end(() => resolve(Buffer.concat(chunks, length)));
    const onCut = (): void => end(() => reject(malformed('ends before it is whole')));
    request.on('data', onData).on('end', onEnd).on('close', onCut).on('error', onCut);
  });
}

function tooSlow(deliverMs: number): Problem {
  return new Problem(
    'body-too-slow',
    `The body was not whole within ${durationText(deliverMs)}. Nothing was done; send it again, faster or smaller.`,
    { errors: [{ field: 'body', message: `was not whole within ${durationText(deliverMs)}` }] },
  );
}

function parse(bytes: Buffer): { readonly value: unknown } | Problem {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return malformed('is not UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // Only the position of the parser's message is used: the rest quotes the body.
    const position = /at position (\d+)/.exec((error as Error).message)?.[1];
    return malformed(`is not JSON${position === undefined ? '' : `, at position ${position}`}`);
  }
  if (value === null || typeof value !== 'object') return malformed('is not a JSON object');
  const hostile = hostilePart(value);
  if (hostile) return hostile;
  const repeated = repeatedNames(text, value);
  if (repeated.length > 0) return repeatedProblem(repeated);
  const changed = inexactNumbers(text);
  return changed.length > 0 ? inexactProblem(changed) : { value };
}

function malformed(what: string): Problem {
  return new Problem(
    'malformed-request',
    `The body ${what}. Nothing was done; correct it and send it again.`,
    { errors: [{ field: 'body', message: what }] },
  );
}

function inexactProblem(changed: readonly InexactNumber[]): Problem {
  return invalidRequest(
    changed.map(({ path, arrivesAs }) => ({
      field: fieldName(path),
      message: `is a number that cannot be carried exactly: it would arrive as ${arrivesAs}. Send it as text, or with fewer digits`,
    })),
  );
}

function repeatedProblem(repeated: ReturnType<typeof repeatedNames>): Problem {
  const message = 'is there twice in one object: leave one of them out';
  return invalidRequest(repeated.map((path) => ({ field: fieldName(path), message })));
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return (
    request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
  );
}
