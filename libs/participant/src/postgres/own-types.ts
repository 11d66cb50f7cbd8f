/**
 * How the library's own statements read their answers. A service may replace the parsers of `pg` for
 * its whole process, for a pool or for a connection, and ask for binary results: that is about its own
 * statements. Guards "recovery depends on nothing that the host sets": ours carry their own parsers.
 */
import type { CustomTypesConfig, PoolClient, QueryResult, QueryResultRow } from 'pg';

/** The types that are read as something else than text, by OID: those of the catalog never change. */
const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map([
  [16, (text: string) => text === 't'], // bool
  [20, Number], // int8: milliseconds and counts, far below 2^53
  [21, Number], // int2
  [23, Number], // int4
  [26, Number], // oid
  [114, (text: string) => JSON.parse(text) as unknown], // json
  [700, Number], // float4
  [701, Number], // float8
  [1700, Number], // numeric
  [3802, (text: string) => JSON.parse(text) as unknown], // jsonb
]);

const asText = (text: string): unknown => text;

/**
 * Parsers for a pool's or a query's `types`. What is not listed stays text, arrays too: a statement
 * that returns a list makes JSON of it.
 */
export const OWN_TYPES: CustomTypesConfig = {
  getTypeParser: (oid: number) => PARSERS.get(oid) ?? asText,
};

/** A statement of the library's own. */
export interface OwnStatement {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Prepared once per connection under this name. */
  readonly name?: string;
}

/** Asks on a connection of the host's: the answer reads as it does on one of ours. */
export function ask<Row extends QueryResultRow>(
  client: PoolClient,
  { text, values, name }: OwnStatement,
  types: CustomTypesConfig = OWN_TYPES,
): Promise<QueryResult<Row>> {
  const query = {
    text,
    ...(values ? { values: [...values] } : {}),
    ...(name === undefined ? {} : { name }),
    types,
  };
  return inTextFormat(client, () => client.query<Row>(query));
}

/** A client applies `binary` when it gets a query, and no query can refuse. */
function inTextFormat<T>(client: object, send: () => T): T {
  const wired = client as { binary?: boolean };
  const { binary } = wired;
  wired.binary = false;
  try {
    return send();
  } finally {
    wired.binary = binary;
  }
}

/** Makes a connection of ours answer in text, with any `pg.defaults.binary`. */
export function answerInText(client: object): void {
  (client as { binary?: boolean }).binary = false;
}
