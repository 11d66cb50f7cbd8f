/**
 * Requests to the admin API of the coordinator that served this page. Guards "a page of another site
 * cannot act": the session is a cookie, and every change also carries a header that only a page of the
 * same origin may send.
 */
import { Problem, problemOf, Unreachable } from './problem.js';

const BASE = '/v1/admin';
const READ_TIMEOUT_MS = 20_000;
const CHANGE_TIMEOUT_MS = 60_000;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Called when an answer says that no user is signed in. */
let whenSignedOut: () => void = () => undefined;
export function onSignedOut(listener: () => void): void {
  whenSignedOut = listener;
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  const wanted = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const search = new URLSearchParams(wanted.map(([name, value]) => [name, String(value)]));
  const address = `${BASE}${path}${wanted.length > 0 ? `?${search}` : ''}`;
  return send<T>(address, { method: 'GET' }, READ_TIMEOUT_MS, signal);
}

/** Never repeated by itself: an answer that was lost may have been carried out. */
export async function change<T>(
  path: string,
  body: object,
  { method = 'POST', etag }: { method?: 'POST' | 'DELETE'; etag?: string } = {},
): Promise<T> {
  const headers: Record<string, string> = {
    'Content-Type': 'application/json',
    'X-Concordat-Admin': '1',
    ...(etag === undefined ? {} : { 'If-Match': etag }),
  };
  return send<T>(
    `${BASE}${path}`,
    { method, headers, body: JSON.stringify(body) },
    CHANGE_TIMEOUT_MS,
  );
}

async function send<T>(
  address: string,
  init: RequestInit,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs);
  let response: Response;
  let text: string;
  try {
    response = await fetch(address, {
      ...init,
      credentials: 'same-origin',
      cache: 'no-store',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable(init.method !== 'GET');
  }
  if (!response.ok) {
    if (response.status === 401) whenSignedOut();
    throw problemOf(response.status, text);
  }
  try {
    return (text === '' ? undefined : JSON.parse(text)) as T;
  } catch {
    throw new Problem(response.status, { detail: 'The answer could not be read as JSON.' });
  }
}
