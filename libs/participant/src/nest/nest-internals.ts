/**
 * All that this library reads of Nest's internals, in one place: the keys under which Nest's own
 * decorators leave metadata, and what its sibling packages use to create request-scoped providers.
 * Guards against silence after an upgrade: what Nest renames does not compile here.
 */
export {
  CONTROLLER_WATERMARK,
  ENTRY_PROVIDER_WATERMARK,
  EXCEPTION_FILTERS_METADATA,
  INJECTABLE_WATERMARK,
  INTERCEPTORS_METADATA,
  ROUTE_ARGS_METADATA,
  RouteParamtypes,
} from '@nestjs/common/internal';
export { REQUEST_CONTEXT_ID, type InstanceWrapper, type Module } from '@nestjs/core/internal';
