/** What `ParticipantModule` takes: the participant's options, with operations found by decorators. */
import type { InjectionToken, ModuleMetadata, Type } from '@nestjs/common';
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

/** A class that gives the options, for `useClass` and `useExisting`. */
export interface ParticipantOptionsFactory {
  create(): ParticipantModuleFactoryOptions | Promise<ParticipantModuleFactoryOptions>;
}

interface OfAnyForm extends Pick<ModuleMetadata, 'imports'> {
  /**
   * The participant's name. Needed where an application has several participants, since Nest wants
   * to know what a module provides before it asks for the options.
   */
  readonly name?: string;
}

/** One of Nest's three forms. */
export type ParticipantModuleAsyncOptions = OfAnyForm &
  (
    | {
        readonly inject?: readonly unknown[];
        readonly useFactory: (
          ...injected: never[]
        ) => ParticipantModuleFactoryOptions | Promise<ParticipantModuleFactoryOptions>;
        readonly useClass?: never;
        readonly useExisting?: never;
      }
    | {
        /** Instantiated by this module; what its constructor injects comes from `imports`. */
        readonly useClass: Type<ParticipantOptionsFactory>;
        readonly inject?: never;
        readonly useFactory?: never;
        readonly useExisting?: never;
      }
    | {
        /** A provider that a module of `imports`, or a global one, exports. */
        readonly useExisting: InjectionToken<ParticipantOptionsFactory>;
        readonly inject?: never;
        readonly useFactory?: never;
        readonly useClass?: never;
      }
  );
