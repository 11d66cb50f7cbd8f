/**
 * The code of the example services, as it was built for them: their entity, migrations, statements, checks of
 * input and operations. What is measured beside Concordat differs in how a branch is committed and in nothing else.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { VoteNo } from '@concordat/participant';
import { ROOT } from '../root.js';

const built = (file: string): Promise<unknown> =>
  import(pathToFileURL(resolve(ROOT, 'apps', file)).href);

type Entity = typeof import('../../../apps/ledger/src/accounts/account.entity.js');
type Inputs = typeof import('../../../apps/ledger/src/accounts/account.inputs.js');
type Accounts = typeof import('../../../apps/ledger/src/accounts/accounts.participant.js');
type Create = typeof import('../../../apps/ledger/src/migrations/1760000000000-create-account.js');
type Limit = typeof import('../../../apps/ledger/src/migrations/1764950000000-limit-balance.js');
type Stock = typeof import('../../../apps/inventory/src/stock/stock.participant.js');
type StockInputs = typeof import('../../../apps/inventory/src/stock/stock.inputs.js');
type StockSql = typeof import('../../../apps/inventory/src/stock/stock.sql.js');

export async function ledgerCode() {
  const accounts = 'ledger/dist/accounts';
  return {
    ...((await built(`${accounts}/account.entity.js`)) as Entity),
    ...((await built(`${accounts}/account.inputs.js`)) as Inputs),
    ...((await built(`${accounts}/accounts.participant.js`)) as Accounts),
    ...((await built('ledger/dist/migrations/1760000000000-create-account.js')) as Create),
    ...((await built('ledger/dist/migrations/1764950000000-limit-balance.js')) as Limit),
  };
}

export async function stockCode() {
  const stock = 'inventory/dist/stock';
  return {
    ...((await built(`${stock}/stock.participant.js`)) as Stock),
    ...((await built(`${stock}/stock.inputs.js`)) as StockInputs),
    ...((await built(`${stock}/stock.sql.js`)) as StockSql),
  };
}

/** A branch's work as the gateway sends it. */
export interface BranchWork {
  readonly commitBy: 'transaction' | 'statement';
  readonly operations: readonly { readonly name: string; readonly input: unknown }[];
}

export type BranchAnswer = { readonly outputs: readonly unknown[] } | { readonly refused: string };

type Operation = (input: never) => Promise<unknown>;

/** Checks every input first, then runs one operation after the other. */
export async function runOperations(
  { operations }: BranchWork,
  schemas: Readonly<Record<string, { parse(input: unknown): unknown }>>,
  service: object,
): Promise<unknown[]> {
  const inputs = operations.map(({ name, input }) => schemas[name]?.parse(input));
  const outputs: unknown[] = [];
  for (const [index, { name }] of operations.entries()) {
    const operation = (service as Record<string, Operation>)[name];
    if (!operation) throw new Error(`there is no operation ${name}`);
    outputs.push(await operation.call(service, inputs[index] as never));
  }
  return outputs;
}

/** What a branch answers: a refusal is an answer here too. */
export async function answering(work: Promise<unknown[]>): Promise<BranchAnswer> {
  try {
    return { outputs: await work };
  } catch (error) {
    if (error instanceof VoteNo) return { refused: error.vote.code };
    throw error;
  }
}

/** Started by the bench, which gives all of these. */
export function given(name: 'PARTICIPANT_NAME' | 'DATABASE_URL' | 'NATS_URL' | 'PORT' | 'KEY') {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}
