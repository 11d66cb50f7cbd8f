/** Clients that hold rows of one ledger and ask for rows of another: who waits for whom is theirs to say. */
import { transferBody, type CoordinatorId, type Json, type Product } from '../stage/product.js';

export const EAST = 'ledger-east';
export const WEST = 'ledger-west';
/** All of them have this much time; one that does not learn of a cycle would wait for it. */
export const TIMEOUT_MS = 60_000;

export interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly tookMs: number;
}

/** A transaction that is younger than the other one by its id, made by any coordinator. */
export async function begin(
  product: Product,
  at: CoordinatorId = 'coordinator',
  older?: Client,
): Promise<Client> {
  for (;;) {
    const asked = { body: { timeoutMs: TIMEOUT_MS }, at };
    const { body } = await product.request('POST', '/v1/transactions', asked);
    const begun = new Client(product, String(body['transactionId']), at);
    if (!older || begun.id > older.id) return begun;
  }
}

export const causeOf = ({ body }: Answer): unknown => body['cause']?.['code'];

/** A client of one open transaction. */
export class Client {
  constructor(
    private readonly product: Product,
    readonly id: string,
    private readonly at: CoordinatorId,
  ) {}

  /** Changes the balance of an account, and so takes its row. */
  change(participant: string, account: string): Promise<Answer> {
    const operations = [{ name: 'credit', input: { account, amount: 1 } }];
    const body = { participant, operations };
    return this.ask(`/v1/transactions/${this.id}/branches`, body);
  }

  commit(): Promise<Answer> {
    return this.ask(`/v1/transactions/${this.id}/commit?until=completed`);
  }

  private ask(path: string, body?: unknown): Promise<Answer> {
    return timed(this.product.request('POST', path, { body, at: this.at }));
  }
}

export async function timed(asked: Promise<Omit<Answer, 'tookMs'>>): Promise<Answer> {
  const from = performance.now();
  const { status, body } = await asked;
  return { status, body, tookMs: performance.now() - from };
}

/** The transfer the other way round: first the west. */
export function backwards() {
  const { branches, ...rest } = transferBody(1, { timeoutMs: TIMEOUT_MS });
  const [east, west] = branches as [(typeof branches)[0], (typeof branches)[0]];
  const operations = (name: string, account: string) => [{ name, input: { account, amount: 1 } }];
  return {
    ...rest,
    branches: [
      { ...west, operations: operations('debit', 'bob') },
      { ...east, operations: operations('credit', 'alice') },
    ],
  };
}
