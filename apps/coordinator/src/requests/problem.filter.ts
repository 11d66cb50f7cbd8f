/**
 * The last stop of an error: any thrown value becomes problem+json. Guards "never a stack trace": an
 * unexpected exception is logged with its stack here and returned to the client only as `internal`, with the
 * hint that a transaction's outcome may be unknown.
 */
import {
  Catch,
  Logger,
  type ArgumentsHost,
  type ExceptionFilter,
  HttpException,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { NoCode } from '@concordat/protocol';
import { nearest } from '@concordat/words';
import type { ServerResponse, IncomingMessage } from 'node:http';
import type { NodeServer } from './node-server.js';
import { hintOf, KnownParticipants } from '../problems/near-names.js';
import { Problem } from '../problems/problem.js';
import { problemOf } from '../problems/problem-of.js';

interface Cause {
  readonly kind?: string;
  readonly participant?: string;
  readonly code?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Request');

  constructor(
    private readonly server: HttpAdapterHost<NodeServer>,
    private readonly participants: KnownParticipants,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<IncomingMessage & { originalUrl?: string }>();
    const response = http.getResponse<ServerResponse>();
    const problem = this.problemOf(thrown, request);
    if (response.headersSent || response.destroyed) {
      response.destroy(); // A stream that has begun can only be cut.
      return;
    }
    const body = this.withNames(problem.getResponse() as Record<string, unknown>);
    const text = JSON.stringify(body);
    response.statusCode = problem.getStatus();
    for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
    response.setHeader('Content-Type', 'application/problem+json; charset=utf-8');
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Content-Length', Buffer.byteLength(text));
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  /** An abort for want of a participant that has never answered is a typing error, most likely. */
  private withNames(body: Record<string, unknown>): Record<string, unknown> {
    const cause = (body['cause'] ?? {}) as Cause;
    const { kind, participant = '' } = cause;
    const operation = nearestOperation(cause);
    if (operation !== undefined) {
      return { ...body, detail: `${String(body['detail'])} Did you mean \`${operation}\`?` };
    }
    const isStranger = kind === 'unreachable' && this.participants.one(participant) === undefined;
    if (!isStranger || !this.participants.hasReadNames) return body;
    const names = this.participants.known().map((one) => one.participant);
    const stranger = `No participant of that name is known: none has answered, or it was retired. ${hintOf(participant, names)}`;
    return { ...body, detail: `${String(body['detail'])} ${stranger}` };
  }

  private problemOf(thrown: unknown, request: IncomingMessage & { originalUrl?: string }): Problem {
    const isOurs = thrown instanceof Problem || !(thrown instanceof HttpException);
    if (isOurs) return problemOf(thrown, this.logger);
    return frameworkProblem(thrown, request, this.server.httpAdapter);
  }
}

/** The known operation whose name is nearest to the one that its participant does not know. */
function nearestOperation({ code, details }: Cause): string | undefined {
  const { operation, known } = details ?? {};
  if (code !== NoCode.unknownOperation || typeof operation !== 'string') return undefined;
  return Array.isArray(known) ? nearest(operation, known.map(String)) : undefined;
}

/** What Nest and the server throw, in our words. */
function frameworkProblem(
  thrown: HttpException,
  request: IncomingMessage & { originalUrl?: string },
  server: NodeServer,
): Problem {
  if (thrown.getStatus() !== 404) return malformed(thrown);
  const path = (request.originalUrl ?? request.url ?? '/').split('?')[0] as string;
  const allowed = server.methodsOf(path);
  if (allowed.length === 0) {
    return new Problem('not-found', 'No route serves this path. See /docs for those that exist.');
  }
  return new Problem(
    'method-not-allowed',
    `This path does not serve ${request.method}; it serves ${allowed.join(', ')}.${insteadOf(request.method, path)}`,
    { headers: { Allow: allowed.join(', ') } },
  );
}

/** What somebody wants who sends a method that is not served there. */
function insteadOf(method: string | undefined, path: string): string {
  const isTransaction = /^\/v1\/transactions\/[^/]+\/?$/.test(path);
  if (!isTransaction) return '';
  if (method === 'DELETE') return ' To undo it, POST to its address with /rollback behind.';
  return ' To end it, POST to its address with /commit or /rollback behind.';
}

function malformed(thrown: HttpException): Problem {
  if (thrown.cause instanceof URIError) {
    return new Problem(
      'malformed-request',
      'The address cannot be read: its percent-encoding is broken. Nothing was done.',
      { errors: [{ field: 'path', message: 'has a broken percent-encoding' }] },
    );
  }
  return new Problem('malformed-request', 'The request cannot be read. Nothing was done.');
}
