/**
 * The keys that are accepted, and which client presents one. Guards "a key on every request": comparison
 * takes the same time for every key, and the answer to an unknown key says only that it is unknown.
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { KEY_LENGTH_MIN, sha256Of, type Scope, type StoredKey } from '../platform/api-key.js';

/** Who makes a request. `id` is what transactions and idempotency keys are scoped to. */
export interface Principal {
  readonly id: string;
  readonly scope: Scope;
}

interface Kept {
  readonly principal: Principal;
  readonly sha256: string;
  readonly hash: Buffer;
}

/** What a request says of its client: no bearer key, an unknown one, or a known one. */
export type Presented =
  | { readonly kind: 'none' | 'unknown' }
  | { readonly kind: 'known'; readonly principal: Principal };

const PRESENTED = Symbol('what the request presents');

export class KeyRing {
  private readonly keys: readonly Kept[];

  constructor(stored: readonly StoredKey[]) {
    this.keys = stored.map(({ id, scope, sha256 }) => ({
      principal: { id, scope },
      sha256,
      hash: Buffer.from(sha256, 'hex'),
    }));
  }

  /** The principal of a key, or undefined. Compares with every stored hash, found or not. */
  principalOf(key: string): Principal | undefined {
    const hash = sha256Of(key);
    let found: Principal | undefined;
    for (const candidate of this.keys) {
      if (timingSafeEqual(candidate.hash, hash)) found = candidate.principal;
    }
    return key.length >= KEY_LENGTH_MIN ? found : undefined;
  }

  /**
   * The principal of the key that a request presents. Looked for once: the body is read of whom the guard lets
   * in. Headers do not change.
   */
  presentedBy(request: IncomingMessage & { [PRESENTED]?: Presented }): Presented {
    return (request[PRESENTED] ??= this.read(bearerKey(request.headers.authorization)));
  }

  private read(key: string | undefined): Presented {
    if (key === undefined) return { kind: 'none' };
    const principal = this.principalOf(key);
    return principal ? { kind: 'known', principal } : { kind: 'unknown' };
  }

  /** What is stored of a key, by its id. */
  byId(id: string): { readonly principal: Principal; readonly sha256: string } | undefined {
    return this.keys.find((one) => one.principal.id === id);
  }

  /** How many keys there are of a scope. */
  count(scope: Scope): number {
    return this.keys.filter((one) => one.principal.scope === scope).length;
  }
}

/** The key in an `Authorization: Bearer …` header, or undefined. */
export function bearerKey(header: string | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]+) *$/i.exec(header ?? '')?.[1];
}
