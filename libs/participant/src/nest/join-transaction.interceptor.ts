/**
 * Direct calls with a transaction context: the handler runs in the transaction's branch. Guards "it
 * enlists before any work, and refuses the call if it cannot": a caller that sent a context must
 * never get work that was committed on its own.
 */
import {
  HttpException,
  HttpStatus,
  Inject,
  Injectable,
  SetMetadata,
  UseInterceptors,
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { sendFault } from '@concordat/channel';
import { JoinRefused, VoteNoError } from '@concordat/engine';
import { NoCode } from '@concordat/protocol';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { Branch, findBranch } from '../branch/current-branch.js';
import { CONTEXT_HEADER, contextHeaderOf, parseContext } from '../branch/transaction-context.js';
import { BranchRunner } from './branch-runner.js';
import { ParticipantHost } from './participant.host.js';
import { ParticipantRegistry } from './participant-registry.js';
import { refusalOf } from './refusal-of.js';
import { rpcException } from './rpc-exception.js';
import { JOIN_OPTIONS } from './tokens.js';

export interface JoinOptions {
  /** Refuse calls without a context, instead of running them outside of any transaction. */
  readonly required?: boolean;
  /** Whose branch the call works in; needed where the application has several participants. */
  readonly participant?: string;
}

/** On a controller or a handler, HTTP or NATS: calls with a context join its transaction. */
export function JoinTransaction(options: JoinOptions = {}): ClassDecorator & MethodDecorator {
  return applyDecorators(
    SetMetadata(JOIN_OPTIONS, options),
    UseInterceptors(JoinTransactionInterceptor),
  );
}

/** Reports to the caller which branch its call worked in; absent when it did not join. */
const BRANCH_HEADER = 'Concordat-Branch';

interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Who joins: the participant of this name, or the only one. */
interface Joining {
  readonly runner: BranchRunner;
  readonly host: ParticipantHost;
}

@Injectable()
export class JoinTransactionInterceptor implements NestInterceptor {
  /** Set where this interceptor joins for one of several participants, whatever it is bound to. */
  readonly only?: string;

  constructor(
    @Inject(BranchRunner) private readonly runner: BranchRunner,
    @Inject(ParticipantHost) private readonly host: ParticipantHost,
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(ParticipantRegistry) private readonly registry: ParticipantRegistry,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    // An operation has its branch: there is nothing to join.
    if (context.getArgByIndex<unknown>(1) instanceof Branch) return next.handle();
    const bound = joinOptionsOf(this.reflector, context.getClass(), context.getHandler());
    // What a handler asks for by name is handled by the interceptor that it brings.
    if (this.only !== undefined && (bound.participant ?? this.only) !== this.only) {
      return next.handle();
    }
    const joining = this.joiningFor(this.only ?? bound.participant);
    const header = contextHeaderOf(headersOf(context));
    if (header === undefined) {
      if (!bound.required) return next.handle();
      const reason = `this call works in a transaction only: send its ${CONTEXT_HEADER} header`;
      return from(this.refuse(context, joining, new JoinRefused('context-required', reason)));
    }
    // Bound twice, to a class and to its handler: the first has joined.
    if (isInside(joining.host.name, header)) return next.handle();
    return from(this.joined(context, next, header, joining));
  }

  private joiningFor(participant: string | undefined): Joining {
    const { runner, host, registry } = this;
    if (participant === undefined || !registry.several) return { runner, host };
    return { runner: registry.runnerOf(participant), host: registry.hostOf(participant) };
  }

  private async joined(
    context: ExecutionContext,
    next: CallHandler,
    header: string,
    joining: Joining,
  ) {
    let own: unknown;
    try {
      return await joining.runner.run(header, async (branch) => {
        responseOf(context)?.header?.(BRANCH_HEADER, branch.branch);
        try {
          // Subscribed inside the branch, or the handler would run outside of it.
          return (await lastValueFrom(next.handle(), { defaultValue: undefined })) as unknown;
        } catch (error) {
          // The caller gets what the handler or a pipe threw; the branch gets a refusal.
          const refusal = refusalOf(error);
          if (refusal) own = error;
          throw refusal ?? error;
        }
      });
    } catch (error) {
      if (own !== undefined) throw own;
      return this.refuse(context, joining, error);
    }
  }

  /** Throws what Nest turns into an answer: over HTTP a problem, elsewhere the same object as the error. */
  private async refuse(
    context: ExecutionContext,
    joining: Joining,
    error: unknown,
  ): Promise<never> {
    const problem = this.problemOf(joining, error);
    if (!problem) throw error;
    if (context.getType() === 'rpc') throw await rpcException({ ...problem });
    responseOf(context)?.header?.('Content-Type', 'application/problem+json');
    throw new HttpException(problem, problem.status);
  }

  private problemOf({ host }: Joining, error: unknown): Problem | undefined {
    if (error instanceof JoinRefused) {
      const { code, message, vote } = error;
      const status = STATUS_OF[code] ?? HttpStatus.CONFLICT;
      const retryable = vote?.retryable ?? status === HttpStatus.SERVICE_UNAVAILABLE;
      return problem(code, 'The call cannot take part in the transaction', message, status, {
        ...vote,
        retryable,
      });
    }
    const vote = error instanceof VoteNoError ? error.vote : host.voteOf(error);
    // A statement that is wrong in itself is the service's failure, also to a caller in a transaction.
    if (!vote || (!(error instanceof VoteNoError) && vote.code === NoCode.handlerFailed)) {
      return undefined;
    }
    const title = 'The branch refuses; its transaction will abort';
    return problem(vote.code, title, vote.reason, HttpStatus.CONFLICT, vote);
  }
}

/** Whether this code runs in the branch that the header would join. */
function isInside(participant: string, header: string): boolean {
  const branch = findBranch();
  if (branch?.participant !== participant) return false;
  return branch !== undefined && branch.transaction === parseContext(header);
}

/** What `@JoinTransaction` says of a handler: its own word first, then its class's. */
export function joinOptionsOf(
  reflector: Pick<Reflector, 'get'>,
  type: Type,
  handler: ReturnType<ExecutionContext['getHandler']>,
): JoinOptions {
  const ofClass = reflector.get<JoinOptions | undefined>(JOIN_OPTIONS, type);
  const ofHandler = reflector.get<JoinOptions | undefined>(JOIN_OPTIONS, handler);
  const { required } = ofHandler ?? ofClass ?? {};
  return { required, participant: ofHandler?.participant ?? ofClass?.participant };
}

const STATUS_OF: Readonly<Record<string, HttpStatus>> = {
  'unknown-context-version': HttpStatus.BAD_REQUEST,
  'unreadable-context': HttpStatus.BAD_REQUEST,
  'context-required': HttpStatus.PRECONDITION_REQUIRED,
  'not-ready': HttpStatus.SERVICE_UNAVAILABLE,
  'coordinator-unreachable': HttpStatus.SERVICE_UNAVAILABLE,
};

function problem(
  code: string,
  title: string,
  detail: string,
  status: HttpStatus,
  more: { retryable: boolean; details?: Readonly<Record<string, unknown>> },
): Problem {
  const { retryable, details: given } = more;
  // As on the wire: a code that arrives is worth more than details that cannot be sent.
  const details = sendFault(given, 'strict') ? undefined : given;
  return {
    type: 'about:blank',
    title,
    status,
    code,
    detail,
    retryable,
    ...(details ? { details } : {}),
  };
}

function headersOf(context: ExecutionContext): unknown {
  if (context.getType() === 'http') {
    return context.switchToHttp().getRequest<{ headers?: unknown }>().headers;
  }
  const rpc = context.switchToRpc().getContext<{ getHeaders?: () => unknown } | undefined>();
  return rpc?.getHeaders?.();
}

/** Express and Fastify both set a header with `header(name, value)`. */
function responseOf(context: ExecutionContext) {
  if (context.getType() !== 'http') return undefined;
  return context
    .switchToHttp()
    .getResponse<{ header?: (name: string, value: string) => unknown } | undefined>();
}
