/**
 * The inventory's configuration: the only file here that reads environment variables. Everything that is
 * wrong is said at once, by the name of its key, and no value that may hold a secret is repeated.
 */
import { durationText, parseDurationMs } from '@concordat/words';
import { z } from 'zod';

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'is not a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `is below ${min}`).max(max, `is above ${max}`));

/** A length of time within bounds: milliseconds, or with its unit. */
const duration = (min: number, max: number) =>
  z
    .string()
    .transform((text, context) => {
      const ms = parseDurationMs(text, 'ms');
      if (ms !== undefined) return ms;
      const message = 'is not a duration such as 30000 (milliseconds), 30s or 5m';
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .pipe(
      z
        .number()
        .min(min, `is below ${durationText(min)}`)
        .max(max, `is above ${durationText(max)}`),
    );

const address = (scheme: RegExp, example: string) =>
  z
    .string({ error: `is not set; set it to something like ${example}` })
    .regex(scheme, `is not an address like ${example}`);

const Environment = z.object({
  /** The name under which transactions call this service. */
  PARTICIPANT_NAME: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'is not a name of small letters, digits and "-"')
    .default('inventory'),
  /** Where its tables are. A schema of its own lets it share a database with other services. */
  DATABASE_SCHEMA: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'is not a schema name of small letters, digits and "_"')
    .optional(),
  DATABASE_URL: address(
    /^postgres(ql)?:\/\//,
    'postgres://inventory:password@127.0.0.1:5432/inventory',
  ),
  NATS_URL: address(/^(nats|tls):\/\//, 'nats://127.0.0.1:4222'),
  PORT: whole(0, 65_535).default(7413),
  HOST: z.string().min(1, 'is empty').default('127.0.0.1'),
  /** Discovered on the broker when absent. */
  CONCORDAT_CLUSTER: z
    .string()
    .regex(/^[a-z0-9]{8}$/, 'is not a cluster id of eight small letters or digits')
    .optional(),
  CONCORDAT_SESSIONS_MAX: whole(1, 500).default(16),
  CONCORDAT_IN_DOUBT_MAX: whole(1, 100_000).optional(),
  CONCORDAT_GRACE_MS: duration(0, 3_600_000).default(2_000),
  CONCORDAT_RESOLVE_PERIOD_MS: duration(50, 3_600_000).default(3_000),
  CONCORDAT_DRAIN_MS: duration(0, 600_000).default(10_000),
  CONCORDAT_RETENTION_MS: duration(0, 315_360_000_000).default(604_800_000),
  CONCORDAT_START_WAIT_MS: duration(0, 600_000).default(30_000),
});

export type InventoryConfig = z.infer<typeof Environment>;

export class ConfigurationRefused extends Error {
  override readonly name = 'ConfigurationRefused';
}

/** Reads and checks the configuration; throws {@link ConfigurationRefused} with every fault. */
export function readInventoryConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): InventoryConfig {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(given);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((one) => `  - ${one.path.join('.')} ${one.message}`);
  throw new ConfigurationRefused(['the inventory does not start:', ...faults].join('\n'));
}
