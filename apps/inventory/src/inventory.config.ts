/**
 * The inventory's configuration: the only file here that reads environment variables. Everything that is
 * wrong is said at once, by the name of its key, and no value that may hold a secret is repeated.
 */
import {
  durationSetting,
  natsSetting,
  postgresSetting,
  readSettings,
  wholeSetting,
} from '@concordat/api';
import { z } from 'zod';

const Environment = z.object({
  /** The name under which transactions call this service. */
  PARTICIPANT_NAME: z
    .string()
    .regex(
      /^[a-z][a-z0-9-]{0,31}$/,
      'is not a name of at most 32 small letters, digits and "-" that begins with a letter',
    )
    .default('inventory'),
  /** Where its tables are. A schema of its own lets it share a database with other services. */
  DATABASE_SCHEMA: z
    .string()
    .regex(
      /^[a-z_][a-z0-9_]{0,62}$/,
      'is not a schema name of at most 63 small letters, digits and "_"',
    )
    .optional(),
  DATABASE_URL: postgresSetting('postgres://inventory:password@127.0.0.1:5432/inventory'),
  NATS_URL: natsSetting(),
  PORT: wholeSetting(0, 65_535).default(7413),
  HOST: z.string().min(1, 'is empty').default('127.0.0.1'),
  /** Discovered on the broker when absent. */
  CONCORDAT_CLUSTER: z
    .string()
    .regex(/^[a-z0-9]{8}$/, 'is not a cluster id of eight small letters or digits')
    .optional(),
  CONCORDAT_SESSIONS_MAX: wholeSetting(1, 500).default(16),
  CONCORDAT_IN_DOUBT_MAX: wholeSetting(1, 100_000).optional(),
  CONCORDAT_GRACE_MS: durationSetting(0, 3_600_000).default(2_000),
  CONCORDAT_RESOLVE_PERIOD_MS: durationSetting(50, 3_600_000).default(3_000),
  CONCORDAT_DRAIN_MS: durationSetting(0, 600_000).default(10_000),
  CONCORDAT_RETENTION_MS: durationSetting(0, 315_360_000_000).default(604_800_000),
  CONCORDAT_START_WAIT_MS: durationSetting(0, 600_000).default(30_000),
});

export interface InventoryConfig extends z.infer<typeof Environment> {
  /** Variables that begin with `CONCORDAT_` and that nothing reads. */
  readonly ignored: readonly string[];
}

export class ConfigurationRefused extends Error {
  override readonly name = 'ConfigurationRefused';
}

/** Reads and checks the configuration; throws {@link ConfigurationRefused} with every fault. */
export function readInventoryConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): InventoryConfig {
  const given = readSettings(Environment, environment);
  if ('read' in given) return { ...given.read, ignored: given.ignored };
  const faults = given.faults.map((fault) => `  - ${fault}`);
  throw new ConfigurationRefused(['the inventory does not start:', ...faults].join('\n'));
}
