/**
 * Environment variables of Concordat by name. Guards "what is configured is honoured or refused, never ignored
 * without a word": a name that nothing reads is told, and one that is nearly a setting is refused.
 */
import { nearest } from './near.js';

/** What begins so is meant for Concordat. */
const OURS = 'CONCORDAT_';

/** All that any program of Concordat reads: several may be started with one environment. */
export const VARIABLES: readonly string[] = [
  ...['ADMIN_DIR', 'ADMIN_KEY', 'API_KEY', 'BEGINS_PER_SECOND_PER_KEY', 'BLOCKING_AFTER_MS'],
  ...['BODIES_BYTES_MAX', 'BODY_BYTES_MAX', 'BRANCHES_MAX', 'CLIENT_KEY_SHA256', 'CLOCK_BOUND_MS'],
  ...['CLUSTER', 'COMPARE_PERIOD_MS', 'DATA_DIR', 'DRAIN_MS', 'DRAIN_NOTICE_MS', 'FORCE'],
  ...['FORCE_KEY_SHA256', 'GRACE_MS', 'HISTORY_BYTES_MAX', 'HISTORY_RETENTION_MS'],
  ...['IDLE_LEASE_MS', 'IN_DOUBT_MAX', 'INVENTORY_PORT', 'KEEP_ALIVE_MS', 'KEYS_FILE'],
  ...['LEDGER_EAST_PORT', 'LEDGER_WEST_PORT', 'LIVE_BYTES_MAX', 'LIVE_MAX', 'LIVE_MAX_PER_KEY'],
  ...['NATS_PORT', 'ONE_PHASE', 'OPERATOR_KEY_SHA256', 'ORDER_PORT', 'PAYMENT_PORT', 'POOL_SIZE'],
  ...['PORT', 'POSTGRES_PORT', 'RECOVERY_PERIOD_MS', 'RESOLVE_PERIOD_MS', 'RETENTION_MS'],
  ...['SESSIONS_MAX', 'START_WAIT_MS', 'STOCK_PORT', 'TIMEOUT_MS_DEFAULT', 'TIMEOUT_MS_MAX'],
  ...['TRUSTED_PROXIES', 'URL', 'VIEWER_KEY_SHA256', 'WAIT_MS_DEFAULT', 'WAIT_MS_MAX'],
].map((name) => `${OURS}${name}`);

/**
 * Kubernetes gives every container the addresses of the services beside it: `CONCORDAT_SERVICE_HOST` and
 * `CONCORDAT_PORT_7400_TCP_ADDR` for one that is called `concordat`.
 */
const SERVICE_LINK =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const LINKED = /^(?:tcp|udp|sctp):\/\//;

export interface StrangeVariables {
  /** What is wrong with names that are nearly those of settings, as sentences without a full stop. */
  readonly mistyped: string[];
  /** Those that nothing reads. */
  readonly ignored: string[];
}

/**
 * The variables that are meant for Concordat and are no settings of a program. `known` are the names of its
 * settings; empty values count as absent.
 */
export function strangeVariables(
  environment: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): StrangeVariables {
  const own = known.filter((one) => one.startsWith(OURS)).map((one) => one.slice(OURS.length));
  const strange: StrangeVariables = { mistyped: [], ignored: [] };
  for (const [name, value] of Object.entries(environment)) {
    if (!value || !name.startsWith(OURS) || known.includes(name)) continue;
    if (VARIABLES.includes(name) || SERVICE_LINK.test(name) || LINKED.test(value)) continue;
    const near = nearest(name.slice(OURS.length), own);
    if (near === undefined) strange.ignored.push(name);
    else strange.mistyped.push(`${name} is not a setting. Did you mean ${OURS}${near}?`);
  }
  return strange;
}

/** What a process says of each variable that it ignores. */
export function ignoredText(variable: string): string {
  return `${variable} is not a setting, and is ignored`;
}
