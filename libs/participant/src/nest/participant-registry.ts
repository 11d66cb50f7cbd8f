/**
 * The participants of one Nest application: one as a rule, or several with databases of their own.
 * Guards "never silently the wrong one": with several, what is asked for without a name is given to
 * no one, and says how to ask.
 */
import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { ParticipantMisconfigured } from '../participant/operation-table.js';
import type { BranchRunner } from './branch-runner.js';
import type { Module } from './nest-internals.js';
import type { ParticipantModuleOptions } from './participant-module-options.js';
import type { ParticipantHost } from './participant.host.js';
import { PARTICIPANT_OPTIONS, tokenOf } from './tokens.js';

@Injectable()
export class ParticipantRegistry {
  private readonly registered: ParticipantHost[] = [];

  constructor(
    @Inject(ModulesContainer) private readonly container: ModulesContainer,
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
  ) {}

  /** Those that this application starts; none where a test has put something else in their place. */
  get hosts(): readonly ParticipantHost[] {
    return this.registered;
  }

  /** Every module of this application that configures a participant. */
  get modules(): Module[] {
    return [...this.container.values()].filter((module) =>
      module.providers.has(PARTICIPANT_OPTIONS),
    );
  }

  get several(): boolean {
    return this.modules.length > 1;
  }

  /** The configured names, one per module. Complete once Nest has created all providers. */
  get names(): string[] {
    return this.modules.map((module) => optionsOf(module)?.name ?? '(not known yet)');
  }

  register(host: ParticipantHost): ParticipantHost {
    this.registered.push(host);
    return host;
  }

  hostOf(participant: string): ParticipantHost {
    return this.moduleRef.get(tokenOf('ParticipantHost', participant), { strict: false });
  }

  runnerOf(participant: string): BranchRunner {
    return this.moduleRef.get(tokenOf('BranchRunner', participant), { strict: false });
  }

  /** `make()`; or, where there are several participants, what refuses to be used without a name. */
  ifOnly<T extends object>(make: () => T, what: string, how: (name: string) => string): T {
    return this.several ? refusing(() => this.ambiguous(what, how)) : make();
  }

  /** Why something cannot be had without a name. */
  ambiguous(what: string, how: (name: string) => string): string {
    const { names } = this;
    const example = how(names[0] ?? '…');
    return `this application has several participants (${names.join(', ')}), so ${what} without a name is none of them: use ${example}`;
  }
}

/** The options of a module that configures a participant. */
export function optionsOf(module: Module): ParticipantModuleOptions | undefined {
  return module.providers.get(PARTICIPANT_OPTIONS)?.instance as
    | ParticipantModuleOptions
    | undefined;
}

/** Something that can be injected and says why it cannot be used. */
export function refusing<T extends object>(why: () => string): T {
  return new Proxy({} as T, {
    get(_target, member) {
      if (typeof member === 'symbol' || LOOKED_AT.has(member)) return undefined;
      throw new ParticipantMisconfigured(why());
    },
  });
}

/** What Nest and promises look at in every provider. */
const LOOKED_AT: ReadonlySet<string> = new Set([
  'then',
  'constructor',
  'onModuleInit',
  'onApplicationBootstrap',
  'onModuleDestroy',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);
