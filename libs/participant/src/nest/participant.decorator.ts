/**
 * `@Participant` and `@Operation`: which classes hold operations, and which methods are some. Only
 * metadata is written here; the explorer reads it when the service starts.
 */
import { Injectable } from '@nestjs/common';
import type { InputSchema } from '../participant/participant-options.js';
import { OPERATION, OPERATION_ARGS, PARTICIPANT_CLASS } from './tokens.js';

export interface ParticipantClass {
  /** Absent: its operations belong to whatever participant the module configures. */
  readonly name?: string;
}

export interface OperationMetadata {
  readonly name: string;
  readonly input?: InputSchema;
}

/**
 * Marks a provider whose methods are operations. A name is checked against the module's; leave it
 * out where one class serves under several names (ledger-east, ledger-west).
 */
export function Participant(name?: string): ClassDecorator {
  return (target) => {
    Injectable()(target);
    const metadata: ParticipantClass = name === undefined ? {} : { name };
    Reflect.defineMetadata(PARTICIPANT_CLASS, metadata, target);
  };
}

/** Whatever `safeParse` of a schema yields: the operation's input. */
type Method<Input> = (input: Input, ...rest: never[]) => unknown;

/**
 * Makes a method an operation. Its input is validated by `schema` before the branch begins; what does
 * not fit is a vote `INVALID_INPUT` that names the field.
 */
export function Operation<Input = unknown>(name: string, schema?: InputSchema<Input>) {
  return <M extends Method<Input>>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): void => {
    const metadata: OperationMetadata = { name, ...(schema ? { input: schema } : {}) };
    if (descriptor.value) Reflect.defineMetadata(OPERATION, metadata, descriptor.value);
    // Makes Nest apply pipes to the input (argument 0); argument 1 is the branch.
    Reflect.defineMetadata(
      OPERATION_ARGS,
      {
        '0:0': { index: 0, data: undefined, pipes: [] },
        '1:1': { index: 1, data: 'branch', pipes: [] },
      },
      target.constructor,
      key,
    );
  };
}
