/**
 * Settings of a process, as environment variables write them: each a schema whose messages follow the name of
 * the variable (`PORT is above 65535`), and what is wrong with all of them at once. Guards "what is configured
 * is honoured or refused, never ignored without a word".
 */
import { complaintText, durationText, parseDurationMs, strangeVariables } from '@concordat/words';
import { z } from 'zod';

/** A whole number within bounds, in decimal. */
export const wholeSetting = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'is not a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `is below ${min}`).max(max, `is above ${max}`));

/** A length of time within bounds: milliseconds, or with its unit. Read as milliseconds. */
export const durationSetting = (min: number, max: number) =>
  z
    .string()
    .transform((text, context) => {
      const ms = parseDurationMs(text, 'ms');
      if (ms !== undefined) return ms;
      const message = 'is not a duration such as 30000 (milliseconds), 30s, 5m or 1d';
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .pipe(
      z
        .number()
        .min(min, `is below ${durationText(min)}`)
        .max(max, `is above ${durationText(max)}`),
    );

/** The address of a database: one that its driver can take apart. */
export const postgresSetting = (example: string) =>
  address(['postgres://', 'postgresql://'], DATABASE, example, (text) => [text]);

/** Addresses of the broker, separated by commas. */
export const natsSetting = (example = 'nats://127.0.0.1:4222') =>
  address(['nats://', 'tls://'], BROKER, example, (text) => text.split(','));

function address(
  schemes: readonly string[],
  form: RegExp,
  example: string,
  addressesOf: (text: string) => readonly string[],
) {
  const every = (text: string, holds: (one: string) => boolean): boolean =>
    addressesOf(text).every((one) => holds(one.trim()));
  return z
    .string({ error: `is not set. Set it to the address of the server, such as ${example}` })
    .refine((text) => every(text, (one) => schemes.some((scheme) => one.startsWith(scheme))), {
      error: `is not an address that begins with ${schemes.join(' or ')}, such as ${example}`,
      abort: true,
    })
    .refine((text) => every(text, (one) => form.test(one)), {
      error: `cannot be read as an address such as ${example}. Write special characters of a password percent-encoded`,
    });
}

/** User and password, a host or none (a socket), a port, a path: what a driver takes apart. */
const DATABASE =
  /^[a-z]+:\/\/(?:[^/?#]*@)?(?:\[[\da-f:.]+\]|[^@:/?#[\]\s]*)(?::\d{1,5})?(?:[/?].*)?$/i;
/** Percent signs of a login are decoded. */
const BROKER = /^[a-z]+:\/\/(?:(?:[^@/%]|%[\da-f]{2})*@)?[^@/\s]+\/?$/i;

export interface SettingsRead<Settings extends z.ZodObject> {
  readonly read: z.infer<Settings>;
  /** Variables that begin with `CONCORDAT_` and that no program of Concordat reads. */
  readonly ignored: readonly string[];
}

/**
 * Reads settings from an environment, in which an empty value is none. Returns them, or every fault as
 * `NAME is …`, without the values: one may be a secret. A variable of ours that is none of the settings is a
 * fault when it is nearly one of them.
 */
export function readSettings<Settings extends z.ZodObject>(
  settings: Settings,
  environment: Readonly<Record<string, string | undefined>>,
): SettingsRead<Settings> | { readonly faults: string[] } {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const { mistyped, ignored } = strangeVariables(environment, Object.keys(settings.shape));
  const parsed = settings.safeParse(given);
  if (parsed.success && mistyped.length === 0) return { read: parsed.data, ignored };
  const issues = parsed.error?.issues ?? [];
  const wrong = issues.map((one) => `${one.path.join('.')} ${complaintText(one.message)}`);
  return { faults: [...wrong, ...mistyped] };
}

/**
 * What is wrong with settings of which one may not exceed another. A default gives way to what is set; what
 * is set is refused by name.
 */
export function aboveFaults<Settings extends z.ZodObject>(
  read: z.infer<Settings>,
  environment: Readonly<Record<string, string | undefined>>,
  pairs: readonly (readonly [keyof z.infer<Settings> & string, keyof z.infer<Settings> & string])[],
): string[] {
  return pairs.flatMap(([lesser, greater]) => {
    if (!environment[lesser] || !(Number(read[lesser]) > Number(read[greater]))) return [];
    const bound = durationText(Number(read[greater]));
    return [`${lesser} is above ${greater} (${bound}). Lower it, or raise ${greater}`];
  });
}
