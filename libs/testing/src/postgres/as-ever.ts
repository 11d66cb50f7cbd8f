// How a test reads what it asks for itself. Suites also run with every parser of the driver replaced for
// the whole process (test/presets): what is replaced is about the service under test, not about the test.

import type { CustomTypesConfig } from 'pg';

/** The types that are read as something else than text, by OID. */
const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map([
  [16, (text: string) => text === 't'], // bool
  [21, Number], // int2
  [23, Number], // int4
  [26, Number], // oid
  [114, (text: string) => JSON.parse(text) as unknown], // json
  [3802, (text: string) => JSON.parse(text) as unknown], // jsonb
]);

/**
 * For `types` of a test's own pool, client or query: truth values, small integers and JSON read as they
 * do by default, everything else as text.
 */
export const AS_EVER: CustomTypesConfig = {
  getTypeParser: (oid: number) => PARSERS.get(oid) ?? ((text: string): unknown => text),
};
