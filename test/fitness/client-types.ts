/**
 * The types of the client, made from the schemas of libs/api, so that no shape is written twice and a client
 * needs no schema library. Names are the ids of the schemas, docs their descriptions. What a request may say
 * is closed; an enum of an answer is open, unless libs/api lists it as one that never grows.
 */
import * as api from '@concordat/api';
import { z } from 'zod';

interface Json {
  readonly $ref?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Json[];
  readonly oneOf?: readonly Json[];
  readonly type?: string;
  readonly pattern?: string;
  readonly items?: Json;
  readonly properties?: Readonly<Record<string, Json>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Json;
}

/** Schemas that the OpenAPI document spells out where they are used, and a client wants by name. */
const NAMED: Readonly<Record<string, z.ZodType>> = {
  ActionName: api.ActionName,
  AdminListRequest: api.AdminListQuery,
  AdminView: api.View,
  AuditRequest: api.AuditQuery,
  Decision: api.Decision,
  Moment: api.Until,
};

const HEAD = `// Made from the schemas of libs/api by \`npm run client-types\`; do not edit.

/** An enum that may grow: known values complete in an editor, others are allowed. */
export type Open<Known extends string> = Known | (string & Record<never, never>);
`;

const WIDTH = 100;

export function clientTypes(): string {
  const { schemas } = z.toJSONSchema(registry(), {
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => id,
  }) as { readonly schemas: Readonly<Record<string, Json>> };
  const declared = Object.entries(schemas)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => declaration(name, schema));
  return [HEAD, ...declared].join('\n');
}

/** Every schema that has a name, by it. Throws where two have the same. */
function registry(): z.core.$ZodRegistry<{ id: string }> {
  const named = z.registry<{ id: string }>();
  const all = Object.values(api).filter((one) => one instanceof z.ZodType);
  const byId = all.flatMap((one): [string, z.ZodType][] => {
    const id = one.meta()?.id;
    return id === undefined ? [] : [[id, one]];
  });
  for (const [id, schema] of [...Object.entries(NAMED), ...byId]) named.add(schema, { id });
  return named;
}

function declaration(name: string, schema: Json): string {
  const doc = docOf(schema.description, '');
  const isInterface = Object.keys(schema.properties ?? {}).length > 0;
  const text = typeOf(schema, '', false);
  return `${doc}export ${isInterface ? `interface ${name} ${text}` : `type ${name} =${spaced(text)};`}\n`;
}

function typeOf(schema: Json, indent: string, isAsked: boolean): string {
  if (schema.$ref !== undefined) return schema.$ref;
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum) return enumOf(schema.enum, indent, isAsked);
  const either = schema.anyOf ?? schema.oneOf;
  if (either)
    return unionOf(
      either.map((one) => typeOf(one, `${indent}  `, isAsked)),
      indent,
    );
  switch (schema.type) {
    case 'array': {
      const item = typeOf(schema.items ?? {}, indent, isAsked);
      return /^['\n]/.test(item) ? `readonly (${item})[]` : `readonly ${item}[]`;
    }
    case 'object':
      return objectOf(schema, indent, isAsked || schema.additionalProperties === false);
    case 'string':
      return schema.pattern === api.WHOLE.source ? 'number' : 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case undefined:
      return 'unknown';
    default:
      throw new Error(`the client has no type for ${JSON.stringify(schema)}`);
  }
}

function objectOf(schema: Json, indent: string, isAsked: boolean): string {
  const { properties = {}, required = [], additionalProperties } = schema;
  const fields = Object.entries(properties);
  if (fields.length === 0 && typeof additionalProperties === 'object') {
    return `Readonly<Record<string, ${typeOf(additionalProperties, indent, isAsked)}>>`;
  }
  if (fields.length === 0) return 'Readonly<Record<string, never>>';
  const inner = `${indent}  `;
  const lines = fields.map(([name, one]) => {
    const mark = required.includes(name) ? '' : '?';
    return `${docOf(one.description, inner)}${inner}readonly ${name}${mark}:${spaced(typeOf(one, inner, isAsked))};\n`;
  });
  return `{\n${lines.join('')}${indent}}`;
}

function enumOf(words: readonly string[], indent: string, isAsked: boolean): string {
  const isClosed = api.CLOSED.some(
    (one) => one.length === words.length && one.every((word) => words.includes(word)),
  );
  const isOpen = !isAsked && !isClosed;
  const short = words.map(literal).join(' | ');
  const union = short.length < WIDTH / 2 ? short : unionOf(words.map(literal), indent);
  return isOpen ? `Open<${union}${union === short ? '' : `\n${indent}`}>` : union;
}

/** Each on a line of its own. */
const unionOf = (types: readonly string[], indent: string): string =>
  types.map((one) => `\n${indent}  | ${one}`).join('');

/** A type behind its colon; a union begins on the next line. */
const spaced = (type: string): string => (type.startsWith('\n') ? type : ` ${type}`);

const literal = (value: unknown): string =>
  typeof value === 'string' ? `'${value}'` : JSON.stringify(value);

/** A doc comment in lines of the house's width; nothing where nothing is described. */
function docOf(description: string | undefined, indent: string): string {
  if (description === undefined) return '';
  const begun = `${description[0]?.toUpperCase() ?? ''}${description.slice(1)}`;
  const text = /[.…]$/.test(begun) ? begun : `${begun}.`;
  const line = `${indent}/** ${text} */\n`;
  if (line.length <= WIDTH) return line;
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && `${indent} * ${last} ${word}`.length <= WIDTH) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return `${indent}/**\n${lines.map((one) => `${indent} * ${one}\n`).join('')}${indent} */\n`;
}
