/** What every client of a coordinator is made with, and the checks on it. */
import { Http, type Fetch } from './http.js';

export interface ConcordatClientOptions {
  /**
   * Address of a coordinator, e.g. `http://127.0.0.1:7400`, or of several: then a transaction's requests
   * go to the one that began it, and to the next one where that does not answer.
   */
  readonly url: string | readonly string[];
  /** A key that the coordinator knows, of the scope that the client's routes need. */
  readonly apiKey: string;
  /** Another fetch, e.g. with a dispatcher of its own. */
  readonly fetch?: Fetch;
  /** Repeats of a request whose repeat is safe. 3 unless said otherwise. */
  readonly retries?: number;
  /** How long to wait for an answer, on top of what the coordinator was asked to wait. */
  readonly requestTimeoutMs?: number;
  /** The W3C trace context of the calling code, sent along when there is one. */
  readonly traceparent?: () => string | undefined;
}

/** By name, so that the compiler asks for each option. */
const KNOWN: Readonly<Record<keyof ConcordatClientOptions, true>> = {
  ...{ url: true, apiKey: true, fetch: true, retries: true, requestTimeoutMs: true },
  traceparent: true,
};

/** The longest that a timer waits; a longer one ends at once. */
const TIMER_MS_MAX = 2_147_483_647;

/** Throws a TypeError that names the option which cannot be used, or which there is not. */
export function httpTo(options: ConcordatClientOptions): Http {
  checkNames(options);
  const { apiKey, retries = 3, requestTimeoutMs = 10_000 } = options;
  const urls = [options.url].flat();
  if (
    urls.length === 0 ||
    !urls.every((url) => typeof url === 'string' && /^https?:\/\//i.test(url) && URL.canParse(url))
  ) {
    throw new TypeError(
      'url must be the address of a coordinator, such as http://127.0.0.1:7400, or a list of such',
    );
  }
  if (typeof apiKey !== 'string' || apiKey === '') {
    throw new TypeError('apiKey must be a key that the coordinator knows; its keygen makes one');
  }
  checkNumber('retries', retries, 0, 100);
  checkNumber('requestTimeoutMs', requestTimeoutMs, 1, TIMER_MS_MAX);
  return new Http({
    urls: urls.map((url) => url.replace(/\/+$/, '')),
    apiKey,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    retries,
    requestTimeoutMs,
    traceparent: options.traceparent ?? (() => undefined),
  });
}

function checkNames(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || Object.hasOwn(KNOWN, name)) continue;
    throw new TypeError(
      `${name} is no option of the client: there are ${Object.keys(KNOWN).join(', ')}`,
    );
  }
}

function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return;
  throw new TypeError(`${name} must be a whole number from ${min} to ${max}, or left out`);
}
