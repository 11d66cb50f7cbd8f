/**
 * The global guard: a known key on every request, the operator scope where a route asks for it.
 * Guards "a key on every request from the first day": it is a guard, not middleware, so it covers
 * every method of every route, HEAD included.
 */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Problem } from '../problems/problem.js';
import { OPEN_ROUTE, REQUIRED_SCOPE, type AuthenticatedRequest } from './access.decorators.js';
import type { Scope } from './api-key.js';
import { bearerKey, KeyRing } from './key-ring.js';

@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    private readonly keys: KeyRing,
    private readonly reflector: Reflector,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(OPEN_ROUTE, targets)) return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const key = bearerKey(request.headers.authorization);
    const principal = key === undefined ? undefined : this.keys.principalOf(key);
    if (!principal) throw unauthorized(key !== undefined);
    const required = this.reflector.getAllAndOverride<Scope | undefined>(REQUIRED_SCOPE, targets);
    if (required === 'operator' && principal.scope !== 'operator') {
      throw new Problem(
        'forbidden',
        `The key "${principal.id}" has the scope ${principal.scope}; this needs a key of the operator scope.`,
      );
    }
    request.principal = principal;
    return true;
  }
}

function unauthorized(wasGiven: boolean): Problem {
  const detail = wasGiven
    ? 'The API key is not known here. Nothing was done; check the key, or ask the operator for one.'
    : 'The request carries no API key. Nothing was done; send `Authorization: Bearer <key>`.';
  return new Problem('unauthorized', detail, {
    headers: { 'WWW-Authenticate': 'Bearer realm="concordat"' },
    errors: [
      { field: 'header Authorization', message: wasGiven ? 'holds an unknown key' : 'is missing' },
    ],
  });
}
