/** Who may look, who may act, and what a browser is allowed: keys, sessions, headers, files. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@concordat/testing';
import { Product, type CoordinatorId } from '../stage/product.js';

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

let product: Product;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'admin-view-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>the view</title>');
  await writeFile(join(folder, 'assets', 'app-0123abcd.js'), 'export {};');
  await writeFile(join(folder, 'favicon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  product = await Product.start({ participants: [], env: { CONCORDAT_ADMIN_DIR: folder } });
  // Another one of the cluster, behind proxies, and without the files of the view.
  await product.startService('coordinator-2', {
    env: {
      CONCORDAT_TRUSTED_PROXIES: '10.0.0.0/8, 127.0.0.1',
      CONCORDAT_ADMIN_DIR: join(folder, 'none'),
    },
  });
}, 120_000);

afterAll(async () => {
  await product.dispose();
  await rm(folder, { recursive: true });
});

/** A request as a browser makes it: with a cookie perhaps, never with a key. */
async function browse(
  method: string,
  path: string,
  more: {
    cookie?: string;
    headers?: Record<string, string>;
    body?: object;
    at?: CoordinatorId;
  } = {},
): Promise<Response> {
  return fetch(`${product.url(more.at ?? 'coordinator')}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(more.cookie ? { cookie: more.cookie } : {}),
      ...(more.body ? { 'content-type': 'application/json' } : {}),
      ...more.headers,
    },
    ...(more.body ? { body: JSON.stringify(more.body) } : {}),
  });
}

async function signIn(
  key: string,
  headers: Record<string, string> = {},
  at: CoordinatorId = 'coordinator',
): Promise<Response> {
  return browse('POST', '/v1/admin/session', { body: { key }, headers, at });
}

async function cookieOf(key: string): Promise<string> {
  const [cookie] = (await signIn(key)).headers.getSetCookie();
  return String(cookie).split(';')[0] as string;
}

const ROUTES = [
  '/v1/admin/session',
  '/v1/admin/overview',
  '/v1/admin/transactions',
  '/v1/admin/participants',
  '/v1/admin/orphans',
  '/v1/admin/operations',
  '/v1/admin/audit',
  '/v1/admin/doctor',
];

describe('The scopes', () => {
  it.each(ROUTES)(
    'let a viewer, an operator and force look at %s, and no other scope',
    async (path) => {
      const { viewerKey, operatorKey, forceKey, clientKey } = product;
      for (const key of [viewerKey, operatorKey, forceKey]) {
        expect((await product.request('GET', path, { key })).status).toBe(200);
      }
      const client = await product.request('GET', path, { key: clientKey });
      expect([client.status, client.body['code']]).toEqual([403, 'forbidden']);
      expect(client.body['detail']).toMatch(/keygen --scope viewer/);
      expect((await browse('GET', path)).status).toBe(401);
      expect((await browse('HEAD', path)).status).toBe(401);
    },
  );

  it('let a viewer read everything else too, and change nothing', async () => {
    const begun = await product.request('POST', '/v1/transactions', { body: {} });
    const id = String(begun.body['transactionId']);
    const key = product.viewerKey;
    for (const path of ['/v1/transactions', `/v1/transactions/${id}`, '/v1/participants']) {
      expect((await product.request('GET', path, { key })).status).toBe(200);
    }
    const changes = [
      ['/v1/transactions', {}],
      [`/v1/transactions/${id}/rollback`, {}],
      [`/v1/admin/transactions/${id}/actions`, { action: 'acknowledge', reason: 'no' }],
      [`/v1/admin/transactions/${id}/actions`, { action: 'abort', reason: 'no' }],
      ['/v1/admin/operations', { action: 'retry', transactionIds: [id], reason: 'no' }],
      ['/v1/admin/operations/op-1/start', {}],
      ['/v1/admin/operations/op-1/cancel', {}],
      [
        '/v1/admin/orphans/actions',
        { gid: `cc:aaaaaaaa:${id}:1`, participant: 'x', action: 'finish' },
      ],
    ] as const;
    for (const [path, body] of changes) {
      const refused = await product.request('POST', path, { key, body, headers: ifMatch('"x"') });
      expect([path, refused.status]).toEqual([path, 403]);
      expect(refused.body['detail']).toMatch(/looks at everything and changes nothing/);
    }
    const still = await product.request('GET', `/v1/transactions/${id}`);
    expect(still.body).toMatchObject({ status: 'active' });
  });

  it('show the caller and what is allowed here', async () => {
    expect(await product.admin(product.viewerKey).session()).toMatchObject({
      principal: 'viewer',
      role: 'viewer',
      forceEnabled: false,
      version: '0.1.0',
    });
  });
});

describe('A session', () => {
  it('is a cookie that no script reads and no other site sends, for eight hours', async () => {
    const answer = await signIn(product.viewerKey);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ principal: 'viewer', role: 'viewer' });
    const [cookie] = answer.headers.getSetCookie();
    expect(cookie).toMatch(
      /^concordat-admin=[^;]+; Path=\/v1\/admin; Max-Age=28800; HttpOnly; SameSite=Strict$/,
    );
    expect(cookie).not.toContain(product.viewerKey);
    const shown = await browse('GET', '/v1/admin/overview', {
      cookie: String(cookie).split(';')[0],
    });
    expect(shown.status).toBe(200);
  });

  it('is Secure and of this host only behind HTTPS', async () => {
    const answer = await signIn(product.viewerKey, { 'x-forwarded-proto': 'https' });
    const [cookie = ''] = answer.headers.getSetCookie();
    expect(cookie).toMatch(
      /^__Host-concordat-admin=[^;]+; Path=\/; Secure; .*HttpOnly; SameSite=Strict$/,
    );
    const shown = await browse('GET', '/v1/admin/session', { cookie: cookie.split(';')[0] });
    expect(shown.status).toBe(200);
  });

  it('opens the admin API and nothing else', async () => {
    const cookie = await cookieOf(product.operatorKey);
    expect((await browse('GET', '/v1/transactions', { cookie })).status).toBe(401);
    expect((await browse('GET', '/metrics', { cookie })).status).toBe(401);
  });

  it('changes nothing without the header that only the view can send', async () => {
    const cookie = await cookieOf(product.operatorKey);
    const body = { action: 'retry', filter: { view: 'stuck' }, reason: 'try' };
    const bare = await browse('POST', '/v1/admin/operations', { cookie, body });
    expect(bare.status).toBe(403);
    expect(await bare.json()).toMatchObject({ code: 'admin-header-missing' });
    const headers = { 'x-concordat-admin': '1' };
    const sent = await browse('POST', '/v1/admin/operations', { cookie, body, headers });
    expect(await sent.json()).toMatchObject({ code: 'invalid-request' }); // Nothing is stuck.
  });

  it('is not opened by a client, and says who can', async () => {
    const answer = await signIn(product.clientKey);
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ code: 'forbidden' });
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  it.each([
    ['of another key', (value: string) => value.replace(/^([^=]+=)viewer/, '$1operator')],
    ['that lasts longer', (value: string) => value.replace(/:(\d)/, ':9$1')],
    ['with another seal', (value: string) => `${value.slice(0, -2)}xx`],
    ['that is empty', () => 'concordat-admin='],
  ])('that somebody made up, %s, is none', async (_, forge) => {
    const cookie = forge(await cookieOf(product.viewerKey));
    expect((await browse('GET', '/v1/admin/overview', { cookie })).status).toBe(401);
  });

  it('ends when its key is taken out of the file, and holds over a restart', async () => {
    const cookie = await cookieOf(product.viewerKey);
    await product.restart('coordinator', { env: { CONCORDAT_VIEWER_KEY_SHA256: 'ab'.repeat(32) } });
    expect((await browse('GET', '/v1/admin/session', { cookie })).status).toBe(401);
    await product.restart('coordinator');
    expect((await browse('GET', '/v1/admin/session', { cookie })).status).toBe(200);
  });

  it('is taken back by signing out', async () => {
    const answer = await browse('DELETE', '/v1/admin/session');
    expect(answer.status).toBe(204);
    expect(answer.headers.getSetCookie().every((one) => one.includes('Max-Age=0'))).toBe(true);
  });

  it('that was copied is refused after signing out, here and at another coordinator', async () => {
    const cookie = await cookieOf(product.viewerKey);
    const kept = await cookieOf(product.viewerKey);
    const there = async (): Promise<number> =>
      (await browse('GET', '/v1/admin/session', { cookie, at: 'coordinator-2' })).status;
    expect(await there()).toBe(200);
    expect((await browse('DELETE', '/v1/admin/session', { cookie })).status).toBe(204);
    expect((await browse('GET', '/v1/admin/session', { cookie })).status).toBe(401);
    await waitFor(async () => (await there()) === 401, { what: 'the other one to refuse it' });
    await product.restart('coordinator');
    expect((await browse('GET', '/v1/admin/session', { cookie })).status).toBe(401);
    expect((await browse('GET', '/v1/admin/session', { cookie: kept })).status).toBe(200);
  });

  describe('is not guessed at', () => {
    const tenTimes = async (
      from: (time: number) => Record<string, string>,
      at: CoordinatorId = 'coordinator',
    ): Promise<void> => {
      for (let time = 0; time < 10; time++) {
        expect((await signIn(`wrong-${time}`, from(time), at)).status).toBe(401);
      }
    };

    it('by ten unknown keys and more, with any sender address in the headers', async () => {
      await product.restart('coordinator'); // Which has counted nothing yet.
      await tenTimes((at) => ({ 'x-forwarded-for': `198.51.100.${at}` }));
      const limited = await signIn('wrong', { 'x-forwarded-for': '198.51.100.99' });
      expect(limited.status).toBe(429);
      expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
    });

    it('and the right key is never locked out by that', async () => {
      expect((await signIn(product.viewerKey)).status).toBe(200);
    });

    it('by address behind a trusted proxy, which names the client', async () => {
      await tenTimes(() => ({ 'x-forwarded-for': '198.51.100.1' }), 'coordinator-2');
      const statusFrom = async (chain: string): Promise<number> =>
        (await signIn('wrong', { 'x-forwarded-for': chain }, 'coordinator-2')).status;
      // What is further left comes from a sender that is not trusted.
      expect(await statusFrom('198.51.100.2, 198.51.100.1')).toBe(429);
      expect(await statusFrom('198.51.100.1, 198.51.100.2')).toBe(401);
    });
  });
});

describe('The view', () => {
  it('is what the root leads to', async () => {
    for (const path of ['/', '/admin']) {
      const answer = await browse('GET', path);
      expect([answer.status, answer.headers.get('location')]).toEqual([302, '/admin/']);
    }
  });

  it.each(['/admin/', '/admin/transactions', '/admin/transactions/01k9?view=stuck'])(
    'answers %s with its page, and lets it load nothing but its own files',
    async (path) => {
      const answer = await browse('GET', path);
      expect(answer.status).toBe(200);
      expect(await answer.text()).toContain('the view');
      expect(answer.headers.get('content-security-policy')).toBe(CSP);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
      expect(answer.headers.get('cache-control')).toBe('no-cache');
    },
  );

  it('keeps files with a hash in their name permanently, others not', async () => {
    const hashed = await browse('GET', '/admin/assets/app-0123abcd.js');
    expect(hashed.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(hashed.headers.get('content-type')).toMatch(/javascript/);
    const plain = await browse('GET', '/admin/favicon.svg');
    expect([plain.status, plain.headers.get('cache-control')]).not.toContain(/immutable/);
  });

  it.each([
    '/admin/assets/none-0123abcd.js',
    '/admin/../../package.json',
    '/admin/..%2f..%2fpackage.json',
    '/admin/%2e%2e/%2e%2e/package.json',
  ])('does not answer %s with a file', async (path) => {
    const answer = await browse('GET', path);
    expect(await answer.text()).not.toContain('concordat');
    expect(answer.status).toBeGreaterThanOrEqual(400);
  });

  it('says so when it has not been built', async () => {
    const answer = await browse('GET', '/admin/', { at: 'coordinator-2' });
    expect(answer.status).toBe(503);
    expect(await answer.text()).toMatch(/has not been built[\s\S]*build\.mjs/);
  });
});

function ifMatch(etag: string): Record<string, string> {
  return { 'if-match': etag };
}
