/**
 * The fields that a schema knows at a path. Guards "an unknown field is answered with the ones that are
 * known": they are read from the same JSON Schema that the OpenAPI document shows.
 */
import { z } from 'zod';

interface Node {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly $defs?: Readonly<Record<string, Node>>;
}

const documents = new WeakMap<object, Node>();

/**
 * The names of fields that may be at `path` (keys and indices) of what `schema` describes, as they are
 * written there; empty when the schema is none of zod's, or nothing is known of that place.
 */
export function knownFields(schema: unknown, path: readonly unknown[]): string[] {
  if (!(schema instanceof z.ZodType)) return [];
  const document = documentOf(schema);
  let nodes = spread(document, document);
  for (const part of path) nodes = nodes.flatMap((node) => stepInto(node, part, document));
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}

function documentOf(schema: z.ZodType): Node {
  let document = documents.get(schema);
  if (!document) {
    document = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node;
    documents.set(schema, document);
  }
  return document;
}

function stepInto(node: Node, part: unknown, document: Node): Node[] {
  const next = typeof part === 'number' ? node.items : node.properties?.[String(part)];
  return next ? spread(next, document) : [];
}

/** A node with what it refers to, and each of its alternatives. */
function spread(node: Node, document: Node): Node[] {
  const name = node.$ref?.replace(/^#\/\$defs\//, '');
  const target = name === undefined ? node : (document.$defs?.[name] ?? node);
  return [target, ...(target.anyOf ?? []).flatMap((one) => spread(one, document))];
}
