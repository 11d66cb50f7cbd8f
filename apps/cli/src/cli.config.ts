/**
 * The command line's configuration: the only file of this app that reads environment variables. What
 * is wrong is said all at once, with the remedy.
 */
import { strangeVariables } from '@concordat/words';
import { resolve } from 'node:path';

export interface DevConfig {
  /** Where data, keys and dev.json stay over restarts. */
  readonly dataDir: string;
  /** A Postgres to use instead of one of our own. Its user must be allowed to create databases. */
  readonly databaseUrl?: string;
  /** A nats-server to use instead of one of our own. */
  readonly natsUrl?: string;
  readonly natsServerBin?: string;
  readonly ports: {
    readonly coordinator: number;
    readonly nats: number;
    readonly postgres: number;
    readonly ledgerEast: number;
    readonly ledgerWest: number;
    readonly inventory: number;
    readonly order: number;
    readonly stock: number;
    readonly payment: number;
  };
  /** Ports of the coordinators beside the first. */
  readonly moreCoordinators: readonly number[];
  /** Databases for services that are not part of the stack. */
  readonly moreDatabases: readonly string[];
  /** Variables that begin with `CONCORDAT_` and have no effect: the services of the stack are given none. */
  readonly notRead: readonly string[];
}

export const COORDINATORS_MAX = 8;

export class ConfigurationRefused extends Error {
  override readonly name = 'ConfigurationRefused';
}

const PORTS = {
  coordinator: ['CONCORDAT_PORT', 7400],
  nats: ['CONCORDAT_NATS_PORT', 7401],
  postgres: ['CONCORDAT_POSTGRES_PORT', 7402],
  ledgerEast: ['CONCORDAT_LEDGER_EAST_PORT', 7411],
  ledgerWest: ['CONCORDAT_LEDGER_WEST_PORT', 7412],
  inventory: ['CONCORDAT_INVENTORY_PORT', 7413],
  order: ['CONCORDAT_ORDER_PORT', 7414],
  stock: ['CONCORDAT_STOCK_PORT', 7415],
  payment: ['CONCORDAT_PAYMENT_PORT', 7416],
} as const;

/** What the stack and the commands read; what is not among them is not passed on to what the stack starts. */
const READ = [
  ...Object.values(PORTS).map(([name]) => name),
  ...['CONCORDAT_DATA_DIR', 'CONCORDAT_URL', 'CONCORDAT_API_KEY', 'CONCORDAT_ADMIN_KEY'],
];

export type PortRole = keyof typeof PORTS;

/** The variable that moves a port. */
export function portVariable(role: PortRole): string {
  return PORTS[role][0];
}

/** Reads the development stack's configuration. Throws {@link ConfigurationRefused} with every fault. */
export function readDevConfig(
  base: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  coordinators = 1,
  moreDatabases: readonly string[] = [],
): DevConfig {
  const faults: string[] = [];
  const given = (name: string) => environment[name] || undefined;
  const ports = Object.fromEntries(
    Object.entries(PORTS).map(([role, [name, preset]]) => {
      const port = Number(given(name) ?? preset);
      if (!Number.isInteger(port) || port < 1 || port > 65_535) {
        faults.push(`${name} is not a port. Set it to a number from 1 to 65535, or leave it out.`);
      }
      return [role, port];
    }),
  ) as DevConfig['ports'];
  // Where 7400 is the first coordinator's: 7403, 7404, … after the servers' ports.
  const moreCoordinators = Array.from(
    { length: coordinators - 1 },
    (_, n) => ports.coordinator + 3 + n,
  );
  const numbers = [...Object.values(ports), ...moreCoordinators];
  if (new Set(numbers).size < numbers.length) {
    const names = Object.values(PORTS).map(([name]) => name);
    const more = coordinators > 1 ? ' Further coordinators begin three above the first.' : '';
    faults.push(`Two of ${names.join(', ')} are the same port. Give each its own.${more}`);
  }
  const databaseUrl = given('DATABASE_URL');
  if (databaseUrl && !/^postgres(ql)?:\/\//.test(databaseUrl)) {
    faults.push(
      'DATABASE_URL does not begin with postgres://. Unset it to use a server of our own.',
    );
  }
  faults.push(...strangeVariables(environment, READ).mistyped);
  if (faults.length > 0) throw new ConfigurationRefused(faults.join('\n'));
  return {
    dataDir: resolve(base, given('CONCORDAT_DATA_DIR') ?? '.concordat'),
    databaseUrl,
    natsUrl: given('NATS_URL'),
    natsServerBin: given('NATS_SERVER_BIN'),
    ports,
    moreCoordinators,
    moreDatabases,
    notRead: Object.keys(environment).filter(
      (name) => name.startsWith('CONCORDAT_') && given(name) && !READ.includes(name),
    ),
  };
}

/** Where a command that talks to a coordinator finds it: flags, then environment, then dev.json. */
export interface TargetOptions {
  readonly url?: string;
  readonly key?: string;
}

export function targetFromEnvironment(
  scope: 'client' | 'admin',
  environment: Readonly<Record<string, string | undefined>> = process.env,
): TargetOptions {
  const key = scope === 'admin' ? 'CONCORDAT_ADMIN_KEY' : 'CONCORDAT_API_KEY';
  return {
    url: environment['CONCORDAT_URL'] || undefined,
    key: environment[key] || undefined,
  };
}

/** A service as its own process is configured. */
export interface ServiceOptions {
  readonly name?: string;
  readonly databaseUrl?: string;
  readonly natsUrl?: string;
  readonly cluster?: string;
}

/**
 * What was given, and what the variables of the example services say for the rest, so that the same
 * environment serves both. Throws {@link ConfigurationRefused} with everything that is missing.
 */
export function serviceFromEnvironment(
  given: ServiceOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Required<Omit<ServiceOptions, 'cluster'>> & Pick<ServiceOptions, 'cluster'> {
  const faults: string[] = [];
  const wanted = (value: string | undefined, option: string, variable: string): string => {
    const found = value ?? environment[variable];
    if (!found) faults.push(`${option} is missing. Give it, or set ${variable}.`);
    return found ?? '';
  };
  const service = {
    name: wanted(given.name, '--name', 'PARTICIPANT_NAME'),
    databaseUrl: wanted(given.databaseUrl, '--database-url', 'DATABASE_URL'),
    natsUrl: wanted(given.natsUrl, '--nats-url', 'NATS_URL'),
    cluster: given.cluster ?? (environment['CONCORDAT_CLUSTER'] || undefined),
  };
  if (service.databaseUrl && !/^postgres(ql)?:\/\//.test(service.databaseUrl)) {
    faults.push('The database URL does not begin with postgres://. Correct it.');
  }
  if (faults.length > 0) throw new ConfigurationRefused(faults.join('\n'));
  return service;
}

/** Whether standard output is a terminal that may be coloured (https://no-color.org). */
export function wantsColour(): boolean {
  return process.stdout.isTTY === true && !process.env['NO_COLOR'];
}
