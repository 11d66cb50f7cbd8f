/**
 * `ParticipantModule.forRoot({ … })`: makes a Nest service a participant. Global, so that branch
 * repositories and the branch context are at hand in every module.
 */
import { Module, type DynamicModule, type FactoryProvider, type Provider } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { BranchContext } from './branch-context.js';
import { branchRepositoryProviders } from './branch-repository.js';
import { BranchRunner } from './branch-runner.js';
import { JoinTransactionInterceptor } from './join-transaction.interceptor.js';
import { OperationExplorer } from './operation.explorer.js';
import { ParticipantHost } from './participant.host.js';
import type {
  ParticipantModuleAsyncOptions,
  ParticipantModuleOptions,
} from './participant-module-options.js';
import { PARTICIPANT_OPTIONS } from './tokens.js';

const EXPORTED = [BranchContext, BranchRunner, JoinTransactionInterceptor, ParticipantHost];

@Module({})
export class ParticipantModule {
  static forRoot(options: ParticipantModuleOptions): DynamicModule {
    return dynamicModule([], { provide: PARTICIPANT_OPTIONS, useValue: options });
  }

  static forRootAsync(options: ParticipantModuleAsyncOptions): DynamicModule {
    return dynamicModule(options.imports ?? [], {
      provide: PARTICIPANT_OPTIONS,
      inject: [...(options.inject ?? [])] as FactoryProvider['inject'],
      useFactory: options.useFactory as FactoryProvider['useFactory'],
    });
  }
}

function dynamicModule(
  imports: NonNullable<DynamicModule['imports']>,
  options: Provider,
): DynamicModule {
  return {
    module: ParticipantModule,
    global: true,
    imports: [DiscoveryModule, ...imports],
    // Getters: Nest reads them when it scans, and by then every class that injects a branch
    // repository has been loaded, wherever its module stands in the import order.
    get providers() {
      return [options, OperationExplorer, ...EXPORTED, ...branchRepositoryProviders()];
    },
    get exports() {
      return [...EXPORTED, ...branchRepositoryProviders().map(tokenOf)];
    },
  };
}

function tokenOf(provider: Provider) {
  return typeof provider === 'function' ? provider : provider.provide;
}
