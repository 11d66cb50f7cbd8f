/**
 * The coordinator's configuration: the only file that reads environment variables. Guards "no start
 * on a default or missing secret" and "all that is wrong is said at once": every bad key is reported
 * together with what to set instead, and no value that may hold a secret is ever repeated.
 */
import {
  aboveFaults,
  durationSetting,
  natsSetting,
  postgresSetting,
  readSettings,
  wholeSetting,
} from '@concordat/api';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { defaultWordOf, StoredKey, type Scope } from './api-key.js';

/** Nest's token of the configuration. */
export const CONFIG = Symbol('coordinator configuration');

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const MIB = 1_048_576;
const DAY = 24 * 60 * MINUTE;

/** The view's files: the package's own, else its build folder in the repository. None is imported. */
const PACKED_ADMIN_DIR = resolve(import.meta.dirname, '../../admin');
const ADMIN_DIR = existsSync(PACKED_ADMIN_DIR)
  ? PACKED_ADMIN_DIR
  : resolve(import.meta.dirname, '../../../admin/dist');

export interface CoordinatorConfig {
  /** Variables that begin with `CONCORDAT_` and that nothing reads. */
  readonly ignored: readonly string[];
  readonly port: number;
  readonly host: string;
  readonly databaseUrl: string;
  readonly natsUrl: string;
  /** Where questions are answered: as a user that may not publish commands, if there is one. */
  readonly natsQuestionsUrl: string;
  readonly keys: readonly StoredKey[];
  readonly logLevel: z.infer<typeof LogLevel>;
  /** How long a start waits for the database and the broker to appear. */
  readonly startWaitMs: number;
  /** How long a stop is announced as not ready before anything is refused. */
  readonly drainNoticeMs: number;
  /** How long a stop waits for live transactions. */
  readonly drainMs: number;
  readonly retentionMs: number;
  /** Of stories in the history; at most as long as decisions. */
  readonly historyRetentionMs: number;
  /** How far this machine's clock may be from the decision database's. */
  readonly clockBoundMs: number;
  readonly recoveryPeriodMs: number;
  /** Between two comparisons of participants' databases with the register. */
  readonly comparePeriodMs: number;
  /** A transaction that blocks others for longer is in the list of the stuck, in any state. */
  readonly blockingAfterMs: number;
  readonly poolSize: number;
  readonly liveMax: number;
  readonly liveMaxPerKey: number;
  readonly beginsPerSecondPerKey: number;
  /** Bytes of memory for what live transactions carry, notes of the history, and bodies of requests. */
  readonly liveBytesMax: number;
  readonly historyBytesMax: number;
  readonly bodiesBytesMax: number;
  readonly branchesMax: number;
  /** Whether a transaction of one branch is committed in one phase, where its participant knows how. */
  readonly isOnePhaseEnabled: boolean;
  readonly bodyBytesMax: number;
  /** Addresses and ranges of proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** How long an idle connection of a client or proxy is kept. */
  readonly keepAliveMs: number;
  readonly timeoutMsDefault: number;
  readonly timeoutMsMax: number;
  readonly idleLeaseMs: number;
  readonly waitMsDefault: number;
  readonly waitMsMax: number;
  /** Whether a key of the scope `force` may use it at all. */
  readonly isForceEnabled: boolean;
  /** The folder of the built admin view. */
  readonly adminDir: string;
}

const LogLevel = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']);

const whole = (min: number, max: number, preset: number) => wholeSetting(min, max).default(preset);
const duration = (min: number, max: number, preset: number) =>
  durationSetting(min, max).default(preset);

const sha256 = z
  .string()
  .regex(
    /^[0-9a-f]{64}$/,
    'is not a SHA-256 in 64 lower-case hexadecimal digits. Store a hash, never a key',
  )
  .optional();

/** Addresses and ranges, separated by commas: `10.0.0.7, 10.1.0.0/16, ::1`. */
const proxies = z
  .string()
  .transform((text) => text.split(',').map((one) => one.trim()))
  .refine((all) => all.every(isAddressOrRange), {
    error:
      'names something that is neither an address nor a range, such as 10.0.0.7 or 10.1.0.0/16',
  });

function isAddressOrRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
}

const Environment = z.object({
  PORT: whole(0, 65_535, 7_400),
  HOST: z.string().min(1, 'is empty').default('127.0.0.1'),
  DATABASE_URL: postgresSetting('postgres://user:password@127.0.0.1:5432/concordat'),
  NATS_URL: natsSetting(),
  NATS_QUESTIONS_URL: natsSetting().optional(),
  CONCORDAT_KEYS_FILE: z.string().min(1, 'is empty').optional(),
  CONCORDAT_CLIENT_KEY_SHA256: sha256,
  CONCORDAT_VIEWER_KEY_SHA256: sha256,
  CONCORDAT_OPERATOR_KEY_SHA256: sha256,
  CONCORDAT_FORCE_KEY_SHA256: sha256,
  CONCORDAT_FORCE: z
    .enum(['enabled', 'disabled'], { error: 'is neither "enabled" nor "disabled"' })
    .default('disabled'),
  CONCORDAT_ADMIN_DIR: z.string().min(1, 'is empty').default(ADMIN_DIR),
  LOG_LEVEL: LogLevel.default('info'),
  CONCORDAT_START_WAIT_MS: duration(0, 10 * MINUTE, 30 * SECOND),
  CONCORDAT_DRAIN_NOTICE_MS: duration(0, 10 * MINUTE, 2 * SECOND),
  CONCORDAT_DRAIN_MS: duration(0, 10 * MINUTE, 10 * SECOND),
  CONCORDAT_RETENTION_MS: duration(MINUTE, 3_650 * DAY, 7 * DAY),
  CONCORDAT_HISTORY_RETENTION_MS: duration(MINUTE, 3_650 * DAY, 7 * DAY),
  CONCORDAT_CLOCK_BOUND_MS: duration(SECOND, 5 * MINUTE, 30 * SECOND),
  CONCORDAT_RECOVERY_PERIOD_MS: duration(100, 10 * MINUTE, 2 * SECOND),
  CONCORDAT_COMPARE_PERIOD_MS: duration(500, 10 * MINUTE, 10 * SECOND),
  CONCORDAT_BLOCKING_AFTER_MS: duration(0, 60 * MINUTE, 5 * SECOND),
  CONCORDAT_POOL_SIZE: whole(2, 200, 10),
  CONCORDAT_LIVE_MAX: whole(1, 1_000_000, 20_000),
  CONCORDAT_LIVE_MAX_PER_KEY: whole(1, 1_000_000, 10_000),
  CONCORDAT_BEGINS_PER_SECOND_PER_KEY: whole(1, 1_000_000, 1_000),
  CONCORDAT_LIVE_BYTES_MAX: whole(1 * MIB, 1_048_576 * MIB, 256 * MIB),
  CONCORDAT_HISTORY_BYTES_MAX: whole(1 * MIB, 1_048_576 * MIB, 64 * MIB),
  CONCORDAT_BODIES_BYTES_MAX: whole(1 * MIB, 1_048_576 * MIB, 128 * MIB),
  CONCORDAT_BRANCHES_MAX: whole(1, 64, 64),
  CONCORDAT_ONE_PHASE: z
    .enum(['enabled', 'disabled'], { error: 'is neither "enabled" nor "disabled"' })
    .default('enabled'),
  CONCORDAT_BODY_BYTES_MAX: whole(1_024, 64 * 1_048_576, 1_048_576),
  CONCORDAT_TRUSTED_PROXIES: proxies.optional(),
  CONCORDAT_KEEP_ALIVE_MS: duration(1_000, 60 * MINUTE, 75 * SECOND),
  CONCORDAT_TIMEOUT_MS_DEFAULT: duration(1, 15 * MINUTE, 30 * SECOND),
  CONCORDAT_TIMEOUT_MS_MAX: duration(1, 15 * MINUTE, 15 * MINUTE),
  CONCORDAT_IDLE_LEASE_MS: duration(100, 15 * MINUTE, 30 * SECOND),
  CONCORDAT_WAIT_MS_DEFAULT: duration(0, 10 * MINUTE, 10 * SECOND),
  CONCORDAT_WAIT_MS_MAX: duration(1, 10 * MINUTE, MINUTE),
});
type Environment = z.infer<typeof Environment>;

/** The first of each may not exceed the second. */
const AT_MOST = [
  ['CONCORDAT_HISTORY_RETENTION_MS', 'CONCORDAT_RETENTION_MS'],
  ['CONCORDAT_TIMEOUT_MS_DEFAULT', 'CONCORDAT_TIMEOUT_MS_MAX'],
  ['CONCORDAT_WAIT_MS_DEFAULT', 'CONCORDAT_WAIT_MS_MAX'],
] as const;

/** What is wrong with the environment, one line for each key. */
export class ConfigurationRefused extends Error {
  override readonly name = 'ConfigurationRefused';
  constructor(readonly faults: readonly string[]) {
    super(`The coordinator does not start:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

const KEYGEN = 'node apps/coordinator/dist/main.js keygen --scope client --id my-service';

/** Reads and checks the configuration. Throws {@link ConfigurationRefused} with every fault. */
export function readCoordinatorConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): CoordinatorConfig {
  const given = readSettings(Environment, environment);
  if ('faults' in given) throw new ConfigurationRefused(given.faults.map((one) => `${one}.`));
  const faults = aboveFaults(given.read, environment, AT_MOST).map((one) => `${one}.`);
  const keys = keysOf(given.read, faults);
  if (faults.length > 0) throw new ConfigurationRefused(faults);
  return configOf(given.read, keys, given.ignored);
}

function configOf(
  env: Environment,
  keys: readonly StoredKey[],
  ignored: readonly string[],
): CoordinatorConfig {
  return {
    ignored,
    port: env.PORT,
    host: env.HOST,
    databaseUrl: env.DATABASE_URL,
    natsUrl: env.NATS_URL,
    natsQuestionsUrl: env.NATS_QUESTIONS_URL ?? env.NATS_URL,
    keys,
    logLevel: env.LOG_LEVEL,
    startWaitMs: env.CONCORDAT_START_WAIT_MS,
    drainNoticeMs: env.CONCORDAT_DRAIN_NOTICE_MS,
    drainMs: env.CONCORDAT_DRAIN_MS,
    retentionMs: env.CONCORDAT_RETENTION_MS,
    historyRetentionMs: Math.min(env.CONCORDAT_HISTORY_RETENTION_MS, env.CONCORDAT_RETENTION_MS),
    clockBoundMs: env.CONCORDAT_CLOCK_BOUND_MS,
    recoveryPeriodMs: env.CONCORDAT_RECOVERY_PERIOD_MS,
    comparePeriodMs: env.CONCORDAT_COMPARE_PERIOD_MS,
    blockingAfterMs: env.CONCORDAT_BLOCKING_AFTER_MS,
    poolSize: env.CONCORDAT_POOL_SIZE,
    liveMax: env.CONCORDAT_LIVE_MAX,
    liveMaxPerKey: env.CONCORDAT_LIVE_MAX_PER_KEY,
    beginsPerSecondPerKey: env.CONCORDAT_BEGINS_PER_SECOND_PER_KEY,
    liveBytesMax: env.CONCORDAT_LIVE_BYTES_MAX,
    historyBytesMax: env.CONCORDAT_HISTORY_BYTES_MAX,
    bodiesBytesMax: env.CONCORDAT_BODIES_BYTES_MAX,
    branchesMax: env.CONCORDAT_BRANCHES_MAX,
    isOnePhaseEnabled: env.CONCORDAT_ONE_PHASE === 'enabled',
    bodyBytesMax: env.CONCORDAT_BODY_BYTES_MAX,
    trustedProxies: env.CONCORDAT_TRUSTED_PROXIES ?? [],
    keepAliveMs: env.CONCORDAT_KEEP_ALIVE_MS,
    timeoutMsDefault: Math.min(env.CONCORDAT_TIMEOUT_MS_DEFAULT, env.CONCORDAT_TIMEOUT_MS_MAX),
    timeoutMsMax: env.CONCORDAT_TIMEOUT_MS_MAX,
    idleLeaseMs: env.CONCORDAT_IDLE_LEASE_MS,
    waitMsDefault: Math.min(env.CONCORDAT_WAIT_MS_DEFAULT, env.CONCORDAT_WAIT_MS_MAX),
    waitMsMax: env.CONCORDAT_WAIT_MS_MAX,
    isForceEnabled: env.CONCORDAT_FORCE === 'enabled',
    adminDir: env.CONCORDAT_ADMIN_DIR,
  };
}

/** The keys of the file and of the variables together; faults are added to the list. */
function keysOf(env: Environment, faults: string[]): StoredKey[] {
  const keys: StoredKey[] = env.CONCORDAT_KEYS_FILE
    ? readKeysFile(env.CONCORDAT_KEYS_FILE, faults)
    : [];
  const single = (scope: Scope, hash: string | undefined): void => {
    if (hash) keys.push({ id: scope, scope, sha256: hash });
  };
  single('client', env.CONCORDAT_CLIENT_KEY_SHA256);
  single('viewer', env.CONCORDAT_VIEWER_KEY_SHA256);
  single('operator', env.CONCORDAT_OPERATOR_KEY_SHA256);
  single('force', env.CONCORDAT_FORCE_KEY_SHA256);
  if (keys.length === 0 && faults.length === 0) {
    faults.push(
      `No API key is configured. Make one with \`${KEYGEN}\`, store the line it prints in a JSON ` +
        'array in a file, and name the file in CONCORDAT_KEYS_FILE.',
    );
  }
  for (const key of keys) {
    const word = defaultWordOf(key.sha256);
    if (word === undefined) continue;
    faults.push(
      `API key "${key.id}" is the default word "${word}". Replace it: make one with \`${KEYGEN}\`.`,
    );
  }
  for (const [field, values] of [
    ['id', keys.map((key) => key.id)],
    ['sha256', keys.map((key) => key.sha256)],
  ] as const) {
    if (new Set(values).size === values.length) continue;
    faults.push(
      `Two API keys have the same ${field}. Give every key its own; \`${KEYGEN}\` makes one.`,
    );
  }
  return keys;
}

function readKeysFile(path: string, faults: string[]): StoredKey[] {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    faults.push(
      `CONCORDAT_KEYS_FILE ${why} (${path}). It must hold a JSON array of lines as \`${KEYGEN}\` prints them.`,
    );
    return [];
  }
  const parsed = z.array(StoredKey).safeParse(content);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const where = issue.path.length > 0 ? issue.path.join('.') : 'the file';
    faults.push(
      `CONCORDAT_KEYS_FILE: ${where}: ${issue.message}. \`${KEYGEN}\` prints a valid line.`,
    );
  }
  return [];
}
