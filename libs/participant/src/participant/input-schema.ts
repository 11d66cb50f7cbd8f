/**
 * Schemas of operations' inputs: anything of the Standard Schema (zod, valibot, arktype, …), or an object
 * with zod's `safeParse`. Guards protocol §4.2: what does not fit is found before the branch begins. A
 * schema that answers with a promise is asked again inside of the branch, before the operation.
 */
import { complaintText } from '@concordat/words';

/** What is wrong with an input, in one place of it. */
export interface InputIssue {
  readonly field: string;
  readonly message: string;
}

/** A schema that validates by `safeParse`, as zod's do. */
export interface ParsingSchema<Input = unknown> {
  safeParse(
    input: unknown,
  ):
    | { readonly success: true; readonly data: Input }
    | { readonly success: false; readonly error: { readonly issues: readonly Issue[] } };
}

/** A schema of the Standard Schema, version 1 (standardschema.dev). */
export interface StandardSchema<Input = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (input: unknown) => Standard<Input> | Promise<Standard<Input>>;
  };
}

/** What an operation's input is validated by. */
export type InputSchema<Input = unknown> = ParsingSchema<Input> | StandardSchema<Input>;

type Standard<Input> =
  | { readonly value: Input; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema made of an input. */
export type Read =
  | { readonly kind: 'fits'; readonly input: unknown }
  | { readonly kind: 'wrong'; readonly issues: readonly InputIssue[] };

/** Whether this is a schema. */
export function isSchema(given: unknown): given is InputSchema {
  const schema = (given ?? {}) as Partial<ParsingSchema & StandardSchema>;
  return (
    typeof schema.safeParse === 'function' || typeof schema['~standard']?.validate === 'function'
  );
}

/** Validates an input. A promise where the schema answers with one. */
export function readInput(schema: InputSchema, input: unknown): Read | Promise<Read> {
  if ('safeParse' in schema) {
    const parsed = schema.safeParse(input);
    return parsed.success ? fits(parsed.data) : wrong(parsed.error.issues);
  }
  const answer = schema['~standard'].validate(input);
  return answer instanceof Promise ? answer.then(standard) : standard(answer);
}

function standard(answer: Standard<unknown>): Read {
  return answer.issues ? wrong(answer.issues) : fits(answer.value);
}

const fits = (input: unknown): Read => ({ kind: 'fits', input });

function wrong(issues: readonly Issue[]): Read {
  return {
    kind: 'wrong',
    issues: issues.map(({ message, path = [] }) => ({
      field: fieldOf(path),
      message: complaintText(message),
    })),
  };
}

function fieldOf(path: NonNullable<Issue['path']>): string {
  const keys = path.map((one) => (typeof one === 'object' ? one.key : one));
  return keys.map(String).join('.') || 'input';
}
