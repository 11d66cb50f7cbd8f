/** What `ParticipantModule` takes: the participant's options, with operations found by decorators. */
import type { ModuleMetadata } from '@nestjs/common';
import type {
  OperationDefinition,
  ParticipantOptions,
} from '../participant/participant-options.js';

export interface ParticipantModuleOptions extends Omit<ParticipantOptions, 'operations'> {
  /** Operations beside the decorated ones. */
  readonly operations?: readonly OperationDefinition[];
}

export interface ParticipantModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  readonly inject?: readonly unknown[];
  readonly useFactory: (
    ...injected: never[]
  ) => ParticipantModuleOptions | Promise<ParticipantModuleOptions>;
}
