/**
 * Finds the operations of a service and wraps them in Nest's own pipeline, so that guards, pipes and
 * interceptors apply to them as to any handler. Exception filters do not: what an operation throws is
 * a vote, and a filter that answers in its place would turn a refusal into a yes. Why through the
 * external context and not as a microservice: docs/adr, "Operations run in Nest's external context".
 */
import { Injectable } from '@nestjs/common';
import { DiscoveryService, ExternalContextCreator, MetadataScanner } from '@nestjs/core';
import type { Branch } from '../branch/current-branch.js';
import { ParticipantMisconfigured } from '../participant/operation-table.js';
import type { OperationDefinition } from '../participant/participant-options.js';
import type { OperationMetadata, ParticipantClass } from './participant.decorator.js';
import { refusalOf } from './refusal-of.js';
import { OPERATION, OPERATION_ARGS, PARTICIPANT_CLASS } from './tokens.js';

type Handler = (input: unknown, branch: Branch) => Promise<unknown>;
type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

@Injectable()
export class OperationExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly contexts: ExternalContextCreator,
  ) {}

  /** Every operation of every `@Participant` class; the table refuses names that occur twice. */
  explore(participant: string): OperationDefinition[] {
    const found = new Map<object, OperationDefinition[]>();
    const wrappers = [...this.discovery.getProviders(), ...this.discovery.getControllers()];
    for (const wrapper of wrappers) {
      const marked = this.markOf(wrapper);
      if (!marked) continue;
      if (marked.name !== undefined && marked.name !== participant) {
        throw new ParticipantMisconfigured(
          `class ${wrapper.name} is marked @Participant('${marked.name}'), but the module is configured for '${participant}': make them equal, or leave the name out of the decorator`,
        );
      }
      const instance = this.instanceOf(wrapper);
      found.set(instance, this.operationsOf(instance));
    }
    return [...found.values()].flat();
  }

  private markOf({ metatype }: Wrapper): ParticipantClass | undefined {
    if (typeof metatype !== 'function') return undefined;
    return Reflect.getMetadata(PARTICIPANT_CLASS, metatype) as ParticipantClass | undefined;
  }

  private instanceOf(wrapper: Wrapper): object {
    const instance: unknown = wrapper.instance;
    if (typeof instance === 'object' && instance !== null && wrapper.isDependencyTreeStatic()) {
      return instance;
    }
    throw new ParticipantMisconfigured(
      `class ${wrapper.name} is request-scoped or depends on something that is: operations need a singleton; the branch itself is the request (inject BranchContext)`,
    );
  }

  private operationsOf(instance: object): OperationDefinition[] {
    const prototype = Object.getPrototypeOf(instance) as object;
    const definitions: OperationDefinition[] = [];
    for (const method of this.scanner.getAllMethodNames(prototype)) {
      const callback: unknown = Reflect.get(instance, method);
      if (typeof callback !== 'function') continue;
      const metadata = Reflect.getMetadata(OPERATION, callback) as OperationMetadata | undefined;
      if (!metadata) continue;
      const handler = this.handlerOf(instance, callback as Handler, method);
      definitions.push({ ...metadata, run: (input, branch) => refusing(handler(input, branch)) });
    }
    return definitions;
  }

  private handlerOf(instance: object, callback: Handler, method: string): Handler {
    const enhancers = { guards: true, interceptors: true, filters: false };
    const argument = {
      exchangeKeyForValue: (type: number | string, _data: unknown, args: unknown[]): unknown =>
        args[Number(type)],
    };
    return this.contexts.create(
      instance as Record<string, unknown>,
      callback as (...args: unknown[]) => unknown,
      method,
      OPERATION_ARGS,
      argument,
      undefined,
      undefined,
      enhancers,
      'rpc',
    );
  }
}

async function refusing(running: Promise<unknown>): Promise<unknown> {
  try {
    return await running;
  } catch (error) {
    throw refusalOf(error) ?? error;
  }
}
