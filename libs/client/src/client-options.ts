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

/** Throws a TypeError that names the option which cannot be used. */
export function httpTo(options: ConcordatClientOptions): Http {
  const { apiKey, retries = 3, requestTimeoutMs = 10_000 } = options;
  const urls = typeof options.url === 'string' ? [options.url] : options.url;
  if (urls.length === 0 || !urls.every((url) => /^https?:\/\//i.test(url) && URL.canParse(url))) {
    throw new TypeError(
      'url must be the address of a coordinator, such as http://127.0.0.1:7400, or a list of such',
    );
  }
  if (apiKey === '') {
    throw new TypeError('apiKey must be a key that the coordinator knows; its keygen makes one');
  }
  return new Http({
    urls: urls.map((url) => url.replace(/\/+$/, '')),
    apiKey,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    retries,
    requestTimeoutMs,
    traceparent: options.traceparent ?? (() => undefined),
  });
}
