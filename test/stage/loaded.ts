/** What a service loads to get ready, as Node tells it when the process ends. */
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Product, ServiceId } from './product.js';

/** Starts a service again and stops it; the packages, of those asked for, from which it had loaded anything. */
export async function loadedByAStart(
  product: Product,
  id: ServiceId,
  asked: readonly string[],
): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'concordat-loaded-'));
  try {
    const env = { NODE_V8_COVERAGE: folder };
    const service = await product.restart(id, { env, asInstalled: true });
    await service.stop();
    const packages = new Set<string>();
    for (const file of await readdir(folder)) {
      const { result } = JSON.parse(await readFile(join(folder, file), 'utf8')) as {
        readonly result: readonly { readonly url: string }[];
      };
      for (const { url } of result) {
        const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
        if (name !== undefined) packages.add(name);
      }
    }
    return asked.filter((one) => packages.has(one));
  } finally {
    await rm(folder, { recursive: true });
  }
}
