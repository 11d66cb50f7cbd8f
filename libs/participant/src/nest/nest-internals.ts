/**
 * All that this library knows of Nest's internals, in one place: the keys under which Nest's own
 * decorators leave metadata, the numbers of its parameter decorators, and the context of a request.
 * Written down instead of imported: Nest 10 and 11 keep them in other files than Nest 12, and all three
 * use the same. Guards against silence after an upgrade: a spec compares them with the installed Nest.
 */
import { ContextIdFactory, type ModulesContainer } from '@nestjs/core';

export const CONTROLLER_WATERMARK = '__controller__';
export const ENTRY_PROVIDER_WATERMARK = '__entryProvider__';
export const EXCEPTION_FILTERS_METADATA = '__exceptionFilters__';
export const INJECTABLE_WATERMARK = '__injectable__';
export const INTERCEPTORS_METADATA = '__interceptors__';
export const ROUTE_ARGS_METADATA = '__routeArguments__';

/** What a parameter decorator asks for. Older versions of Nest lack the last ones. */
export const RouteParamtypes = {
  REQUEST: 0,
  RESPONSE: 1,
  NEXT: 2,
  BODY: 3,
  QUERY: 4,
  PARAM: 5,
  HEADERS: 6,
  SESSION: 7,
  FILE: 8,
  FILES: 9,
  HOST: 10,
  IP: 11,
  RAW_BODY: 12,
  ACK: 13,
  COOKIES: 14,
  SIGNED_COOKIES: 15,
} as const;

type ValueOf<Container> = Container extends ReadonlyMap<unknown, infer Value> ? Value : never;

export type Module = ValueOf<ModulesContainer>;
export type InstanceWrapper = ValueOf<Module['providers']>;
type ContextId = ReturnType<typeof ContextIdFactory.create>;

/** Lets `ContextIdFactory.getByRequest(request)` of any provider find this context again. */
export function rememberContext(request: object, context: ContextId): void {
  Object.defineProperty(request, contextKey(), { value: context });
}

let key: symbol | undefined;

/** Nest looks for the context of a request under a symbol of its own; looking for it reveals the symbol. */
function contextKey(): symbol {
  if (key) return key;
  const asked = new Proxy(
    {},
    {
      get(_request, member) {
        if (typeof member === 'symbol') key ??= member;
        // A context that is found at once ends the search: no strategy of the service is asked.
        return typeof member === 'symbol' ? { id: 0 } : undefined;
      },
    },
  );
  ContextIdFactory.getByRequest(asked);
  if (key) return key;
  throw new Error(
    'this version of @nestjs/core keeps the context of a request elsewhere: @concordat/participant works with Nest 10, 11 and 12',
  );
}
