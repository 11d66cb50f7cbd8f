/**
 * Every parser of `pg` replaced for the whole process, as a service may do: what was a number, a truth
 * value, a date, JSON or a list is an object that only its owner understands. Sent back to the database
 * it is what it was.
 */
import pg from 'pg';

/** A value as a service of its own mind reads it. */
export class Replaced {
  constructor(readonly said: unknown) {}
  toPostgres(): string {
    return `${this.said as string}`;
  }
  toString(): string {
    return this.toPostgres();
  }
}

/** OIDs of all types that a server may have built in; no type of a user's has one below. */
const USERS_OIDS = 16_384;
/** Types whose values are texts: "char", name, text, unknown, bpchar, varchar. */
const TEXTS = new Set([18, 19, 25, 705, 1042, 1043]);

/**
 * Replaces them; returns what takes that back. With `texts: false` texts stay texts, without which no
 * ORM works: it reads the server's version as one.
 */
export function replaceParsers({ texts }: { readonly texts: boolean }): () => void {
  const restore: (() => void)[] = [];
  for (const format of ['text', 'binary'] as const) {
    for (let oid = 1; oid < USERS_OIDS; oid++) {
      if (!texts && TEXTS.has(oid)) continue;
      const before = pg.types.getTypeParser(oid as never, format) as Parser;
      const set = (parser: Parser): void =>
        pg.types.setTypeParser(oid as never, format, parser as never);
      restore.push(() => set(before));
      set((said) => new Replaced(said));
    }
  }
  return () => restore.forEach((one) => one());
}

type Parser = (said: unknown) => unknown;
