/**
 * The global guard: a known key on every request, the scope that a route asks for, and nothing but
 * looking for a viewer. Guards "a key on every request from the first day": it is a guard, not
 * middleware, so it covers every method of every route, HEAD included. The admin view's session counts
 * as a key on admin routes only, and changes something only with a header that no other site can send.
 */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Problem } from '../problems/problem.js';
import {
  ADMIN_ROUTE,
  OPEN_ROUTE,
  REQUIRED_SCOPE,
  type AuthenticatedRequest,
} from './access.decorators.js';
import { AdminSessions } from './admin-sessions.js';
import { includes, type Scope } from '../platform/api-key.js';
import { KeyRing, type Principal } from './key-ring.js';

/** Sent by the admin view with every change; a form or an image cannot send it. */
export const ADMIN_HEADER = 'x-concordat-admin';

const LOOKING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    private readonly keys: KeyRing,
    private readonly sessions: AdminSessions,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(OPEN_ROUTE, targets)) return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const isAdmin = this.reflector.getAllAndOverride<boolean | undefined>(ADMIN_ROUTE, targets);
    const principal = await this.principalOf(request, isAdmin === true);
    const required = this.reflector.getAllAndOverride<Scope | undefined>(REQUIRED_SCOPE, targets);
    const isLooking = LOOKING.has(request.method ?? '');
    const needed = isAdmin && !isLooking && required === 'viewer' ? 'operator' : required;
    if (needed && !includes(principal.scope, needed)) throw forbidden(principal, needed);
    if (principal.scope === 'viewer' && !isLooking) throw forbidden(principal, 'client');
    request.principal = principal;
    return true;
  }

  private async principalOf(request: AuthenticatedRequest, isAdmin: boolean): Promise<Principal> {
    const presented = this.keys.presentedBy(request);
    if (presented.kind === 'known') return presented.principal;
    if (presented.kind === 'unknown') throw unauthorized('unknown');
    if (isAdmin && this.sessions.of(request)) await this.sessions.upToDate();
    const session = isAdmin ? this.sessions.of(request) : undefined;
    if (!session) throw unauthorized(writtenAs(request.headers.authorization));
    if (!LOOKING.has(request.method ?? '') && request.headers[ADMIN_HEADER] !== '1') {
      throw new Problem(
        'admin-header-missing',
        'A session changes nothing without the header `X-Concordat-Admin: 1`, which only the view itself can send. Nothing was done.',
        { errors: [{ field: 'header X-Concordat-Admin', message: 'must be 1' }] },
      );
    }
    request.session = session;
    return session.principal;
  }
}

const MAKE_ONE = (scope: Scope): string =>
  `The operator of this installation makes one with the coordinator’s command \`keygen --scope ${scope} --id <name>\`.`;

/** Says which scope would do, and how to come by it. */
export function forbidden({ id, scope }: Principal, needed: Scope): Problem {
  const why =
    scope === 'viewer'
      ? 'which looks at everything and changes nothing'
      : scope === 'client'
        ? 'which sees and does what is its own'
        : 'which acts by the rules only';
  return new Problem(
    'forbidden',
    `The key "${id}" has the scope ${scope}, ${why}; this needs a key of the ${needed} scope. Nothing was done. ${MAKE_ONE(needed)}`,
    { members: { scope, needed } },
  );
}

type Wrong = 'missing' | 'unknown' | 'not-bearer';

/** What is wrong with an `Authorization` header that holds no bearer key. */
function writtenAs(header: string | undefined): Wrong {
  if (header === undefined || header.trim() === '') return 'missing';
  return 'not-bearer';
}

const UNAUTHORIZED: Readonly<Record<Wrong, readonly [detail: string, message: string]>> = {
  missing: [
    'The request carries no API key. Nothing was done; send `Authorization: Bearer <key>`.',
    'is missing',
  ],
  unknown: [
    'The API key is not known here. Nothing was done; check the key, or ask the operator for one.',
    'holds an unknown key',
  ],
  'not-bearer': [
    'The Authorization header is not of the form `Bearer <key>`. Nothing was done; write `Bearer ` and then the key alone, no Basic and no key by itself.',
    'must be `Bearer <key>`',
  ],
};

function unauthorized(wrong: Wrong): Problem {
  const [detail, message] = UNAUTHORIZED[wrong];
  return new Problem('unauthorized', detail, {
    headers: { 'WWW-Authenticate': 'Bearer realm="concordat"' },
    errors: [{ field: 'header Authorization', message }],
  });
}
