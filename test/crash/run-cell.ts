/** Runs one cell of the crash matrix on a product that is up, and says how long it took to heal. */
import { waitFor } from '@concordat/testing';
import { transferBody, type Product } from '../stage/product.js';
import type { Cell } from './cells.js';

const AMOUNT = 10;

/** Milliseconds from healing until no branch was in doubt. Throws where a promise is broken. */
export async function runCell(product: Product, cell: Cell): Promise<number> {
  const before = await product.balances();
  const term = `${cell.point}#1=${cell.action}`;
  if (cell.story === 'recover') await leaveForRecovery(product, term);
  else await product.restart(cell.service, { crash: term });
  const answer = cell.story === 'recover' ? undefined : send(product, cell);
  const service = product.service(cell.service);
  await service.waitForOutput(`crash point ${cell.point.split('@')[0] ?? ''}`);
  if (cell.action === 'kill') await service.exited;
  if (cell.action === 'stop') service.kill('SIGCONT');
  const told = await answer;
  const from = performance.now();
  await product.restore();
  await product.untilNothingInDoubt();
  const healedMs = performance.now() - from;
  const after = await product.balances();
  const moved = after.bob - before.bob;
  const where = JSON.stringify({ cell, told, before, after });
  if (before.alice - after.alice !== moved) throw new Error(`money was made or lost: ${where}`);
  if (moved !== 0 && moved !== AMOUNT) throw new Error(`half a transfer: ${where}`);
  if (told === 200 && moved !== AMOUNT) throw new Error(`an answered commit is gone: ${where}`);
  if (told === 409 && moved !== 0) throw new Error(`an answered abort is there: ${where}`);
  if (cell.story === 'recover' && moved !== AMOUNT) throw new Error(`not recovered: ${where}`);
  if (cell.story === 'abort' && moved !== 0) throw new Error(`a refused one is there: ${where}`);
  return healedMs;
}

/** The status the client was told, or undefined when it was told nothing. */
async function send(product: Product, cell: Cell): Promise<number | undefined> {
  // Three seconds: a hung point must not hold the whole matrix.
  const body = transferBody(AMOUNT, { timeoutMs: 3_000 });
  if (cell.story === 'abort') {
    // The west credits; the east finds too little, so both are told to abort.
    const [east] = body.branches;
    const operation = east?.operations[0];
    if (operation) operation.input.amount = 1_000_000_000;
  }
  try {
    const answer = await product.request('POST', '/v1/transactions?wait=6s', { body });
    return answer.status;
  } catch {
    return undefined;
  }
}

/** Lets a coordinator die with a decision standing, so that the next one meets its claim. */
async function leaveForRecovery(product: Product, term: string): Promise<void> {
  await product.restart('coordinator', { crash: 'decide.post=kill' });
  void send(product, { service: 'coordinator', point: '', action: 'kill', story: 'commit' });
  await product.service('coordinator').exited;
  await waitFor(async () => (await product.prepared()).length === 2, {
    what: 'both branches to be in doubt',
  });
  await product.startService('coordinator', { crash: term, said: 'crash point claim' });
}
