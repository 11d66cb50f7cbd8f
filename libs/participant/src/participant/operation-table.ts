/**
 * The operations of a participant, by name. Guards protocol §4.2: input is validated before any
 * database transaction begins, and what is wrong with it is a vote that names the field.
 */
import { NoCode, protocolNo, type VoteAgainst } from '@concordat/protocol';
import { VoteNoError, type OperationCall } from '@concordat/engine';
import type { Branch } from '../branch/current-branch.js';
import { isSchema, readInput, type InputIssue } from './input-schema.js';
import type { OperationDefinition } from './participant-options.js';

/** The configuration contradicts itself: the service must not start. */
export class ParticipantMisconfigured extends Error {
  override readonly name = 'ParticipantMisconfigured';
}

const OPERATION_NAME = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;
const ISSUES_MAX = 10;
const NAMES_MAX = 50;

export class OperationTable {
  private readonly operations = new Map<string, OperationDefinition>();
  /** Calls whose schema answers later. */
  private readonly unread = new WeakSet<OperationCall>();

  constructor(definitions: readonly OperationDefinition[]) {
    for (const definition of definitions) {
      const { name, input } = definition;
      if (!OPERATION_NAME.test(name)) {
        throw new ParticipantMisconfigured(
          `operation name ${JSON.stringify(name)} is refused: begin with a letter, then letters, digits, ".", "_" or "-", at most 64 characters`,
        );
      }
      if (this.operations.has(name)) {
        throw new ParticipantMisconfigured(
          `operation ${name} is defined twice in this participant: rename one of them`,
        );
      }
      if (input && !isSchema(input)) {
        throw new ParticipantMisconfigured(
          `operation ${name} has an input schema that is none: give a standard schema (zod, valibot, arktype) or an object with safeParse(); in Nest a DTO class is validated by a ValidationPipe`,
        );
      }
      this.operations.set(name, definition);
    }
    if (this.operations.size === 0) {
      throw new ParticipantMisconfigured(
        'this participant has no operations: decorate methods of a provider with @Operation, or pass `operations`',
      );
    }
  }

  get names(): string[] {
    return [...this.operations.keys()].sort();
  }

  find(name: string): OperationDefinition | undefined {
    return this.operations.get(name);
  }

  /** Whether calls may run more than once in a branch, the runs before the last one undone. */
  mayRunAgain(calls: readonly OperationCall[]): boolean {
    return calls.every(({ name }) => !this.operations.get(name)?.once);
  }

  /** The call with its input as the schema read it, or why the branch votes no. */
  check(call: OperationCall): OperationCall | VoteAgainst {
    const operation = this.operations.get(call.name);
    if (!operation) {
      return protocolNo(
        NoCode.unknownOperation,
        `There is no operation "${call.name}" here; there is ${this.names.join(', ')}.`,
        { operation: call.name, known: this.names.slice(0, NAMES_MAX) },
      );
    }
    if (!operation.input) return call;
    const read = readInput(operation.input, call.input);
    if (read instanceof Promise) {
      // Asked again in `run`: here nothing may be waited for.
      read.catch(() => undefined);
      this.unread.add(call);
      return call;
    }
    return read.kind === 'fits'
      ? { name: call.name, input: read.input }
      : invalid(call, read.issues);
  }

  /**
   * Runs an operation with a checked input. Rejects with a vote `INVALID_INPUT` where its schema answers
   * later and the input does not fit.
   */
  async run(call: OperationCall, branch: Branch): Promise<unknown> {
    const { name, input } = call;
    const operation = this.operations.get(name);
    if (!operation?.input || !this.unread.has(call)) return operation?.run(input, branch);
    const read = await readInput(operation.input, input);
    if (read.kind === 'fits') return operation.run(read.input, branch);
    const { code, reason, details } = invalid(call, read.issues);
    throw new VoteNoError(code, details, { reason });
  }
}

function invalid({ name }: OperationCall, all: readonly InputIssue[]): VoteAgainst {
  const issues = all.slice(0, ISSUES_MAX);
  const first = issues[0] ?? { field: 'input', message: 'invalid' };
  return protocolNo(NoCode.invalidInput, `${name}: ${first.field}: ${first.message}`, {
    operation: name,
    field: first.field,
    issues,
  });
}
