/** The committed OpenAPI document is the one that is served. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { MODULES } from '../coordinator.module.js';
import { openApiDocument } from './openapi-document.js';

const COMMITTED = resolve(import.meta.dirname, '../../openapi.json');
const CONTROLLERS = MODULES.flatMap(
  (one) => (Reflect.getMetadata('controllers', one) ?? []) as Type[],
);
const REMEDY =
  'openapi.json is stale: start the coordinator, then ' +
  'curl -s http://127.0.0.1:7400/openapi.json | npx oxfmt --stdin-filepath openapi.json > apps/coordinator/openapi.json';

describe('The OpenAPI document', () => {
  let served: Awaited<ReturnType<typeof openApiDocument>>;

  beforeAll(async () => {
    // Only the routes are looked at, so what they would call need not exist.
    const module = await Test.createTestingModule({ controllers: CONTROLLERS })
      .useMocker(() => ({}))
      .compile();
    const app = module.createNestApplication();
    served = await openApiDocument(app);
    await app.close();
  });

  it('is committed as it is served', () => {
    const committed: unknown = JSON.parse(readFileSync(COMMITTED, 'utf8'));
    const isSame = JSON.stringify(committed) === JSON.stringify(served);
    expect(isSame ? 'fresh' : REMEDY).toBe('fresh');
  });

  it('gives every operation an id of its own, a summary and a success', () => {
    const operations = Object.values(served.paths).flatMap((item) =>
      [item.get, item.post, item.put, item.patch, item.delete].filter((one) => one !== undefined),
    );
    const ids = operations.map((one) => one.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operationId, summary, responses } of operations) {
      expect([operationId, summary]).toEqual([operationId, expect.any(String)]);
      expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true);
    }
  });

  it('describes every error of the API as a problem document', () => {
    for (const [path, item] of Object.entries(served.paths)) {
      if (!path.startsWith('/v1/')) continue;
      for (const operation of [item.get, item.post]) {
        if (!operation) continue;
        const refused = operation.responses['4XX'] as { content?: object } | undefined;
        expect([path, Object.keys(refused?.content ?? {})]).toEqual([
          path,
          ['application/problem+json'],
        ]);
      }
    }
  });
});
