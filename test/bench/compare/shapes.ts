/**
 * What is measured: shapes of transactions, and the work of one transaction, the same for every way of
 * carrying it out. Each client keeps to rows of its own, so that none waits for locks.
 */
export const SHAPES = ['write', 'read-only', 'refused', 'interactive'] as const;
export type Shape = (typeof SHAPES)[number];

/** How a participant reaches its database: the example ledger, or the example inventory. */
export const THROUGH = ['typeorm', 'pg'] as const;
export type Through = (typeof THROUGH)[number];

/** One operation at one participant. */
export interface Work {
  readonly participant: string;
  readonly name: string;
  readonly input: Readonly<Record<string, string | number>>;
}

const ROWS_PER_CLIENT = 30;
/** As many clients find rows of their own. */
export const CLIENTS_MAX = 128;
export const ROWS = ROWS_PER_CLIENT * CLIENTS_MAX;

/** What rows begin with: more than any run takes, less than what is refused asks for. */
export const BALANCE = 1_000_000_000_000;
export const STOCK = 500_000_000;
const MORE_THAN_THERE_IS = { typeorm: 2 * BALANCE, pg: 2 * STOCK } as const;

export function participantName(through: Through, index: number): string {
  return `${through === 'typeorm' ? 'ledger' : 'stock'}-${index + 1}`;
}

/** A row that only this client uses. */
export function rowOf(client: number): string {
  return `a${client * ROWS_PER_CLIENT + Math.floor(Math.random() * ROWS_PER_CLIENT)}`;
}

/** The operations of one transaction, one per participant. The last one of `refused` votes no. */
export function workOf(
  { shape, through, participants }: { shape: Shape; through: Through; participants: number },
  client: number,
): Work[] {
  const row = rowOf(client);
  return Array.from({ length: participants }, (_, index): Work => {
    const refuses = shape === 'refused' && index === participants - 1;
    const participant = participantName(through, index);
    const takes = index % 2 === 0 || refuses;
    if (through === 'typeorm') {
      if (shape === 'read-only') return { participant, name: 'balance', input: { account: row } };
      const amount = refuses ? MORE_THAN_THERE_IS.typeorm : 100;
      return { participant, name: takes ? 'debit' : 'credit', input: { account: row, amount } };
    }
    if (shape === 'read-only') return { participant, name: 'level', input: { sku: row } };
    const quantity = refuses ? MORE_THAN_THERE_IS.pg : 1;
    return { participant, name: takes ? 'reserve' : 'release', input: { sku: row, quantity } };
  });
}
