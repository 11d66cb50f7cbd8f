/**
 * Who may call a route, written beside the route. Guards "deny by default": a route without any of
 * these needs a key; `@Open` is for health and documentation, `@OperatorsOnly` for what affects
 * other clients' transactions.
 */
import { createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Principal } from './key-ring.js';

export const OPEN_ROUTE = 'concordat:open-route';
export const REQUIRED_SCOPE = 'concordat:required-scope';

/** Needs no key. */
export const Open = () => SetMetadata(OPEN_ROUTE, true);

/** Needs a key of the operator scope. */
export const OperatorsOnly = () => SetMetadata(REQUIRED_SCOPE, 'operator');

/** A request after the guard has let it in. */
export interface AuthenticatedRequest extends IncomingMessage {
  principal?: Principal;
}

/** The principal that presented the request's key. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<AuthenticatedRequest>();
  if (!principal) throw new Error('a route that asks for its caller must not be open');
  return principal;
});
