/**
 * Connecting: the settings under which a NATS connection is fit for the protocol. The client's
 * defaults give up after ten attempts, notice a half-open link after minutes and fail when the
 * broker comes up second; each of those would leave a service that looks alive and receives nothing.
 */
import type { Clock, Entropy } from '@concordat/engine';
import { durationText } from '@concordat/words';
import { credsAuthenticator, nkeyAuthenticator, type Authenticator } from '@nats-io/nats-core';
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node';
import { causeOf } from './connect-cause.js';
import { ChannelConnection } from './connection.js';
import type { ChannelIncident } from './incidents.js';
import { SystemClock, SystemEntropy } from './system.js';

export type BrokerCredentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }
  /** Seed of an nkey (`SU…`). */
  | { readonly kind: 'nkey'; readonly seed: string }
  /** Content of a `.creds` file. */
  | { readonly kind: 'credentials'; readonly text: string };

export interface BrokerTls {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

export interface ChannelOptions {
  /** `nats://host:port`, one or several; `tls://` demands TLS; `user:password@` is understood. */
  readonly servers: string | readonly string[];
  /** Shown by the broker's monitoring, and in our messages. */
  readonly name: string;
  /** What the address is called in the configuration: named where it is wrong. */
  readonly setting?: string;
  readonly credentials?: BrokerCredentials;
  readonly tls?: BrokerTls;
  /** How long to wait for a broker at the start; forever unless given. */
  readonly firstConnectMs?: number;
  /** Ends the wait for the first connection. */
  readonly signal?: AbortSignal;
  /** Two missed pings end a half-open connection. */
  readonly pingMs?: number;
  readonly reconnectWaitMs?: number;
  /** Called while the first connection is not available, with the reason. */
  readonly onWaiting?: (why: string) => void;
  readonly onIncident?: (incident: ChannelIncident) => void;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
}

/** No broker was there in time. */
export class BrokerUnreachable extends Error {
  override readonly name = 'BrokerUnreachable';
}

/** Connects; waits for the broker as long as it takes, unless `firstConnectMs` or `signal` end it. */
export async function connectChannel(options: ChannelOptions): Promise<ChannelConnection> {
  const clock = options.clock ?? new SystemClock();
  const entropy = options.entropy ?? new SystemEntropy();
  const { reconnectWaitMs = 200 } = options;
  const settings = clientSettings(options, entropy);
  const start = clock.now();
  for (;;) {
    try {
      const nats = await connect(settings);
      if (!options.signal?.aborted) {
        return new ChannelConnection(nats, options.name, clock, entropy, options.onIncident);
      }
      await nats.close();
    } catch (error) {
      options.onWaiting?.(causeOf(error));
      checkWaiting(options, clock.now() - start, error);
    }
    if (options.signal?.aborted) throw new BrokerUnreachable(`${options.name}: asked to stop`);
    await new Promise<void>((resolve) => {
      clock.after(reconnectWaitMs * (1 + entropy.unit()), resolve);
    });
  }
}

function checkWaiting(options: ChannelOptions, waitedMs: number, cause: unknown): void {
  if (options.firstConnectMs === undefined || waitedMs < options.firstConnectMs) return;
  const where = [options.servers].flat().map(withoutPassword).join(', ');
  const inSetting = options.setting === undefined ? '' : ` (${options.setting})`;
  throw new BrokerUnreachable(
    `${options.name} found no NATS broker at ${where} within ${durationText(options.firstConnectMs)} (${causeOf(cause)})\nRemedy: start one there, or correct its address${inSetting}.`,
    { cause },
  );
}

function clientSettings(options: ChannelOptions, entropy: Entropy): NodeConnectionOptions {
  const { pingMs = 2_000, reconnectWaitMs = 200 } = options;
  const addresses = [options.servers].flat().map(parseAddress);
  const inUrl = addresses.find((one) => one.credentials)?.credentials;
  const wantsTls = options.tls !== undefined || addresses.some((one) => one.tls);
  const authenticator = authenticatorOf(options.credentials);
  return {
    servers: addresses.map((one) => one.host),
    name: options.name,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => reconnectWaitMs * (1 + entropy.unit()),
    pingInterval: pingMs,
    maxPingOut: 2,
    timeout: 5_000,
    noAsyncTraces: true,
    // A credential that is being rotated must not end the connection permanently.
    ignoreAuthErrorAbort: true,
    ...(wantsTls ? { tls: { ...options.tls } } : {}),
    ...(authenticator ? { authenticator } : {}),
    ...passwordOf(options.credentials ?? inUrl),
  };
}

function passwordOf(credentials: BrokerCredentials | undefined): Partial<NodeConnectionOptions> {
  if (credentials?.kind === 'password') {
    return { user: credentials.user, pass: credentials.password };
  }
  return credentials?.kind === 'token' ? { token: credentials.token } : {};
}

function authenticatorOf(credentials: BrokerCredentials | undefined): Authenticator | undefined {
  if (credentials?.kind === 'nkey') {
    return nkeyAuthenticator(new TextEncoder().encode(credentials.seed));
  }
  if (credentials?.kind === 'credentials') {
    return credsAuthenticator(new TextEncoder().encode(credentials.text));
  }
  return undefined;
}

/** The client knows no `user:password@` in an address, so it is taken out here. */
function parseAddress(address: string): {
  host: string;
  tls: boolean;
  credentials?: BrokerCredentials;
} {
  const match = /^(?:([a-z]+):\/\/)?(?:([^@/]*)@)?([^@/]+)\/?$/i.exec(address.trim());
  const [, scheme = 'nats', login, host] = match ?? [];
  if (host === undefined || !['nats', 'tls'].includes(scheme.toLowerCase())) {
    throw new TypeError(
      `not a NATS address: ${withoutPassword(address)}; write nats://host:port or tls://host:port`,
    );
  }
  const tls = scheme.toLowerCase() === 'tls';
  if (login === undefined) return { host, tls };
  const [user = '', password] = login.split(':').map(decodeURIComponent);
  const credentials: BrokerCredentials =
    password === undefined ? { kind: 'token', token: user } : { kind: 'password', user, password };
  return { host, tls, credentials };
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/[^@/]*@/, '//…@');
}
