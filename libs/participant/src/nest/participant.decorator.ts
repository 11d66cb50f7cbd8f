/**
 * `@Participant` and `@Operation`: which classes hold operations, and which methods are some. Only
 * metadata is written here; the explorer reads it when the service starts. Guards "never silently
 * ignored": where the metadata would be lost, the decorator throws as the class is loaded.
 */
import { Injectable } from '@nestjs/common';
import { ParticipantMisconfigured } from '../participant/operation-table.js';
import type { InputSchema } from '../participant/input-schema.js';
import {
  CONTROLLER_WATERMARK,
  ENTRY_PROVIDER_WATERMARK,
  INJECTABLE_WATERMARK,
} from './nest-internals.js';
import { parametersOf } from './operation.parameters.js';
import { OPERATION, OPERATION_ARGS, PARTICIPANT_CLASS } from './tokens.js';

export interface ParticipantClass {
  /** Absent: its operations belong to the one participant that the application configures. */
  readonly name?: string;
}

export interface OperationOptions {
  /** Never run again in the same branch; see `OperationDefinition.once`. */
  readonly once?: boolean;
}

export interface OperationMetadata extends OperationOptions {
  readonly name: string;
  readonly input?: InputSchema;
}

/** What a class notes of a method, so that a method that was replaced since is noticed. */
export interface DeclaredOperation extends OperationMetadata {
  readonly method: unknown;
}

const DECLARED = Symbol.for('concordat.participant.classes.v1');

/** Every class of this process that was marked `@Participant`. */
export function declaredClasses(): Set<object> {
  const holder = globalThis as { [DECLARED]?: Set<object> };
  return (holder[DECLARED] ??= new Set());
}

/**
 * Marks a provider whose methods are operations. A name says to which participant of the application
 * they belong, and is needed where there are several; leave it out where one class serves under
 * several names (ledger-east, ledger-west).
 */
export function Participant(name?: string): ClassDecorator {
  return (target) => {
    // Where Nest's own decorator came first, it may have set a scope: it is kept.
    const known = [INJECTABLE_WATERMARK, CONTROLLER_WATERMARK];
    if (!known.some((mark) => Reflect.hasOwnMetadata(mark, target))) Injectable()(target);
    // Makes Nest bind application-wide guards, pipes and interceptors of every scope to this class.
    Reflect.defineMetadata(ENTRY_PROVIDER_WATERMARK, true, target);
    const metadata: ParticipantClass = name === undefined ? {} : { name };
    Reflect.defineMetadata(PARTICIPANT_CLASS, metadata, target);
    declaredClasses().add(target);
  };
}

/** Takes what `safeParse` of its schema returns; without a schema, the type that the author gives. */
type Method<Input> = (input: Input, ...rest: never[]) => unknown;

/**
 * Makes a method an operation. Its input is validated by `schema` before the branch begins; what does
 * not fit is a vote `INVALID_INPUT` that names the field. Throws ParticipantMisconfigured where it
 * cannot work: on a static method, a symbol, an accessor, twice on one method.
 */
export function Operation<Input = never>(
  name: string,
  schema?: InputSchema<Input>,
  { once }: OperationOptions = {},
) {
  return <M extends Method<Input>>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): void => {
    const { method, property, where } = methodAt(target, key, descriptor, name);
    const metadata: OperationMetadata = {
      name,
      ...(schema ? { input: schema } : {}),
      ...(once ? { once } : {}),
    };
    const declared: DeclaredOperation = { ...metadata, method };
    const type = target.constructor;
    Reflect.defineMetadata(OPERATION, metadata, method);
    Reflect.defineMetadata(OPERATION, declared, type, property);
    Reflect.defineMetadata(OPERATION_ARGS, parametersOf(type, property, where), type, property);
  };
}

function methodAt(
  target: object,
  key: string | symbol,
  descriptor: PropertyDescriptor | undefined,
  name: string,
): { method: object; property: string; where: string } {
  const isStatic = typeof target === 'function';
  const where = `${isStatic ? target.name : target.constructor.name}.${String(key)}`;
  const refuse = (why: string): never => {
    throw new ParticipantMisconfigured(`@Operation('${name}') on ${where}: ${why}`);
  };
  if (isStatic) {
    refuse('a static method has no instance and no injected dependencies; make it a method');
  }
  if (typeof key !== 'string') {
    return refuse('Nest does not find methods named by a symbol; give it a name that is a string');
  }
  const method: unknown = descriptor?.value;
  if (typeof method !== 'function') return refuse('only methods are operations; make it a method');
  const before = Reflect.getOwnMetadata(OPERATION, method) as OperationMetadata | undefined;
  if (before) {
    refuse(`the method is operation '${before.name}' already; give each operation its own method`);
  }
  return { method, property: key, where };
}
