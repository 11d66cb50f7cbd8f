/**
 * Who may call a route, written beside the route. Guards "deny by default": a route without any of
 * these needs a key; `@Open` is for health and documentation, `@Needs` for what looks at or affects
 * other clients' transactions, `@AdminRoute` for what the admin view calls with its session.
 */
import { applyDecorators, createParamDecorator, SetMetadata } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { AdminSession } from './admin-sessions.js';
import type { Scope } from '../platform/api-key.js';
import type { Principal } from './key-ring.js';

export const OPEN_ROUTE = 'concordat:open-route';
export const REQUIRED_SCOPE = 'concordat:required-scope';
export const ADMIN_ROUTE = 'concordat:admin-route';

/** Needs no key. */
export const Open = () => SetMetadata(OPEN_ROUTE, true);

/** Needs a key of this scope or of one that includes it. */
export const Needs = (scope: Scope) => SetMetadata(REQUIRED_SCOPE, scope);

/** Needs a key that may look at everything, or the session that such a key has opened. */
export const AdminRoute = () => applyDecorators(SetMetadata(ADMIN_ROUTE, true), Needs('viewer'));

/** A request after the guard has let it in. */
export interface AuthenticatedRequest extends IncomingMessage {
  principal?: Principal;
  /** The session that let it in; absent with a key. */
  session?: AdminSession;
}

/** The principal that presented the request's key. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<AuthenticatedRequest>();
  if (!principal) throw new Error('a route that asks for its caller must not be open');
  return principal;
});
