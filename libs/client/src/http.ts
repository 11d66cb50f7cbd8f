/**
 * Requests to coordinators over fetch. Guards "automatic retries only where a repeat is safe": the caller
 * says so for each request, and only then are lost answers and 429/502/503/504 repeated. What certainly
 * was not carried out is asked of the next coordinator, where there is one, for any request.
 */
import { Coordinators } from './coordinators.js';
import { ConcordatProblem, CoordinatorUnreachable, TransactionAborted } from './errors.js';
import { requestText } from './request-text.js';
import type { ProblemDetails } from './generated/api.js';

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

export interface HttpOptions {
  /** Of at least one coordinator. */
  readonly urls: readonly string[];
  readonly apiKey: string;
  readonly fetch: Fetch;
  readonly retries: number;
  /** Added to what a request itself may wait at the coordinator. */
  readonly requestTimeoutMs: number;
  readonly traceparent: () => string | undefined;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query?: Readonly<
    Record<string, string | number | boolean | readonly string[] | undefined>
  >;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Whether repeating it after a lost answer is safe. */
  readonly repeatable: boolean;
  /** How long the coordinator may hold the request by agreement. */
  readonly heldMs?: number;
  readonly signal?: AbortSignal;
  /** Called for each attempt whose answer was lost: it may be carried out, even after a later one. */
  readonly onLost?: () => void;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

const RETRY_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const RETRY_AFTER_MS_MAX = 5_000;

export class Http {
  private readonly coordinators: Coordinators;

  constructor(readonly options: HttpOptions) {
    this.coordinators = new Coordinators(options.urls);
  }

  /** The answer of a request that succeeded. Throws the errors of `errors.ts`. */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    const attempts = request.repeatable ? this.options.retries + 1 : 1;
    // Once, so that every repeat sends the same; and before anything that could be taken for a lost answer.
    const text = request.body === undefined ? undefined : requestText(request.body);
    let lost: unknown;
    let at = this.coordinators.first(request.path);
    let moves = this.options.urls.length - 1;
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.once(request, text, at);
        this.learn(request, answer, at);
        return answer;
      } catch (error) {
        const isAborted = request.signal?.aborted === true;
        if (moves > 0 && !isAborted && isNotCarriedOut(error)) {
          moves -= 1;
          attempt -= 1;
          at = this.coordinators.after(at, error instanceof CoordinatorUnreachable);
          continue;
        }
        if (isLost(error)) {
          lost ??= error;
          request.onLost?.();
        }
        const isLast = attempt >= attempts || isAborted;
        // An earlier attempt may have been carried out: "nothing was begun" is true of the last only.
        if (mayRepeat(error) && isLast) throw lost ?? error;
        if (isLast || !mayRepeat(error)) throw error;
        if (error instanceof CoordinatorUnreachable) at = this.coordinators.after(at, true);
        await pause(delayMs(error, attempt), request.signal);
      }
    }
  }

  /** A response whose body is read by the caller: an event stream. */
  async open(request: Omit<HttpRequest, 'body'>): Promise<Response> {
    let at = this.coordinators.first(request.path);
    for (let moves = this.options.urls.length - 1; ; moves--) {
      try {
        const response = await this.send(request, undefined, request.signal, at);
        if (!response.ok) throw await refusal(response);
        return response;
      } catch (error) {
        if (error instanceof CoordinatorUnreachable) at = this.coordinators.after(at, true);
        if (moves <= 0 || request.signal?.aborted || !isNotCarriedOut(error)) throw error;
      }
    }
  }

  /** Where a transaction was begun, unless another request had begun it, perhaps elsewhere. */
  private learn({ method, path }: HttpRequest, { headers, body }: HttpAnswer, at: number): void {
    if (method !== 'POST' || path !== '/v1/transactions') return;
    const id = (body as { transactionId?: unknown } | undefined)?.transactionId;
    const isReplayed = headers.get('idempotent-replayed') === 'true';
    if (typeof id === 'string' && !isReplayed) this.coordinators.began(id, at);
  }

  private async once(
    request: HttpRequest,
    text: string | undefined,
    at: number,
  ): Promise<HttpAnswer> {
    const timeout = AbortSignal.timeout(this.options.requestTimeoutMs + (request.heldMs ?? 0));
    const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
    const response = await this.send(request, text, signal, at);
    if (!response.ok) throw await refusal(response);
    try {
      const text = await response.text();
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      return { status: response.status, headers: response.headers, body };
    } catch (error) {
      throw new CoordinatorUnreachable(this.coordinators.url(at), error); // Cut in the middle of the answer.
    }
  }

  private async send(
    request: HttpRequest,
    text: string | undefined,
    signal: AbortSignal | undefined,
    at: number,
  ): Promise<Response> {
    const { apiKey, fetch, traceparent } = this.options;
    const url = this.coordinators.url(at);
    const trace = traceparent();
    try {
      return await fetch(`${url}${request.path}${queryString(request.query)}`, {
        method: request.method,
        headers: {
          Accept: 'application/json',
          Authorization: `Bearer ${apiKey}`,
          ...(text === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...(trace ? { traceparent: trace } : {}),
          ...request.headers,
        },
        ...(text === undefined ? {} : { body: text }),
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      throw new CoordinatorUnreachable(url, error);
    }
  }
}

/** Waits; ends early when the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}

/** Codes of answers that say for certain that the request was not carried out. */
const NOTHING_DONE: ReadonlySet<string> = new Set([
  'too-many-transactions',
  'too-many-transactions-of-key',
  'too-many-begins-of-key',
  'too-many-bytes-of-key',
  'too-many-bytes',
  'too-many-body-bytes',
  'too-many-requests',
  'register-unavailable',
  'broker-unavailable',
  'clock-off',
  'shutting-down',
  'not-forwarded',
]);

/** What a connection fails with before anything is sent. */
const NOT_CONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Whether a request was certainly not carried out, so that another coordinator may be asked at once. */
function isNotCarriedOut(error: unknown): boolean {
  if (error instanceof ConcordatProblem) return NOTHING_DONE.has(error.code);
  if (!(error instanceof CoordinatorUnreachable)) return false;
  const { cause } = error.cause as { readonly cause?: { readonly code?: unknown } };
  return NOT_CONNECTED.has(cause?.code);
}

/** Whether an error leaves open what the coordinator did with the request. */
export function isLost(error: unknown): boolean {
  if (error instanceof CoordinatorUnreachable) return true;
  if (!(error instanceof ConcordatProblem)) return false;
  return error.status >= 500 && !NOTHING_DONE.has(error.code);
}

function mayRepeat(error: unknown): boolean {
  if (error instanceof CoordinatorUnreachable) return true;
  return error instanceof ConcordatProblem && RETRY_STATUSES.has(error.status);
}

/** What the coordinator asks for, within reason; else doubling from 100 ms, with jitter. */
function delayMs(error: unknown, attempt: number): number {
  const asked = error instanceof ConcordatProblem ? error.retryAfterMs : undefined;
  if (asked !== undefined) return Math.min(asked, RETRY_AFTER_MS_MAX);
  return 100 * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
}

async function refusal(response: Response): Promise<ConcordatProblem | TransactionAborted> {
  const problem = await readProblem(response);
  if (problem.code === 'transaction-aborted') return new TransactionAborted(problem);
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new ConcordatProblem(problem, Number.isFinite(seconds) ? seconds * 1_000 : undefined);
}

/** The problem in an answer; a made-up one when something in between answered instead. */
async function readProblem(response: Response): Promise<ProblemDetails> {
  const text = await response.text().catch(() => '');
  try {
    const body: unknown = JSON.parse(text);
    if (body !== null && typeof body === 'object' && 'code' in body) return body as ProblemDetails;
  } catch {
    // Not JSON: an answer of a proxy, recognised below by its status.
  }
  return {
    type: 'about:blank',
    title: response.statusText,
    status: response.status,
    code: 'unreadable-answer',
    detail: `The answer has status ${response.status} and is not a problem document: something between this client and the coordinator may have sent it.`,
    retryable: RETRY_STATUSES.has(response.status),
  };
}

function queryString(query: HttpRequest['query']): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
