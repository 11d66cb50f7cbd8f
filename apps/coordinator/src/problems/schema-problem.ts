/**
 * From a schema's issues to a problem that names each field. Guards "a bad request names the field":
 * an unknown field is named itself, not the object that holds it, and the list is bounded so that a
 * hostile body cannot make a large answer.
 */
import type { ArgumentMetadata, StandardSchemaValidationPipeOptions } from '@nestjs/common';
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
    const key = typeof part === 'object' ? part.key : part;
    if (typeof key === 'number') name += `[${key}]`;
    else name += name === '' ? String(key) : `.${String(key)}`;
  }
  return name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name;
}

/** The fields that the issues of a schema complain about. */
export function fieldErrors(issues: Issues, source: ArgumentMetadata['type']): FieldError[] {
  const errors: FieldError[] = [];
  for (const issue of issues) {
    for (const field of fieldsOf(issue)) {
      if (errors.length === ERRORS_MAX) return errors;
      errors.push({ field: sourced(field, source), message: messageOf(issue) });
    }
  }
  return errors;
}

export function schemaProblem(issues: Issues, source: ArgumentMetadata['type'] = 'body'): Problem {
  return invalidRequest(fieldErrors(issues, source));
}

/** An issue about unknown keys is about each of them; any other about its path. */
function fieldsOf(issue: Issue): string[] {
  const keys = unknownKeys(issue);
  if (!keys) return [fieldName(issue.path)];
  return keys.map((key) => fieldName([...(issue.path ?? []), key]));
}

function unknownKeys(issue: Issue): readonly string[] | undefined {
  if (!('code' in issue) || issue.code !== 'unrecognized_keys' || !('keys' in issue))
    return undefined;
  return Array.isArray(issue.keys) ? issue.keys.map(String) : undefined;
}

function messageOf(issue: Issue): string {
  return unknownKeys(issue) ? 'is not a known field' : issue.message;
}

function sourced(field: string, source: ArgumentMetadata['type']): string {
  if (source === 'query') return `query ${field}`;
  if (source === 'param') return `path ${field}`;
  return field === '' ? 'body' : field;
}
