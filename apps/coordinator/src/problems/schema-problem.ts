/**
 * From a schema's issues to a problem that names each field. Guards "a bad request names the field":
 * an unknown field is named itself, not the object that holds it, and the list is bounded so that a
 * hostile body cannot make a large answer.
 */
import { complaintText, nearest } from '@concordat/words';
import type { ArgumentMetadata, StandardSchemaValidationPipeOptions } from '@nestjs/common';
import { knownFields } from './known-fields.js';
import { someOf } from './near-names.js';
import { invalidRequest, type FieldError, type Problem } from './problem.js';

/** What a standard schema has to complain about. */
export type Issues = Parameters<
  NonNullable<StandardSchemaValidationPipeOptions['exceptionFactory']>
>[0];
type Issue = Issues[number];

const ERRORS_MAX = 50;
const NAME_LENGTH_MAX = 80;

/** `branches[0].operations[2].name` */
export function fieldName(path: Issue['path']): string {
  let name = '';
  for (const part of path ?? []) {
    const key = keyOf(part);
    if (typeof key === 'number') name += `[${key}]`;
    else name += name === '' ? String(key) : `.${String(key)}`;
  }
  return name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name;
}

function keyOf(part: NonNullable<Issue['path']>[number]): PropertyKey {
  return typeof part === 'object' ? part.key : part;
}

/** The fields that the issues of a schema complain about; with the schema, also what is known instead. */
export function fieldErrors(
  issues: Issues,
  source: ArgumentMetadata['type'],
  schema?: unknown,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const issue of issues) {
    for (const { field, message } of complaintsOf(issue, schema)) {
      if (errors.length === ERRORS_MAX) return errors;
      errors.push({ field: sourced(field, source), message });
    }
  }
  return errors;
}

export function schemaProblem(
  issues: Issues,
  source: ArgumentMetadata['type'] = 'body',
  schema?: unknown,
): Problem {
  return invalidRequest(fieldErrors(issues, source, schema));
}

/** An issue about unknown keys is about each of them; any other about its path. */
function complaintsOf(issue: Issue, schema: unknown): FieldError[] {
  const path = issue.path ?? [];
  const keys = unknownKeys(issue);
  if (!keys) return [{ field: fieldName(path), message: complaintText(issue.message) }];
  const known = knownFields(schema, path.map(keyOf));
  return keys.map((key) => ({
    field: fieldName([...path, key]),
    message: unknownField(key, known),
  }));
}

function unknownField(key: string, known: readonly string[]): string {
  if (known.length === 0) return 'is not a known field';
  const near = nearest(key, known);
  if (near !== undefined) return `is not a known field; did you mean ${near}?`;
  return `is not a known field; known here are ${someOf(known)}`;
}

function unknownKeys(issue: Issue): readonly string[] | undefined {
  if (!('code' in issue) || issue.code !== 'unrecognized_keys' || !('keys' in issue))
    return undefined;
  return Array.isArray(issue.keys) ? issue.keys.map(String) : undefined;
}

function sourced(field: string, source: ArgumentMetadata['type']): string {
  if (source === 'query') return `query ${field}`;
  if (source === 'param') return `path ${field}`;
  return field === '' ? 'body' : field;
}
