/**
 * The product on stage with a browser in front of it, and the ways to make something stuck: each does
 * the real thing at the right moment. Guards "show effects": what a test claims is read from the
 * databases, not from the page alone.
 */
import { createHash, randomBytes } from 'node:crypto';
import { formatGid, makeBranchId, makeTransactionId, tokenFrom } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import type { Browser, BrowserContext, ConsoleMessage, Page } from 'playwright-core';
import { Product, type ParticipantId, type ServiceId } from '../stage/product.js';
import { launch } from './chromium.js';

export type Role = 'viewer' | 'operator' | 'force';

export interface View {
  readonly page: Page;
  /** Of the page alone, as long as it is open; `close` leaves the page to the next view. */
  readonly context: Pick<BrowserContext, 'newPage' | 'setOffline' | 'close'>;
  /** What went wrong in the page: exceptions, refused content, failed loads. */
  readonly faults: readonly string[];
}

export interface ViewOptions {
  readonly role?: Role;
  readonly width?: number;
  readonly scheme?: 'light' | 'dark';
  readonly path?: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Past any retention. */
const FORGOTTEN_AGO_MS = 400 * DAY_MS;
export const PATIENCE_MS = 60_000;

export class AdminStage {
  /** Pages that were left, with nothing on them: a renderer that is there already costs a quarter of a new one. */
  private readonly left: Page[] = [];

  private constructor(
    readonly product: Product,
    readonly browser: Browser,
    private readonly keys: Readonly<Record<Role, string>>,
  ) {}

  /** `env` is for every service, e.g. another period of recovery. */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<AdminStage> {
    const viewer = randomBytes(24).toString('base64url');
    const force = randomBytes(24).toString('base64url');
    const product = await Product.start({
      armable: true,
      env: {
        CONCORDAT_VIEWER_KEY_SHA256: sha256(viewer),
        CONCORDAT_FORCE_KEY_SHA256: sha256(force),
        CONCORDAT_FORCE: 'enabled',
        CONCORDAT_COMPARE_PERIOD_MS: '2000',
        ...env,
      },
    });
    try {
      const keys = { viewer, operator: product.operatorKey, force };
      return new AdminStage(product, await launch(), keys);
    } catch (error) {
      await product.dispose();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    await this.browser.close();
    await this.product.dispose();
  }

  key(role: Role): string {
    return this.keys[role];
  }

  address(path: string): string {
    return `${this.product.coordinatorUrl}/admin${path}`;
  }

  /** A page with cookies and settings of its own, signed in. */
  async view(options: ViewOptions = {}): Promise<View> {
    const { role = 'operator', width = 1_280, scheme = 'light', path = '/' } = options;
    const page = this.left.pop() ?? (await this.newPage());
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    const context = page.context();
    const answer = await context.request.post(`${this.product.coordinatorUrl}/v1/admin/session`, {
      data: { key: this.key(role) },
      headers: { 'X-Concordat-Admin': '1' },
    });
    if (!answer.ok()) throw new Error(`signing in as ${role}: ${await answer.text()}`);
    const faults: string[] = [];
    const onError = (error: Error) => void faults.push(error.message);
    const onConsole = (message: ConsoleMessage) => {
      if (message.type() === 'error') faults.push(message.text());
    };
    page.on('pageerror', onError);
    page.on('console', onConsole);
    const close = async (): Promise<void> => {
      page.off('pageerror', onError);
      page.off('console', onConsole);
      await this.leave(page);
    };
    await page.goto(this.address(path));
    await page.locator('h1').first().waitFor();
    return {
      ...{ page, faults },
      context: {
        close,
        newPage: () => context.newPage(),
        setOffline: (offline) => context.setOffline(offline),
      },
    };
  }

  private async newPage(): Promise<Page> {
    const context = await this.browser.newContext();
    context.setDefaultTimeout(PATIENCE_MS);
    return context.newPage();
  }

  /** Takes everything off a page that the next view could see. */
  private async leave(page: Page): Promise<void> {
    const context = page.context();
    for (const other of context.pages()) if (other !== page) await other.close();
    await context.setOffline(false);
    await page.evaluate(() => localStorage.clear());
    await page.goto('about:blank');
    await context.clearCookies();
    this.left.push(page);
  }

  /** Opens accounts of these names on both sides. */
  async accounts(...names: readonly string[]): Promise<void> {
    for (const account of names) {
      const operations = [{ name: 'open', input: { account, amount: 1_000 } }];
      const branches = [
        { participant: 'ledger-east', operations },
        { participant: 'ledger-west', operations },
      ];
      await this.product.client().transactions.submit({ branches }, { until: 'completed' });
    }
  }

  /** From now on no commit gets through at the ledger in the east, which otherwise answers. */
  jamEast(): void {
    this.product.arm('ledger-east', 'commit.pre=hang');
  }

  async freeEast(): Promise<void> {
    await this.product.kill('ledger-east');
    await this.product.startService('ledger-east');
  }

  /** Waits until a coordinator has noted what it does with a commit that it has taken over. */
  async untilTakenOver(id: string): Promise<void> {
    const noted = `SELECT 1 FROM concordat.journal WHERE transaction = $1 AND takeover IS NOT NULL`;
    await waitFor(async () => (await this.product.sql('concordat', noted, [id])).length > 0, {
      what: 'the takeover to be noted',
      timeoutMs: PATIENCE_MS,
    });
  }

  /** Commits a transfer; with the east jammed it is on record and stuck. Returns its id. */
  async transfer(
    account: string,
    label = 'transfer',
    at: ServiceId = 'coordinator',
  ): Promise<string> {
    const { body } = await this.product.request('POST', '/v1/transactions', {
      at,
      body: {
        label,
        timeoutMs: 20_000,
        commit: true,
        branches: [
          {
            participant: 'ledger-east',
            operations: [{ name: 'debit', input: { account, amount: 1 } }],
          },
          {
            participant: 'ledger-west',
            operations: [{ name: 'credit', input: { account, amount: 1 } }],
          },
        ],
      },
    });
    return String(body['transactionId']);
  }

  /** Begins a transaction and leaves it open: nothing is decided. */
  async open(label: string): Promise<string> {
    const { body } = await this.product.request('POST', '/v1/transactions', {
      body: { label, timeoutMs: 600_000 },
    });
    return String(body['transactionId']);
  }

  /**
   * Puts a commit on record for so many participants, none of which has ever answered: the ledgers are but
   * two. Its coordinator is gone, so this one takes it over and tries to deliver it.
   */
  async commitForMany(branches: number): Promise<string> {
    const owner = tokenFrom(randomBytes(8));
    const id = makeTransactionId(Date.now() - HOUR_MS, randomBytes(10), owner);
    const named = Array.from({ length: branches }, (_, at) => ({
      branch: String(at + 1),
      participant: `warehouse-of-the-north-${at + 1}`,
    }));
    await this.product.sql(
      'concordat',
      `INSERT INTO concordat.decision (transaction, decision, finisher, branches, decided_at)
       VALUES ($1, 'commit', $2, $3::jsonb, now() - interval '1 hour')`,
      [id, owner, JSON.stringify(named)],
    );
    return id;
  }

  /** Changes an account's balance in an open transaction, and so takes its row there. */
  async change(
    id: string,
    participant: ParticipantId,
    account: string,
  ): Promise<{ readonly status: number }> {
    const operations = [{ name: 'credit', input: { account, amount: 1 } }];
    return this.product.request('POST', `/v1/transactions/${id}/branches`, {
      body: { participant, operations },
    });
  }

  async rollBack(id: string): Promise<void> {
    await this.product.request('POST', `/v1/transactions/${id}/rollback`, { body: {} });
  }

  async status(id: string): Promise<string> {
    const { body } = await this.product.request('GET', `/v1/transactions/${id}`);
    return String(body['status']);
  }

  async untilStatus(id: string, status: string): Promise<void> {
    await waitFor(async () => (await this.status(id)) === status, {
      what: `${id} to be ${status}`,
      timeoutMs: PATIENCE_MS,
    });
  }

  /** What a database administrator does who does not ask. */
  async rollBackByHand(id: string): Promise<void> {
    const prepared = await this.product.prepared();
    const gid = prepared.find((one) => one.gid.includes(id))?.gid ?? '';
    await this.product.sql('ledger-east', `ROLLBACK PREPARED '${gid}'`);
  }

  /** Leaves a change of the account prepared that is so old that its decision is no longer known. */
  async orphan(account: string): Promise<string> {
    const cluster = await this.product.cluster();
    const owner = tokenFrom(randomBytes(8));
    const made = Date.now() - FORGOTTEN_AGO_MS;
    const transaction = makeTransactionId(made, randomBytes(10), owner);
    const gid = formatGid({ cluster, transaction, branch: makeBranchId(1) });
    await this.product.sql(
      'ledger-west',
      `BEGIN; UPDATE account SET balance = balance - 1 WHERE id = '${account}'; PREPARE TRANSACTION '${gid}'`,
    );
    return gid;
  }

  /** From now on both ledgers do what they are asked to, and cannot inquire about what they hold. */
  async muteLedgers(): Promise<void> {
    const ledgers = ['ledger-east', 'ledger-west'] as const;
    const crash = 'inquire.pre=throw';
    await Promise.all(ledgers.map((one) => this.product.restart(one, { crash })));
  }

  /**
   * Leaves a transfer prepared at both ledgers, whose coordinator died before it decided anything, and
   * of which the ledgers cannot ask the next one. Answers the gids.
   */
  async abandon(account: string): Promise<Readonly<Record<'ledger_east' | 'ledger_west', string>>> {
    const before = new Set((await this.product.prepared()).map((one) => one.gid));
    await this.muteLedgers();
    this.product.arm('coordinator', 'decide.pre=kill');
    void this.transfer(account, 'abandoned').catch(() => undefined); // No process is left to answer.
    await this.product.service('coordinator').exited;
    await this.product.startService('coordinator');
    const left = (await this.product.prepared()).filter((one) => !before.has(one.gid));
    const at = (database: string) => left.find((one) => one.database === database)?.gid ?? '';
    return { ledger_east: at('ledger_east'), ledger_west: at('ledger_west') };
  }

  /** What the account holds there, read without the product. */
  async balance(at: ParticipantId, account: string): Promise<number> {
    const text = 'SELECT balance FROM account WHERE id = $1';
    const [row] = await this.product.sql<{ balance: string }>(at, text, [account]);
    return Number(row?.balance);
  }

  /** What the audit has of a transaction, newest first: phase, action, role. */
  async audited(id: string): Promise<string[]> {
    const { entries } = await this.product.admin().audit({ transactionId: id });
    return entries.map((one) => `${one.phase} ${one.action} by ${one.role}`);
  }

  async isPrepared(gid: string): Promise<boolean> {
    return (await this.product.prepared()).some((one) => one.gid === gid);
  }
}

function sha256(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
