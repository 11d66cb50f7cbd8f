/** Who does something through the admin API, and from where: what the audit wants to know. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { AdminRole } from '@concordat/api';
import type { AuthenticatedRequest } from './access.decorators.js';

export interface Operator {
  readonly by: string;
  readonly role: AdminRole;
  readonly from?: string;
}

/**
 * Where a request comes from: the peer, or the client that the peer names if it is a trusted proxy.
 * `X-Forwarded-For` from any other peer is ignored.
 */
export function addressOf(request: IncomingMessage & { readonly ip?: string }): string | undefined {
  const peer = request.socket.remoteAddress;
  const { ip } = request; // The header is walked back through the trusted ones only.
  if (ip === undefined || peer === undefined || ip === peer) return peer;
  return `${peer} for ${ip.slice(0, 100)}`;
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
