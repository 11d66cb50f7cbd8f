/**
 * Reads a request's body: media type, size, text, JSON, and what no schema asks for: depth, poisoned
 * keys, numbers that JavaScript cannot hold. Guards "what a client sent is what a participant gets" and
 * "nothing is begun by a body that cannot be trusted to be walked": the walk keeps its own stack, so a
 * hostile depth meets no recursion, and what would arrive changed or dropped is refused by its name.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { invalidRequest, Problem } from '../problems/problem.js';
import { fieldName } from '../problems/schema-problem.js';
import { inexactNumbers, type InexactNumber } from './exact-numbers.js';

export const JSON_DEPTH_MAX = 20;

type Next = (error?: unknown) => void;
type Handler = (
  request: IncomingMessage & { body?: unknown },
  response: ServerResponse,
  next: Next,
) => void;

export interface BodyLimits {
  readonly bytesMax: number;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Puts the parsed body on the request; an absent one is empty. Hands on the problem of one that is not fit. */
export function readJson(limits: BodyLimits): Handler {
  return (request, _response, next) => {
    if (!hasBody(request)) {
      if (request.method === 'POST') request.body = {};
      return next();
    }
    const problem = unsupported(request) ?? oversized(request, limits);
    if (problem) return next(problem);
    bytesOf(request, limits).then(
      (bytes) => {
        const read = parse(bytes);
        if (read instanceof Problem) return next(read);
        request.body = read.value;
        next();
      },
      (error: unknown) => next(error),
    );
  };
}

/** A body that is not `application/json` in UTF-8, or is compressed. */
function unsupported({ headers }: IncomingMessage): Problem | undefined {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  if (type.trim() !== 'application/json' || !isUtf8) {
    return new Problem(
      'unsupported-media-type',
      'The body must be application/json in UTF-8: set the Content-Type header. Nothing was begun.',
      { errors: [{ field: 'header Content-Type', message: 'must be application/json' }] },
    );
  }
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() === 'identity') return undefined;
  return new Problem(
    'unsupported-media-type',
    'The body must be application/json in UTF-8 and not compressed. Nothing was begun.',
    { errors: [{ field: 'header Content-Encoding', message: 'must be absent' }] },
  );
}

function oversized({ headers }: IncomingMessage, { bytesMax }: BodyLimits): Problem | undefined {
  return Number(headers['content-length'] ?? 0) > bytesMax ? tooLarge(bytesMax) : undefined;
}

function tooLarge(bytesMax: number): Problem {
  return new Problem(
    'payload-too-large',
    `The body is larger than the ${bytesMax} bytes that this coordinator accepts. Nothing was begun; split the work or send less.`,
    { errors: [{ field: 'body', message: `is larger than ${bytesMax} bytes` }] },
  );
}

/** The bytes of the body. Rejects with the problem of one that is too large or was cut off. */
function bytesOf(request: IncomingMessage, { bytesMax }: BodyLimits): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const end = (settle: () => void): void => {
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
    // Of the parser's message only the position is told: the rest quotes the body.
    const position = /at position (\d+)/.exec((error as Error).message)?.[1];
    return malformed(`is not JSON${position === undefined ? '' : `, at position ${position}`}`);
  }
  if (value === null || typeof value !== 'object') return malformed('is not a JSON object');
  const hostile = hostilePart(value);
  if (hostile) return hostile;
  const changed = inexactNumbers(text);
  return changed.length > 0 ? inexactProblem(changed) : { value };
}

function malformed(what: string): Problem {
  return new Problem(
    'malformed-request',
    `The body ${what}. Nothing was begun; correct it and send it again.`,
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
