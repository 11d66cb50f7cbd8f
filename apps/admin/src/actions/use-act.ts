/**
 * Carries out an action on what was seen. Guards "If-Match on every change": a 412 is not an error but an
 * answer, and brings the present state with it.
 */
import type {
  ActionRequest,
  ActionResult,
  AdminTransaction,
  OfferedAction,
} from '@concordat/client';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { change, get } from '../api/http.js';
import { Problem } from '../api/problem.js';
import { transactionQuery } from '../api/queries.js';

export type Said = Pick<ActionRequest, 'reason' | 'ticket' | 'confirm'>;

export type Acted =
  | { readonly kind: 'done'; readonly result: ActionResult }
  | { readonly kind: 'changed'; readonly now: AdminTransaction }
  | { readonly kind: 'failed' };

export interface Act {
  readonly isBusy: boolean;
  readonly error: unknown;
  run(action: OfferedAction, said: Said): Promise<Acted>;
}

/** Acts on `detail`, exactly as it was seen. */
export function useAct(detail: AdminTransaction): Act {
  const queries = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const id = detail.transaction.transactionId;
  const path = `/transactions/${encodeURIComponent(id)}`;
  const run = async (action: OfferedAction, said: Said): Promise<Acted> => {
    setBusy(true);
    setError(undefined);
    const { action: name, branch } = action;
    const request: ActionRequest = { action: name, ...(branch ? { branch } : {}), ...said };
    try {
      const result = await change<ActionResult>(`${path}/actions`, request, { etag: detail.etag });
      void queries.invalidateQueries({ queryKey: ['audit'] });
      return { kind: 'done', result };
    } catch (thrown) {
      if (thrown instanceof Problem && thrown.isStale) {
        const now = await get<AdminTransaction>(path).catch(() => undefined);
        if (now) {
          queries.setQueryData(transactionQuery(id).queryKey, now);
          return { kind: 'changed', now };
        }
      }
      setError(thrown);
      return { kind: 'failed' };
    } finally {
      setBusy(false);
      void queries.invalidateQueries({ queryKey: transactionQuery(id).queryKey });
    }
  };
  return { isBusy, error, run };
}
