/**
 * JSON schemas of every message, made from the schemas the codec itself uses: what the documentation
 * promises to other languages is what is checked here, because it is the same thing.
 */
import { z } from 'zod';
import { MESSAGES } from './catalogue.js';
import { WIRE_VERSION } from './limits.js';

/** A JSON schema (draft 2020-12) per message type. */
export function jsonSchemas(): Record<string, Record<string, unknown>> {
  const schemas: Record<string, Record<string, unknown>> = {};
  for (const [type, { schema, meaning }] of Object.entries(MESSAGES)) {
    // As input: unknown fields stay allowed, since readers of a message ignore them.
    const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' });
    schemas[type] = {
      $schema,
      $id: `concordat:v${WIRE_VERSION}:${type}`,
      title: type,
      description: meaning,
      ...rest,
    };
  }
  return schemas;
}
