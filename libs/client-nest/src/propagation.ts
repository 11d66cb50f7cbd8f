/**
 * The current transaction on outgoing calls. Guards "ids of transactions stay among the services": the
 * context goes to the services that are named, and to no other.
 */
import { currentTransaction } from '@concordat/client';

/** To whom the context goes: origins (`http://stock:3000`), or a test of the address. */
export interface PropagationOptions {
  readonly to: readonly string[] | ((url: URL) => boolean);
}

/** The parts of an axios instance that are used. */
interface AxiosLike {
  readonly interceptors: {
    readonly request: {
      use(interceptor: <Config extends AxiosConfig>(config: Config) => Config): number;
      eject(id: number): void;
    };
  };
}

interface AxiosConfig {
  url?: string | undefined;
  baseURL?: string | undefined;
  headers: { set(name: string, value: string): unknown; has(name: string): boolean };
}

/** Adds the context to calls of the global `fetch`. Returns what ends it. */
export function propagateByFetch(options: PropagationOptions): () => void {
  const before = globalThis.fetch;
  const carrying: typeof fetch = (input, init) => {
    const url = input instanceof Request ? input.url : input;
    const headers = headersFor(url, options);
    if (!headers) return before(input, init);
    const given = new Headers(init?.headers ?? (input instanceof Request ? input.headers : {}));
    for (const [name, value] of Object.entries(headers)) {
      if (!given.has(name)) given.set(name, value);
    }
    return before(input, { ...init, headers: given });
  };
  globalThis.fetch = carrying;
  return () => {
    if (globalThis.fetch === carrying) globalThis.fetch = before;
  };
}

/** Adds the context to calls of an axios instance (`HttpService.axiosRef`). Returns what ends it. */
export function axiosWithContext(axios: AxiosLike, options: PropagationOptions): () => void {
  const { request } = axios.interceptors;
  const id = request.use(<Config extends AxiosConfig>(config: Config): Config => {
    const { url = '', baseURL } = config;
    const full = baseURL && URL.canParse(baseURL) ? new URL(url, baseURL).href : url;
    for (const [name, value] of Object.entries(headersFor(full, options) ?? {})) {
      if (!config.headers.has(name)) config.headers.set(name, value);
    }
    return config;
  });
  return () => request.eject(id);
}

/**
 * Options of Nest's NATS client with the context among its headers, as long as there is a transaction:
 * `ClientsModule.register([{ name, transport: Transport.NATS, options: natsOptionsWithContext({ servers }) }])`.
 * Every subscriber of that client's subjects sees it.
 */
export function natsOptionsWithContext<Options extends object>(options: Options): Options {
  const own = (options as { headers?: Record<string, string> }).headers;
  return Object.defineProperty({ ...options }, 'headers', {
    enumerable: true,
    configurable: true,
    // Nest reads them for each message.
    get: () => {
      const transaction = currentTransaction();
      return transaction ? { ...transaction.headers(), ...own } : own;
    },
  });
}

function headersFor(
  address: string | URL,
  { to }: PropagationOptions,
): Record<string, string> | undefined {
  const transaction = currentTransaction();
  if (!transaction || !URL.canParse(String(address))) return undefined;
  const url = new URL(String(address));
  const isNamed =
    typeof to === 'function' ? to(url) : to.some((one) => new URL(one).origin === url.origin);
  return isNamed ? transaction.headers() : undefined;
}
