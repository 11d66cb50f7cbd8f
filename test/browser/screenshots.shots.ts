/**
 * The pictures of the admin view for README and docs, of real trouble. Run by `npm run screenshots`, not
 * by `npm test`. Guards "no picture without the product behind it": nothing shown is made up.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { waitFor } from '@concordat/testing';
import type { Page } from 'playwright-core';
import { AdminStage, PATIENCE_MS, type Role } from './admin-stage.js';

const FOLDER = resolve(import.meta.dirname, '../../docs/images');
const QUALITY = 0.8;
const ORDERS = 60;

describe('Pictures of the admin view', () => {
  let stage: AdminStage;
  let stuck: string;
  let heuristic: string;
  const waiting: Promise<unknown>[] = [];

  beforeAll(async () => {
    await mkdir(resolve(FOLDER, 'admin'), { recursive: true });
    stage = await AdminStage.start();
    const names = ['order-1041', 'order-1042', 'order-1043', 'order-1044', 'order-2025', 'shop'];
    await stage.accounts(...names);
    await business();
    stage.jamEast();
    stuck = await stage.transfer('order-1041', 'place-order');
    await stage.transfer('order-1042', 'refund');
    const byHand = await stage.transfer('order-1043', 'settle-invoice');
    heuristic = byHand;
    await stage.rollBackByHand(byHand);
    await stage.freeEast();
    await stage.untilStatus(byHand, 'heuristic-mixed');
    stage.jamEast();
    stuck = await stage.transfer('order-1041', 'place-order');
    await stage.transfer('order-1042', 'refund');
    await stage.orphan('order-2025');
    for (const amount of [1, 2, 3]) waiting.push(wait(amount));
    await untilShown();
    await plan();
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

  /** Bulk work that was planned, and a retry, so that operations and audit have something to show. */
  async function plan(): Promise<void> {
    const admin = stage.product.admin();
    const { etag } = await admin.transaction(stuck);
    await admin.act(stuck, { action: 'retry' }, etag);
    const reason = 'deliver what waits, once the ledger in the east is back';
    await admin.planOperation({ action: 'retry', filter: { view: 'stuck' }, reason });
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

  /** Every page, what it shows when it is there, and the role that is signed in. */
  const PAGES: readonly {
    name: string;
    path: () => string;
    shows: string;
    role?: Role;
  }[] = [
    { name: 'overview', path: () => '/', shows: 'In doubt, by age' },
    { name: 'stuck', path: () => '/transactions?view=stuck', shows: 'place-order' },
    { name: 'transaction', path: () => `/transactions/${stuck}`, shows: 'Runbook' },
    { name: 'heuristic', path: () => `/transactions/${heuristic}`, shows: 'Runbook' },
    { name: 'participants', path: () => '/participants', shows: 'ledger-east' },
    { name: 'orphans', path: () => '/orphans', shows: 'forgotten here', role: 'force' },
    { name: 'operations', path: () => '/operations', shows: 'deliver what waits' },
    { name: 'audit', path: () => '/audit', shows: 'chain intact' },
    { name: 'dossier', path: () => '/dossier', shows: 'Drop a dossier here' },
  ];
  const SIZES = [
    { width: 360, height: 800, scale: 1 },
    { width: 1_280, height: 900, scale: 1 },
    { width: 2_560, height: 1_300, scale: 0.5 },
  ];
  const pictures = PAGES.flatMap((one) =>
    SIZES.map((size) => ({ ...one, ...size, name: `admin/${one.name}-${size.width}` })),
  );
  const inDocs = [
    { ...PAGES[1]!, name: 'admin-stuck', width: 1_280, height: 560, scale: 1 },
    { ...PAGES[2]!, name: 'admin-transaction', width: 1_280, height: 1_180, scale: 1 },
  ];

  it.each([...inDocs, ...pictures])(
    '$name',
    async ({ name, path, shows, width, height, scale, role = 'operator' }) => {
      const { page, context } = await stage.view({ path: path(), width, role });
      await page.setViewportSize({ width, height });
      await page.getByText(shows).first().waitFor();
      await page.getByText('live', { exact: true }).waitFor();
      await page.evaluate(() => document.fonts.ready.then(() => undefined));
      const png = await page.screenshot({ animations: 'disabled' });
      await writeFile(resolve(FOLDER, `${name}.webp`), await webpOf(page, png, scale));
      await context.close();
    },
  );
});

/** The picture as WebP, by the browser's own encoder: a third of the size; wide ones at a smaller scale. */
async function webpOf(page: Page, png: Buffer, scale: number): Promise<Buffer> {
  await page.goto('about:blank');
  const encoded = await page.evaluate(
    async ([data, quality, by]) => {
      const image = new Image();
      image.src = `data:image/png;base64,${data}`;
      await image.decode();
      const canvas = document.createElement('canvas');
      canvas.width = image.width * by;
      canvas.height = image.height * by;
      const context = canvas.getContext('2d');
      if (context) context.imageSmoothingQuality = 'high';
      context?.drawImage(image, 0, 0, canvas.width, canvas.height);
      return canvas.toDataURL('image/webp', quality);
    },
    [png.toString('base64'), QUALITY, scale] as const,
  );
  return Buffer.from(encoded.slice(encoded.indexOf(',') + 1), 'base64');
}
