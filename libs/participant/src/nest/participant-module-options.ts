/** What `ParticipantModule` takes: the participant's options, with operations found by decorators. */
import type { ModuleMetadata } from '@nestjs/common';
import type {
  OperationDefinition,
  ParticipantOptions,
} from '../participant/participant-options.js';

export interface ParticipantModuleOptions extends Omit<ParticipantOptions, 'operations'> {
  /** Operations beside the decorated ones: plain functions, to which nothing of Nest's applies. */
  readonly operations?: readonly OperationDefinition[];
}

/** What a factory gives: the name may be left out where it was given beside the factory. */
export type ParticipantModuleFactoryOptions = Omit<ParticipantModuleOptions, 'name'> &
  Partial<Pick<ParticipantModuleOptions, 'name'>>;

export interface ParticipantModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  /**
   * The participant's name. Needed where an application has several participants, since Nest wants
   * to know what a module provides before it asks the factory.
   */
  readonly name?: string;
  readonly inject?: readonly unknown[];
  readonly useFactory: (
    ...injected: never[]
  ) => ParticipantModuleFactoryOptions | Promise<ParticipantModuleFactoryOptions>;
}
