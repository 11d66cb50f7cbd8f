/**
 * The whole crash matrix, and its table: docs/crash-matrix.md holds every cell with the time it took
 * until nothing was in doubt.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Product } from '../stage/product.js';
import { CELLS, nameOf } from './cells.js';
import { runCell } from './run-cell.js';

const TABLE = resolve(import.meta.dirname, '../../docs/crash-matrix.md');

describe('Whatever happens at', () => {
  let product: Product;
  const rows: string[] = [];

  beforeAll(async () => {
    product = await Product.start();
    await product.openAccounts(1_000_000);
    await product.untilNothingInDoubt();
  });

  afterEach(() => product.restore());

  afterAll(async () => {
    await product.dispose();
    writeFileSync(TABLE, page(rows));
  });

  it.each(CELLS.map((cell) => [nameOf(cell), cell] as const))(
    '%s, all promises are kept',
    async (_, cell) => {
      const healedMs = await runCell(product, cell);
      rows.push(
        `| ${cell.service} | \`${cell.point}\` | ${cell.action} | ${cell.story} | ${(healedMs / 1_000).toFixed(1)} s |`,
      );
    },
  );
});

function page(rows: readonly string[]): string {
  return `# Crash matrix

Written by \`npm run test:nightly -- test/crash\`: ${rows.length} of ${CELLS.length} cells passed. Each cell is a real run
on real processes, Postgres and NATS: the service is armed at the point, a transaction reaches it, everything is healed
(dead or armed services are started again), and then no branch may be in doubt, money is conserved, and what the client was
told is what happened. The time is from the beginning of healing, process starts included, until no branch was in doubt.

| Service | Point | Action | Story | Healed after |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}
