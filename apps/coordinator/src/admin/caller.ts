/** Who does something through the admin API, and from where: what the audit wants to know. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { AuthenticatedRequest } from '../access/access.decorators.js';
import type { AdminRole } from './session/session.schema.js';

export interface Operator {
  readonly by: string;
  readonly role: AdminRole;
  readonly from?: string;
}

/** Where a request comes from: the peer, and what a proxy in front says of the one behind it. */
export function addressOf(request: IncomingMessage): string | undefined {
  const peer = request.socket.remoteAddress;
  const forwarded = request.headers['x-forwarded-for'];
  const told = (Array.isArray(forwarded) ? forwarded.join(', ') : forwarded)?.slice(0, 200);
  const isPlain = told !== undefined && /^[\w.:, [\]-]+$/.test(told);
  return isPlain && peer !== undefined ? `${peer} for ${told}` : peer;
}

/** The caller as the audit names it. */
export const Acting = createParamDecorator((_: unknown, context: ExecutionContext): Operator => {
  const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
  const { principal } = request;
  if (!principal) throw new Error('a route that acts must not be open');
  const from = addressOf(request);
  return {
    by: principal.id,
    role: principal.scope as AdminRole, // The guard lets no client in.
    ...(from === undefined ? {} : { from }),
  };
});
