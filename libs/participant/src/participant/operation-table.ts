/**
 * The operations of a participant, by name. Guards protocol §4.2: input is validated before any
 * database transaction begins, and what is wrong with it is a vote that names the field.
 */
import { NoCode, protocolNo, type VoteAgainst } from '@concordat/protocol';
import type { OperationCall } from '@concordat/engine';
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
      if (input && typeof input.safeParse !== 'function') {
        throw new ParticipantMisconfigured(
          `operation ${name} has an input schema without safeParse(): give a schema of zod; in Nest a standard schema may be given to the parameter, @Payload({ schema }), and is checked by a StandardSchemaValidationPipe`,
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
    const parsed = operation.input?.safeParse(call.input);
    if (!parsed) return call;
    if (parsed.success) return { name: call.name, input: parsed.data };
    const issues = parsed.error.issues.slice(0, ISSUES_MAX).map(({ path, message }) => ({
      field: path.map(String).join('.') || 'input',
      message,
    }));
    const first = issues[0] ?? { field: 'input', message: 'invalid' };
    return protocolNo(NoCode.invalidInput, `${call.name}: ${first.field}: ${first.message}`, {
      operation: call.name,
      field: first.field,
      issues,
    });
  }
}
