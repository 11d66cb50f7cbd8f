/**
 * Starts and stops all participants of an application. Guards "the service starts whole or not at
 * all": everything is looked at before the first participant opens anything, and if one is unfit,
 * those that did start are stopped again.
 */
import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { assertUnambiguous } from './application.checks.js';
import { OperationExplorer } from './operation.explorer.js';
import { ParticipantRegistry } from './participant-registry.js';

@Injectable()
export class ParticipantsLifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
    @Inject(ParticipantRegistry) private readonly registry: ParticipantRegistry,
    @Inject(OperationExplorer) private readonly explorer: OperationExplorer,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { modules, config, registry } = this;
    const { hosts } = registry;
    // A test may have put something else in the host's place: there is nothing to start then.
    if (hosts.length === 0 && !registry.several) return;
    assertUnambiguous({ modules, config, registry });
    const { operations, warnings } = this.explorer.explore(registry.names);
    for (const warning of warnings) hosts[0]?.warn(warning);
    const starting = hosts.map((host) => host.start(operations.get(host.name) ?? []));
    const unfit = (await Promise.allSettled(starting)).find(({ status }) => status === 'rejected');
    if (!unfit) return;
    await this.stopAll();
    throw (unfit as PromiseRejectedResult).reason;
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stopAll();
  }

  private async stopAll(): Promise<void> {
    const stopping = this.registry.hosts.map((host) => host.stop());
    const failed = (await Promise.allSettled(stopping)).find(({ status }) => status === 'rejected');
    if (failed) throw (failed as PromiseRejectedResult).reason;
  }
}
