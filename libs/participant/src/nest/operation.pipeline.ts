/**
 * Runs an operation in Nest's own pipeline, so that guards, pipes and interceptors apply to it as to
 * any handler, in every scope. Guards "applied or refused": enhancers are looked up in the module that
 * holds the class and for the class itself, or those that Nest creates per class would be passed over.
 * What is request-scoped is created for each call, inside of its branch.
 */
import { Inject, Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { ContextIdFactory, ExternalContextCreator, ModuleRef } from '@nestjs/core';
import { Branch } from '../branch/current-branch.js';
import { rememberContext, type InstanceWrapper, type Module } from './nest-internals.js';
import { exchangeKeyForValue } from './operation.parameters.js';
import { OPERATION_ARGS } from './tokens.js';

export type Handler = (input: unknown, branch: Branch) => Promise<unknown>;

/** A method of a class that some module provides. */
export interface FoundMethod {
  readonly operation: string;
  readonly method: string;
  readonly wrapper: InstanceWrapper;
  readonly module: Module;
}

type Instance = Record<string, (...args: unknown[]) => unknown>;
type Context = ReturnType<typeof ContextIdFactory.create>;

/** What request-scoped providers of an operation inject as `REQUEST`: Nest's shape for messages. */
export class OperationRequest {
  constructor(
    readonly pattern: string,
    readonly data: unknown,
    readonly context: Branch,
  ) {}

  getPattern(): string {
    return this.pattern;
  }

  getData(): unknown {
    return this.data;
  }

  getContext(): Branch {
    return this.context;
  }
}

/** Exception filters do not apply: docs/adr, "Operations run in Nest's external context". */
const ENHANCERS = { guards: true, interceptors: true, filters: false };

@Injectable()
export class OperationPipeline {
  constructor(@Inject(ExternalContextCreator) private readonly contexts: ExternalContextCreator) {}

  /** A function that runs the method with all that is bound to it. */
  handlerOf(found: FoundMethod): Handler {
    const contexts = this.contextsOf(found.module);
    if (!found.wrapper.isDependencyTreeStatic()) return perCall(contexts, found);
    return bind(contexts, found, found.wrapper.instance as Instance);
  }

  /**
   * Nest's creator of external contexts, with three differences: a controller's module is found too;
   * pipes never see the branch, which they might copy; and what the compiler notes as a parameter's
   * type is one for them only if it is a class (a schema with the name of a type may be noted).
   */
  private contextsOf(module: Module): ExternalContextCreator {
    const { contexts } = this;
    const derived = Object.create(contexts) as ExternalContextCreator;
    derived.getContextModuleKey = () => module.token;
    derived.getParamValue = async <T>(
      value: T,
      metadata: ArgumentMetadata,
      pipes: PipeTransform[],
    ): Promise<unknown> => {
      if (value instanceof Branch) return value;
      const isClass = typeof metadata.metatype === 'function';
      const known = isClass ? metadata : { ...metadata, metatype: undefined };
      return contexts.getParamValue(value, known, pipes);
    };
    return derived;
  }
}

function bind(
  contexts: ExternalContextCreator,
  { method, wrapper }: FoundMethod,
  instance: Instance,
  context?: Context,
): Handler {
  return contexts.create(
    instance,
    instance[method] as (...args: unknown[]) => unknown,
    method,
    OPERATION_ARGS,
    { exchangeKeyForValue },
    context,
    wrapper.id,
    ENHANCERS,
    'rpc',
  );
}

/** Creates what is request-scoped for each call, as Nest does for messages. */
function perCall(contexts: ExternalContextCreator, found: FoundMethod): Handler {
  const { operation, wrapper, module } = found;
  const container = module.providers.get(ModuleRef)?.instance as ModuleRef;
  return async (input, branch) => {
    const request = new OperationRequest(operation, input, branch);
    const context = ContextIdFactory.getByRequest(request);
    rememberContext(request, context);
    const { payload } = context;
    const injected = wrapper.isDependencyTreeDurable() ? payload : Object.assign(request, payload);
    container.registerRequestByContextId(injected, context);
    const token = wrapper.token as Parameters<ModuleRef['resolve']>[0];
    const instance = (await container.resolve(token, context, { strict: true })) as Instance;
    return bind(contexts, found, instance, context)(input, branch) as Promise<unknown>;
  };
}
