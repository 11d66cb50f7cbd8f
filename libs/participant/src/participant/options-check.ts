/**
 * The options of a participant before anything is opened. Guards "what a service configures is honoured or
 * refused at its start": an option that there is not, and a value that an option cannot have, is refused by
 * name. Compilers miss both where options come from a file, the environment, or JavaScript.
 */
import type { ChannelOptions } from '@concordat/channel';
import { listed, nearest } from '@concordat/words';
import { ISOLATION_LEVELS } from '../postgres/branch.sql.js';
import { ParticipantMisconfigured } from './operation-table.js';
import type { ParticipantLog, ParticipantOptions } from './participant-options.js';

/** What a value must be, for a person; undefined when it is. */
type Check = (value: unknown) => string | undefined;

/** The longest that a timer of Node waits; a longer one ends at once. */
const TIMER_MS_MAX = 2_147_483_647;

const whole =
  (what: string, min: number, max = Number.MAX_SAFE_INTEGER): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `give ${what}, ${min} or more${max === TIMER_MS_MAX ? ` and at most ${max}` : ''}, or leave it out`;

const count = whole('a whole number', 1);
const timer = whole('milliseconds as a whole number', 0, TIMER_MS_MAX);
const period = whole('milliseconds as a whole number', 1, TIMER_MS_MAX);
const flag: Check = (value) =>
  typeof value === 'boolean' ? undefined : 'give true or false, or leave it out';
const call: Check = (value) => (typeof value === 'function' ? undefined : 'give a function');
const text: Check = (value) => (typeof value === 'string' ? undefined : 'give a text');
const some: Check = (value) =>
  typeof value === 'object' && value !== null ? undefined : 'give an object';

const isolation: Check = (value) =>
  ISOLATION_LEVELS.some((one) => one === value)
    ? undefined
    : `give ${listed(ISOLATION_LEVELS.map((one) => `'${one}'`))}, or leave it out for the database's own`;

const addresses: Check = (value) => {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  const fits = all.length > 0 && all.every((one) => typeof one === 'string' && one !== '');
  return fits
    ? undefined
    : 'give the address of the broker, such as nats://127.0.0.1:4222, or a list';
};

const log: Check = (value) => {
  const methods: readonly (keyof ParticipantLog)[] = ['log', 'warn', 'error'];
  const given = value as Record<string, unknown> | null;
  return methods.every((one) => typeof given?.[one] === 'function')
    ? undefined
    : 'give an object with log, warn and error';
};

const database: Check = (value) => {
  if (typeof value !== 'object' || value === null) return ONE_DATABASE;
  const kinds = ['url', 'pool', 'dataSource'].filter((one) => Object.hasOwn(value, one));
  if (kinds.length !== 1) return ONE_DATABASE;
  if (kinds[0] !== 'url') return unknownAmong(value, kinds);
  const { url, connectionsMax } = value as { url: unknown; connectionsMax?: unknown };
  if (typeof url !== 'string') return 'give its url as a text';
  const wrong = connectionsMax === undefined ? undefined : count(connectionsMax);
  return wrong ? `connectionsMax: ${wrong}` : unknownAmong(value, ['url', 'connectionsMax']);
};
const ONE_DATABASE = 'give one of { url }, { pool } and { dataSource }';

const CONNECTION: Readonly<
  Record<keyof Required<Omit<ChannelOptions, 'servers' | 'name'>>, Check>
> = {
  setting: text,
  credentials: some,
  tls: some,
  firstConnectMs: timer,
  signal: some,
  pingMs: period,
  reconnectWaitMs: timer,
  onWaiting: call,
  onIncident: call,
  clock: some,
  entropy: some,
};
const connection: Check = (value) =>
  some(value) ?? faultsOf(value as Readonly<Record<string, unknown>>, CONNECTION)[0];

/** By name, so that the compiler asks for each option. What other checks refuse is let through. */
const OPTIONS: Readonly<Record<keyof Required<ParticipantOptions>, Check>> = {
  name: () => undefined,
  version: text,
  natsUrl: addresses,
  nats: connection,
  cluster: () => undefined,
  database,
  schema: text,
  migrate: flag,
  isolation,
  namedStatements: flag,
  operations: (value) => (Array.isArray(value) ? undefined : 'give a list of operations'),
  log,
  clock: some,
  entropy: some,
  connect: call,
  sessionsMax: count,
  lockWaitersMax: count,
  inDoubtMax: count,
  keptStatements: count,
  graceMs: timer,
  resolvePeriodMs: period,
  resolveConcurrency: count,
  retentionMs: whole('milliseconds as a whole number', 0),
  prunePeriodMs: period,
  databaseWaitMs: timer,
  drainMs: timer,
};

/** Throws {@link ParticipantMisconfigured}, naming the first option that is wrong or missing. */
export function checkOptions(options: object): void {
  const given = options as Readonly<Record<string, unknown>>;
  const [fault = missingIn(given)] = faultsOf(given, OPTIONS);
  if (fault) throw new ParticipantMisconfigured(fault);
}

function missingIn(given: Readonly<Record<string, unknown>>): string | undefined {
  if (given['database'] === undefined) return `database is missing: ${ONE_DATABASE}`;
  if (given['natsUrl'] !== undefined || given['connect'] !== undefined) return undefined;
  return 'natsUrl is missing: give the address of the broker, such as nats://127.0.0.1:4222';
}

function faultsOf(
  given: Readonly<Record<string, unknown>>,
  checks: Readonly<Record<string, Check>>,
): string[] {
  const known = Object.keys(checks);
  return Object.entries(given).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (!check) return [unknownAmong({ [name]: value }, known) ?? []].flat();
    const wrong = check(value);
    return wrong ? [`${name} ${shown(value)}is refused: ${wrong}`] : [];
  });
}

function unknownAmong(given: object, known: readonly string[]): string | undefined {
  const strange = Object.entries(given).find(
    ([name, value]) => value !== undefined && !known.includes(name),
  );
  if (!strange) return undefined;
  const near = nearest(strange[0], known);
  const hint = near ? `Did you mean ${near}?` : `There are ${listed(known)}`;
  return `${strange[0]} is no option. ${hint}`;
}

/** Numbers and flags are repeated; anything else may hold a secret. */
function shown(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? `${String(value)} ` : '';
}
