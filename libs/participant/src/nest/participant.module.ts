/**
 * `ParticipantModule.forRoot({ … })`: makes a Nest service a participant. Global, so that branch
 * repositories and the branch context are available in every module. Imported several times, under
 * different names, it makes one application several participants: docs/adr, "Several participants in
 * one application".
 */
import {
  Global,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type Provider,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ParticipantMisconfigured } from '../participant/operation-table.js';
import { BranchContext, BranchContextOf } from './branch-context.js';
import { branchRepositoryProviders } from './branch-repository.js';
import { BranchRunner } from './branch-runner.js';
import { participantToken } from './inject-participant.js';
import { JoinTransactionInterceptor } from './join-transaction.interceptor.js';
import { OperationExplorer } from './operation.explorer.js';
import { OperationPipeline } from './operation.pipeline.js';
import { ParticipantHost } from './participant.host.js';
import type {
  ParticipantModuleAsyncOptions,
  ParticipantModuleFactoryOptions,
  ParticipantModuleOptions,
  ParticipantOptionsFactory,
} from './participant-module-options.js';
import { ParticipantRegistry } from './participant-registry.js';
import { ParticipantsLifecycle } from './participants.lifecycle.js';
import { PARTICIPANT_OPTIONS } from './tokens.js';

/** What all participants of an application share; Nest makes it once. */
@Global()
@Module({
  providers: [ParticipantRegistry, ParticipantsLifecycle, OperationExplorer, OperationPipeline],
  exports: [ParticipantRegistry],
})
class ParticipantsModule {}

@Module({})
export class ParticipantModule {
  static forRoot(options: ParticipantModuleOptions): DynamicModule {
    return dynamicModule(options.name, [], { provide: PARTICIPANT_OPTIONS, useValue: options });
  }

  /**
   * By `useFactory`, `useClass` or `useExisting`. Give `name` beside it where the application has several
   * participants.
   */
  static forRootAsync(options: ParticipantModuleAsyncOptions): DynamicModule {
    const { name, imports = [] } = options;
    const { made = [], inject, make } = formOf(options);
    return dynamicModule(name, imports, ...made, {
      provide: PARTICIPANT_OPTIONS,
      inject: [...inject] as FactoryProvider['inject'],
      useFactory: async (...injected: unknown[]) => named(name, await make(...injected)),
    });
  }
}

type Made = ParticipantModuleFactoryOptions | Promise<ParticipantModuleFactoryOptions>;

interface Form {
  /** What the module provides beside the options. */
  readonly made?: readonly Provider[];
  readonly inject: readonly unknown[];
  readonly make: (...injected: unknown[]) => Made;
}

/** How the options come about. Throws where not exactly one form is given, which only JavaScript can do. */
function formOf(options: ParticipantModuleAsyncOptions): Form {
  const { useFactory, useClass, useExisting } = options;
  if ([useFactory, useClass, useExisting].filter((one) => one !== undefined).length !== 1) {
    throw new ParticipantMisconfigured(
      'ParticipantModule.forRootAsync takes its options in one way: give useFactory, useClass or useExisting',
    );
  }
  if (useFactory) return { inject: options.inject ?? [], make: useFactory as Form['make'] };
  const make = (factory: unknown) => (factory as ParticipantOptionsFactory).create();
  if (useClass) return { made: [useClass], inject: [useClass], make };
  return { inject: [useExisting], make };
}

function named(
  name: string | undefined,
  options: ParticipantModuleFactoryOptions,
): ParticipantModuleOptions {
  const own = options.name ?? name;
  if (own === undefined) {
    throw new ParticipantMisconfigured(
      'the options of a ParticipantModule have no name: give the participant’s name, which is what transactions call it',
    );
  }
  if (name !== undefined && own !== name) {
    throw new ParticipantMisconfigured(
      `ParticipantModule.forRootAsync has the name '${name}', but its options give '${own}': make them equal, or leave it out of the options`,
    );
  }
  return { ...options, name: own };
}

function dynamicModule(
  name: string | undefined,
  imports: NonNullable<DynamicModule['imports']>,
  ...options: Provider[]
): DynamicModule {
  const provided = () => [
    ...UNNAMED,
    ...(name === undefined ? [] : namedProviders(name)),
    ...branchRepositoryProviders(name),
  ];
  return {
    module: ParticipantModule,
    global: true,
    imports: [ParticipantsModule, ...imports],
    // Getters: Nest reads them when it scans, and by then every class that injects a branch
    // repository has been loaded, wherever its module is in the import order.
    get providers() {
      return [...options, ...provided()];
    },
    get exports() {
      return provided().map(tokenOfProvider);
    },
  };
}

/** What an application with one participant injects by class. */
const UNNAMED: readonly Provider[] = [
  BranchContext,
  {
    provide: ParticipantHost,
    inject: [PARTICIPANT_OPTIONS, ParticipantRegistry],
    useFactory: (options: ParticipantModuleOptions, registry: ParticipantRegistry) => {
      const make = () => registry.register(new ParticipantHost(options));
      const how = (name: string) =>
        `@InjectParticipantHost('${name}') or participantToken(ParticipantHost, '${name}')`;
      return registry.ifOnly(make, 'ParticipantHost', how);
    },
  },
  {
    provide: BranchRunner,
    inject: [ParticipantHost, ParticipantRegistry],
    useFactory: (host: ParticipantHost, registry: ParticipantRegistry) => {
      const how = (name: string) =>
        `@InjectBranchRunner('${name}') or participantToken(BranchRunner, '${name}')`;
      return registry.ifOnly(() => new BranchRunner(host), 'BranchRunner', how);
    },
  },
  {
    provide: JoinTransactionInterceptor,
    inject: [BranchRunner, ParticipantHost, Reflector, ParticipantRegistry],
    useFactory: (
      runner: BranchRunner,
      host: ParticipantHost,
      reflector: Reflector,
      registry: ParticipantRegistry,
    ) => {
      const make = () => new JoinTransactionInterceptor(runner, host, reflector, registry);
      const how = (name: string) => `participantToken(JoinTransactionInterceptor, '${name}')`;
      return registry.ifOnly(make, 'JoinTransactionInterceptor', how);
    },
  },
];

/** The same by the participant's name. Where it is the only one, these are the ones above. */
function namedProviders(name: string): Provider[] {
  const hostToken = participantToken(ParticipantHost, name);
  const runnerToken = participantToken(BranchRunner, name);
  return [
    { provide: participantToken(BranchContext, name), useValue: new BranchContextOf(name) },
    {
      provide: hostToken,
      inject: [PARTICIPANT_OPTIONS, ParticipantRegistry, ParticipantHost],
      useFactory: (
        options: ParticipantModuleOptions,
        registry: ParticipantRegistry,
        only: ParticipantHost,
      ) => (registry.several ? registry.register(new ParticipantHost(options)) : only),
    },
    {
      provide: runnerToken,
      inject: [hostToken, ParticipantRegistry, BranchRunner],
      useFactory: (host: ParticipantHost, registry: ParticipantRegistry, only: BranchRunner) =>
        registry.several ? new BranchRunner(host) : only,
    },
    {
      provide: participantToken(JoinTransactionInterceptor, name),
      inject: [runnerToken, hostToken, Reflector, ParticipantRegistry],
      useFactory: (
        runner: BranchRunner,
        host: ParticipantHost,
        reflector: Reflector,
        registry: ParticipantRegistry,
      ) =>
        Object.assign(new JoinTransactionInterceptor(runner, host, reflector, registry), {
          only: name,
        }),
    },
  ];
}

function tokenOfProvider(provider: Provider) {
  return typeof provider === 'function' ? provider : provider.provide;
}
