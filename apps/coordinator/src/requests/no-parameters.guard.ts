/**
 * Parameters of routes that have none. Guards "what is asked is honoured or refused": a list that ignores a
 * filter answers with what was not asked for. Routes with parameters refuse unknown ones by their schema.
 */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ROUTE_ARGS_METADATA, RouteParamtypes } from '@nestjs/common/internal';
import { z } from 'zod';
import { schemaProblem } from '../problems/schema-problem.js';

/** Of this API; what probes and browsers add to other addresses is theirs. */
const OURS = '/v1/';
const None = z.strictObject({});

interface Request {
  readonly url?: string;
  readonly query?: unknown;
}

@Injectable()
export class NoParametersGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { url = '', query } = context.switchToHttp().getRequest<Request>();
    if (!url.includes('?') || !url.startsWith(OURS) || takesParameters(context)) return true;
    const { error } = None.safeParse(query ?? {});
    if (error) throw schemaProblem(error.issues, 'query', None);
    return true;
  }
}

function takesParameters(context: ExecutionContext): boolean {
  const asked = Reflect.getMetadata(
    ROUTE_ARGS_METADATA,
    context.getClass(),
    context.getHandler().name,
  ) as object | undefined;
  return Object.keys(asked ?? {}).some((key) => key.startsWith(`${RouteParamtypes.QUERY}:`));
}
