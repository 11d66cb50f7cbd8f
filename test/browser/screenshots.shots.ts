/**
 * The pictures of the admin view for README and docs, of real trouble. Run by `npm run screenshots`, not
 * by `npm test`. Guards "no picture without the product behind it": nothing shown is made up.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { waitFor } from '@concordat/testing';
import type { Page } from 'playwright-core';
import { AdminStage, PATIENCE_MS } from './admin-stage.js';

const FOLDER = resolve(import.meta.dirname, '../../docs/images');
const QUALITY = 0.86;
const ORDERS = 60;

describe('Pictures of the admin view', () => {
  let stage: AdminStage;
  let stuck: string;
  const waiting: Promise<unknown>[] = [];

  beforeAll(async () => {
    await mkdir(FOLDER, { recursive: true });
    stage = await AdminStage.start();
    const names = ['order-1041', 'order-1042', 'order-1043', 'order-1044', 'order-2025', 'shop'];
    await stage.accounts(...names);
    await business();
    await stage.jamEast();
    stuck = await stage.transfer('order-1041', 'place-order');
    await stage.transfer('order-1042', 'refund');
    const byHand = await stage.transfer('order-1043', 'settle-invoice');
    await stage.rollBackByHand(byHand);
    await stage.freeEast();
    await stage.untilStatus(byHand, 'heuristic-mixed');
    await stage.jamEast();
    stuck = await stage.transfer('order-1041', 'place-order');
    await stage.transfer('order-1042', 'refund');
    await stage.orphan('order-2025');
    for (const amount of [1, 2, 3]) waiting.push(wait(amount));
    await untilShown();
  });

  afterAll(async () => {
    await stage?.dispose();
    await Promise.all(waiting);
  });

  /** Ordinary transfers, of which some are refused. */
  async function business(): Promise<void> {
    for (let order = 0; order < ORDERS; order++) {
      const account = order % 9 === 8 ? 'nobody' : 'shop';
      await stage.transfer(account, 'place-order');
    }
  }

  /** A session that wants what the stuck transaction holds. */
  async function wait(amount: number): Promise<void> {
    await stage.product
      .sql(
        'ledger-east',
        `SET application_name = 'interest-run'; UPDATE account SET balance = balance + ${amount} WHERE id = 'order-1041'`,
      )
      .catch(() => undefined); // Its server goes with the stage.
  }

  async function untilShown(): Promise<void> {
    await waitFor(
      async () => {
        const key = stage.key('operator');
        const { body } = await stage.product.request('GET', '/v1/admin/overview', { key });
        return Number(body['stuck']) >= 2 && Number(body['orphans']) >= 1;
      },
      { what: 'the overview to show the trouble', timeoutMs: 4 * PATIENCE_MS },
    );
  }

  const pictures = [
    { name: 'admin-overview', path: () => '/', shows: 'In doubt, by age', height: 900 },
    {
      name: 'admin-stuck',
      path: () => '/transactions?view=stuck',
      shows: 'place-order',
      height: 560,
    },
    {
      name: 'admin-transaction',
      path: () => `/transactions/${stuck}`,
      shows: 'Runbook',
      height: 1180,
    },
    {
      name: 'admin-transaction-dark',
      path: () => `/transactions/${stuck}`,
      shows: 'Runbook',
      height: 760,
      scheme: 'dark' as const,
    },
    {
      name: 'admin-orphans',
      path: () => '/orphans',
      shows: 'forgotten here',
      height: 560,
      role: 'force' as const,
    },
    {
      name: 'admin-narrow',
      path: () => `/transactions/${stuck}`,
      shows: 'Runbook',
      height: 780,
      width: 390,
      scheme: 'dark' as const,
    },
  ];

  it.each(pictures)('$name', async ({ name, path, shows, height, width = 1_280, ...look }) => {
    const { page, context } = await stage.view({ path: path(), width, ...look });
    await page.setViewportSize({ width, height });
    await page.getByText(shows).first().waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    await page.evaluate(() => document.fonts.ready.then(() => undefined));
    const png = await page.screenshot({ animations: 'disabled' });
    await writeFile(resolve(FOLDER, `${name}.webp`), await webpOf(page, png));
    await context.close();
  });
});

/** The picture as WebP, by the browser's own encoder: a third of the size. */
async function webpOf(page: Page, png: Buffer): Promise<Buffer> {
  await page.goto('about:blank');
  const encoded = await page.evaluate(
    async ([data, quality]) => {
      const image = new Image();
      image.src = `data:image/png;base64,${data}`;
      await image.decode();
      const canvas = document.createElement('canvas');
      canvas.width = image.width;
      canvas.height = image.height;
      canvas.getContext('2d')?.drawImage(image, 0, 0);
      return canvas.toDataURL('image/webp', quality);
    },
    [png.toString('base64'), QUALITY] as const,
  );
  return Buffer.from(encoded.slice(encoded.indexOf(',') + 1), 'base64');
}
