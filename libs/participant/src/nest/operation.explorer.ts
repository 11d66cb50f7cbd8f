/**
 * Finds the operations of a service, in every module, and says to which participant each belongs.
 * Guards "honoured or refused by name": an operation that would not be found, would run without what
 * is bound to it, or has two owners keeps the service from starting. Why through Nest's external
 * context and not as a microservice: docs/adr, "Operations run in Nest's external context".
 */
import { Inject, Injectable } from '@nestjs/common';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { ParticipantMisconfigured } from '../participant/operation-table.js';
import type { OperationDefinition } from '../participant/participant-options.js';
import { EXCEPTION_FILTERS_METADATA, type InstanceWrapper, type Module } from './nest-internals.js';
import { OperationPipeline } from './operation.pipeline.js';
import {
  declaredClasses,
  type DeclaredOperation,
  type OperationMetadata,
  type ParticipantClass,
} from './participant.decorator.js';
import { refusalOf } from './refusal-of.js';
import { OPERATION, PARTICIPANT_CLASS } from './tokens.js';

type Class = new (...args: never[]) => object;

/** A class that some module provides. */
interface Place {
  readonly type: Class;
  readonly wrapper: InstanceWrapper;
  readonly module: Module;
}

/** An operation of a place. */
interface Found extends Place, OperationMetadata {
  readonly method: string;
}

export interface Explored {
  /** By participant. */
  readonly operations: ReadonlyMap<string, readonly OperationDefinition[]>;
  /** What the author should know; nothing that keeps the service from working. */
  readonly warnings: readonly string[];
}

@Injectable()
export class OperationExplorer {
  private readonly scanner = new MetadataScanner();

  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(OperationPipeline) private readonly pipeline: OperationPipeline,
  ) {}

  /** Every operation of every `@Participant` class, for the participants of these names. */
  explore(participants: readonly string[]): Explored {
    const owned = new Map<string, Map<string, Found>>(
      participants.map((name) => [name, new Map()]),
    );
    const places = this.places();
    const warnings: string[] = [];
    for (const place of places) {
      const found = this.operationsOf(place);
      const owner = ownerOf(place, found, participants);
      if (owner === undefined || found.length === 0) continue;
      assertRunnable(place, found);
      const perCall = describePerCall(place);
      if (perCall) warnings.push(perCall);
      const operations = owned.get(owner) as Map<string, Found>;
      for (const one of found) add(operations, one);
    }
    warnings.push(...this.unprovided(places, participants));
    const operations = [...owned].map(
      ([name, found]) => [name, [...found.values()].map((one) => this.definitionOf(one))] as const,
    );
    return { operations: new Map(operations), warnings };
  }

  private places(): Place[] {
    const places: Place[] = [];
    for (const module of this.modules.values()) {
      for (const wrapper of [...module.providers.values(), ...module.controllers.values()]) {
        const type = wrapper.isAlias ? undefined : classOf(wrapper);
        if (type) places.push({ type, wrapper, module });
      }
    }
    return places;
  }

  private operationsOf(place: Place): Found[] {
    const { type } = place;
    const found: Found[] = [];
    for (const method of this.scanner.getAllMethodNames(type.prototype as object)) {
      const callback: unknown = Reflect.get(type.prototype as object, method);
      const declared = Reflect.getMetadata(OPERATION, type, method) as
        | DeclaredOperation
        | undefined;
      if (declared && declared.method !== callback) throw replaced(type, method, declared.name);
      const metadata = Reflect.getMetadata(OPERATION, callback as object) as
        | OperationMetadata
        | undefined;
      if (metadata) found.push({ ...place, ...metadata, method });
    }
    return found;
  }

  /** Classes that were loaded and hold operations, and that no module provides. */
  private unprovided(places: readonly Place[], participants: readonly string[]): string[] {
    const classes = [...declaredClasses()].filter((declared) => {
      const { name } = Reflect.getMetadata(PARTICIPANT_CLASS, declared) as ParticipantClass;
      const ours = name === undefined ? participants.length === 1 : participants.includes(name);
      return ours && !places.some(({ type }) => type === declared || isBaseOf(declared, type));
    });
    const names = (classes as Class[]).filter((type) => this.holdsOperations(type)).map(nameOf);
    if (names.length === 0) return [];
    return [
      `no module provides ${names.join(', ')}, so the operations in it are not served: if this application is to serve them, list it among the providers of a module`,
    ];
  }

  private holdsOperations({ prototype }: Class): boolean {
    const methods = this.scanner.getAllMethodNames(prototype as object);
    return methods.some((method) =>
      Reflect.hasMetadata(OPERATION, Reflect.get(prototype as object, method) as object),
    );
  }

  private definitionOf({ name, input, once, ...found }: Found): OperationDefinition {
    const handler = this.pipeline.handlerOf({ ...found, operation: name });
    return {
      name,
      ...(input ? { input } : {}),
      ...(once ? { once } : {}),
      run: async (value, branch) => {
        try {
          return await handler(value, branch);
        } catch (error) {
          throw refusalOf(error) ?? error;
        }
      },
    };
  }
}

/** The class of what a wrapper holds, whether Nest creates it or a factory does. */
function classOf(wrapper: InstanceWrapper): Class | undefined {
  if (!wrapper.isNotMetatype) return wrapper.metatype as Class;
  const instance: unknown = wrapper.instance;
  if (typeof instance !== 'object' || instance === null) return undefined;
  const prototype = Object.getPrototypeOf(instance) as { constructor?: unknown } | null;
  const type = prototype?.constructor;
  return typeof type === 'function' && type !== Object ? (type as Class) : undefined;
}

/** The participant whose operations a class holds; undefined if it holds none. */
function ownerOf(
  { type }: Place,
  [first]: readonly Found[],
  participants: readonly string[],
): string | undefined {
  const marked = Reflect.getMetadata(PARTICIPANT_CLASS, type) as ParticipantClass | undefined;
  if (!marked) {
    if (!first) return undefined;
    throw new ParticipantMisconfigured(
      `${type.name}.${first.method} is marked @Operation('${first.name}'), but class ${type.name} is not marked @Participant(): mark it, or the operation is not found`,
    );
  }
  const { name } = marked;
  const [only] = participants;
  const all = participants.map((one) => `'${one}'`).join(', ');
  if (name === undefined) {
    if (participants.length === 1 || !first) return only;
    throw new ParticipantMisconfigured(
      `class ${type.name} is marked @Participant() without a name, but this application has several participants (${all}): name the one that its operations belong to`,
    );
  }
  if (participants.includes(name)) return name;
  const configured = participants.length === 1 ? 'the module is' : 'the modules are';
  throw new ParticipantMisconfigured(
    `class ${type.name} is marked @Participant('${name}'), but ${configured} configured for ${all}: make them equal, or leave the name out of the decorator where there is one participant`,
  );
}

/** Refuses what would run without its dependencies, or without what is bound to it. */
function assertRunnable({ type, wrapper, module }: Place, found: readonly Found[]): void {
  const refuse = (why: string): never => {
    throw new ParticipantMisconfigured(`class ${type.name} in ${module.name} ${why}`);
  };
  if (wrapper.isNotMetatype) {
    refuse(
      'is provided by a factory or as a value: Nest binds guards, pipes and interceptors only to classes that it creates itself; list the class among the providers, or use useClass',
    );
  }
  if (wrapper.isTransient) {
    refuse(
      'is transient, so every class that injects it has its own and none is the one that operations run on: leave the scope out',
    );
  }
  for (const { method, name } of found) {
    const filters = [type, Reflect.get(type.prototype as object, method) as object].flatMap(
      (bound) => (Reflect.getMetadata(EXCEPTION_FILTERS_METADATA, bound) ?? []) as unknown[],
    );
    const [filter] = filters;
    if (filter === undefined) continue;
    refuse(
      `has ${nameOfEnhancer(filter)} by @UseFilters on or above ${method}, operation '${name}': what an operation throws is its vote, and a filter that answers in its place would turn a refusal into a yes. Remove it; to say no in other words, throw VoteNo`,
    );
  }
}

function add(operations: Map<string, Found>, found: Found): void {
  const before = operations.get(found.name);
  if (before) {
    throw new ParticipantMisconfigured(
      `operation ${found.name} is defined twice in this participant, by ${describe(before)} and by ${describe(found)}: rename one of them, or provide the class in one module only`,
    );
  }
  operations.set(found.name, found);
}

function describe({ type, method, module }: Found): string {
  return `${type.name}.${method} in ${module.name}`;
}

/** The method that is called is not the one that was marked. */
function replaced(type: Class, method: string, operation: string): ParticipantMisconfigured {
  let owner: object | null = type.prototype as object;
  while (owner && !Object.hasOwn(owner, method)) owner = Object.getPrototypeOf(owner) as object;
  const own = owner?.constructor as Class;
  const where = `${own.name}.${method}`;
  return new ParticipantMisconfigured(
    Reflect.hasOwnMetadata(OPERATION, own, method)
      ? `a decorator above @Operation('${operation}') replaces ${where}, so what @Operation and Nest’s decorators noted on the method is lost: put that decorator below them, next to the method`
      : `${where} overrides operation '${operation}' without being one: repeat @Operation('${operation}') with the decorators of the method, or give it another name`,
  );
}

/** Why a class is instantiated for each call, if it is. */
function describePerCall({ type, wrapper }: Place): string | undefined {
  if (wrapper.isDependencyTreeStatic()) return undefined;
  const parts = [...(wrapper.getCtorMetadata() ?? []), ...(wrapper.getEnhancersMetadata() ?? [])];
  const scoped = parts.filter((part) => !part.isDependencyTreeStatic()).map(nameOfWrapper);
  const why = scoped.length > 0 ? [...new Set(scoped)].join(', ') : type.name;
  return `class ${type.name} is instantiated for each call of its operations, and so is every class that injects it, because of what is request-scoped (${why}): their lifecycle hooks do not run`;
}

function nameOf({ name }: Class): string {
  return name;
}

function isBaseOf(base: object, type: Class): boolean {
  return Object.prototype.isPrototypeOf.call(base, type);
}

function nameOfWrapper(wrapper: InstanceWrapper): string {
  const { metatype, name } = wrapper;
  return wrapper.isNotMetatype || !metatype ? String(name) : metatype.name;
}

function nameOfEnhancer(enhancer: unknown): string {
  if (typeof enhancer === 'function') return enhancer.name;
  return (enhancer as { constructor?: { name?: string } } | null)?.constructor?.name ?? 'a filter';
}
