/**
 * What is looked at when an application starts, before any participant does: whether each has its own
 * name, and whether all that is injected and joined says which of several it means. Guards "refused by
 * name at the start", where the alternative is work in the wrong participant's branch.
 */
import { ApplicationConfig, MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import { ParticipantMisconfigured } from '../participant/operation-table.js';
import { askedBy, whyNoRepository } from './branch-repository.js';
import { BranchRunner } from './branch-runner.js';
import { JoinTransactionInterceptor, joinOptionsOf } from './join-transaction.interceptor.js';
import { INTERCEPTORS_METADATA, type InstanceWrapper, type Module } from './nest-internals.js';
import { ParticipantHost } from './participant.host.js';
import { optionsOf, type ParticipantRegistry } from './participant-registry.js';
import { tokenOf } from './tokens.js';

type Class = new (...args: never[]) => object;
type Handler = (...args: never[]) => unknown;

export interface Application {
  readonly modules: ModulesContainer;
  readonly config: ApplicationConfig;
  readonly registry: ParticipantRegistry;
}

/** Throws ParticipantMisconfigured for what contradicts itself or is ambiguous. */
export function assertUnambiguous(application: Application): void {
  if (application.registry.several) assertNamed(application.registry);
  assertInjectable(application);
  assertJoinsKnown(application);
}

/** Each participant has a name of its own, and one that Nest knew when it read the module. */
function assertNamed({ modules }: ParticipantRegistry): void {
  const seen = new Set<string>();
  for (const module of modules) {
    const name = optionsOf(module)?.name ?? '';
    if (seen.has(name)) {
      throw new ParticipantMisconfigured(
        `two ParticipantModules of this application configure participant '${name}': give each its own name, or import one module once`,
      );
    }
    seen.add(name);
    if (module.providers.has(tokenOf('ParticipantHost', name))) continue;
    throw new ParticipantMisconfigured(
      `this application has several participants, so the name of '${name}' must be known before its options are: ParticipantModule.forRootAsync({ name: '${name}', … })`,
    );
  }
}

/** What classes inject is there: with several participants by name, and with the database it needs. */
function assertInjectable({ modules, registry }: Application): void {
  const own = new Set<Module>(registry.modules);
  for (const module of modules.values()) {
    if (own.has(module)) continue;
    for (const wrapper of wrappersOf(module)) {
      // Takes what it needs from the registry, by the name of its handler.
      if (wrapper.metatype === JoinTransactionInterceptor) continue;
      for (const { token, host } of dependenciesOf(wrapper)) {
        const why = host && own.has(host) ? whyNotInjectable(token, host, registry) : undefined;
        if (why === undefined) continue;
        throw new ParticipantMisconfigured(`${nameOf(wrapper)} in ${module.name} injects ${why}`);
      }
    }
  }
}

function whyNotInjectable(
  token: unknown,
  host: Module,
  registry: ParticipantRegistry,
): string | undefined {
  const repository = askedBy(token);
  const unnamed = registry.several ? describeUnnamed(token) : undefined;
  if (unnamed) return `${unnamed.what}: ${registry.ambiguous(unnamed.what, unnamed.how)}`;
  const options = optionsOf(host);
  if (!repository || !options) return undefined;
  const why = whyNoRepository(repository.entity, options);
  return why && `a branch repository of ${repository.entity}: ${why}`;
}

interface Unnamed {
  readonly what: string;
  readonly how: (name: string) => string;
}

const CLASSES = new Map<unknown, Unnamed>([
  [
    ParticipantHost,
    { what: 'ParticipantHost', how: (name) => `@InjectParticipantHost('${name}')` },
  ],
  [BranchRunner, { what: 'BranchRunner', how: (name) => `@InjectBranchRunner('${name}')` }],
  [
    JoinTransactionInterceptor,
    {
      what: 'JoinTransactionInterceptor',
      how: (name) => `participantToken(JoinTransactionInterceptor, '${name}')`,
    },
  ],
]);

/** What a token without a name resolves to, and how to ask for it by name. */
function describeUnnamed(token: unknown): Unnamed | undefined {
  const repository = askedBy(token);
  if (!repository || repository.isNamed) return CLASSES.get(token);
  const { entity } = repository;
  return {
    what: `a branch repository of ${entity}`,
    how: (name) => `@InjectBranchRepository(${entity}, '${name}')`,
  };
}

/** Every handler that joins transactions joins as a participant of this application. */
function assertJoinsKnown({ modules, config, registry }: Application): void {
  const reflector = new Reflector();
  const scanner = new MetadataScanner();
  for (const interceptor of config.getGlobalInterceptors()) {
    if (!(interceptor instanceof JoinTransactionInterceptor)) continue;
    assertJoinKnown(registry, 'the application-wide JoinTransactionInterceptor', interceptor.only);
  }
  for (const module of modules.values()) {
    for (const wrapper of [...module.controllers.values(), ...module.providers.values()]) {
      if (wrapper.isNotMetatype) continue;
      const type = wrapper.metatype as Class;
      const prototype = type.prototype as object;
      for (const method of scanner.getAllMethodNames(prototype)) {
        const handler = Reflect.get(prototype, method) as Handler;
        if (!isJoining(type) && !isJoining(handler)) continue;
        const { participant } = joinOptionsOf(reflector, type, handler);
        assertJoinKnown(registry, `@JoinTransaction on ${type.name}.${method}`, participant);
      }
    }
  }
}

function isJoining(bound: object): boolean {
  const interceptors = Reflect.getMetadata(INTERCEPTORS_METADATA, bound) as unknown;
  return Array.isArray(interceptors) && interceptors.includes(JoinTransactionInterceptor);
}

function assertJoinKnown(
  { names, several }: ParticipantRegistry,
  what: string,
  participant: string | undefined,
): void {
  const all = names.join(', ');
  if (participant === undefined && several) {
    throw new ParticipantMisconfigured(
      `${what} does not say whose branch a call joins, and this application has several participants (${all}): use @JoinTransaction({ participant: '${names[0]}' }), or for the whole application participantToken(JoinTransactionInterceptor, '${names[0]}')`,
    );
  }
  if (participant === undefined || names.includes(participant)) return;
  throw new ParticipantMisconfigured(
    `${what} joins as participant '${participant}', which no ParticipantModule of this application configures; there is ${all}`,
  );
}

function wrappersOf(module: Module): InstanceWrapper[] {
  const { providers, controllers, injectables } = module;
  return [...providers.values(), ...controllers.values(), ...injectables.values()];
}

function dependenciesOf(wrapper: InstanceWrapper): InstanceWrapper[] {
  const parameters = wrapper.getCtorMetadata() ?? [];
  const properties = (wrapper.getPropertiesMetadata() ?? []).map((property) => property.wrapper);
  return [...parameters, ...properties].filter((dependency) => dependency !== undefined);
}

function nameOf({ metatype, name, isNotMetatype }: InstanceWrapper): string {
  return isNotMetatype || !metatype ? `provider ${String(name)}` : `class ${metatype.name}`;
}
