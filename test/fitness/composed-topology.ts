/**
 * The topology of docker-compose.yml on real servers, without containers: the environments of the file
 * with nothing changed but where the servers are, deploy/databases.sql run on an empty Postgres with the
 * file's settings, deploy/nats.conf on a real nats-server.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  freePort,
  spawnService,
  startNats,
  startPostgres,
  type NatsServer,
  type PostgresServer,
  type Service,
} from '@concordat/testing';
import pg from 'pg';
import { readComposeFile, ROOT, type ComposeFile, type Secrets } from './compose-file.js';

export interface LaunchOptions {
  /** Its name here, where a service of the file runs twice. */
  readonly as?: string;
  /** CRASH_POINTS of this start, see test/crash/crash-points.mjs. */
  readonly crash?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What is started in place of the build of this repository. */
  readonly program?: string | undefined;
}

export class ComposedTopology {
  readonly file: ComposeFile;
  private readonly services = new Map<string, Service>();
  private readonly ports = new Map<string, number>();

  private constructor(
    secrets: Secrets,
    readonly postgres: PostgresServer,
    readonly nats: NatsServer,
  ) {
    this.file = readComposeFile(secrets.variables);
  }

  static async start(secrets: Secrets): Promise<ComposedTopology> {
    const file = readComposeFile(secrets.variables);
    const postgres = await startPostgres({ settings: settingsOf(file) });
    const passwords = Object.entries(file.services['nats']?.environment ?? {});
    const nats = await startNats({
      config: [
        // In the container they come from the environment; nats-server looks here first.
        ...passwords.map(([name, value]) => `${name}: "${value}"`),
        readFileSync(resolve(ROOT, 'deploy/nats.conf'), 'utf8'),
      ].join('\n'),
    });
    const topology = new ComposedTopology(secrets, postgres, nats);
    await topology.makeDatabases();
    return topology;
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.services.values()].map((one) => one.stop()));
    await Promise.all([this.nats.dispose(), this.postgres.dispose()]);
  }

  url(name: string): string {
    return `http://127.0.0.1:${this.ports.get(name) ?? 0}`;
  }

  /** What all services have written. */
  output(): string {
    return [...this.services.values()].map((one) => one.output()).join('\n');
  }

  service(name: string): Service {
    const service = this.services.get(name);
    if (!service) throw new Error(`${name} was never started`);
    return service;
  }

  /** The environment of a service of the file, with the addresses of the servers here. */
  environment(name: string): Record<string, string> {
    const given = this.file.services[name]?.environment ?? {};
    return Object.fromEntries(
      Object.entries(given).map(([variable, value]) => [variable, this.located(value)]),
    );
  }

  /** Starts a service of the file; resolves when its own health check says healthy. */
  async launch(
    name: string,
    { as = name, crash, env = {}, program }: LaunchOptions = {},
  ): Promise<void> {
    const port = await freePort();
    this.ports.set(as, port);
    const app = this.file.services[name]?.build?.args['APP'] ?? '';
    const points = resolve(ROOT, 'test/crash/crash-points.mjs');
    const service = await spawnService({
      name: as,
      args: [
        ...(crash ? ['--import', points] : []),
        program ?? resolve(ROOT, 'apps', app, 'dist/main.js'),
      ],
      env: {
        PATH: process.env['PATH'],
        ...this.environment(name),
        HOST: '127.0.0.1',
        PORT: String(port),
        ...(crash ? { CRASH_POINTS: crash, CRASH_SIDE: 'coordinator' } : {}),
        ...env,
      },
      readyWhen: async () =>
        (await fetch(`${this.url(as)}/readyz`).catch(() => undefined))?.ok === true,
    });
    this.services.set(as, service);
  }

  /** Runs statements in a database of the topology, as its owner or as the superuser. */
  async sql(database: string, text: string): Promise<Record<string, unknown>[]> {
    const service = database === 'concordat' ? 'coordinator' : database;
    return this.on(this.environment(service)['DATABASE_URL'] ?? this.postgres.url(), text);
  }

  /** The same with a service's role in a database of that name. */
  async sqlElsewhere(service: string, database: string, text: string): Promise<void> {
    await this.on(this.databaseUrl(service, database), text);
  }

  /** A service's own address of the server, leading to a database of that name. */
  databaseUrl(service: string, database: string): string {
    const url = new URL(this.environment(service)['DATABASE_URL'] ?? '');
    url.pathname = `/${database}`;
    return url.href;
  }

  private async makeDatabases(): Promise<void> {
    const variables = this.file.services['postgres']?.environment ?? {};
    const script = readFileSync(resolve(ROOT, 'deploy/databases.sql'), 'utf8');
    const password = new Map(
      [...script.matchAll(/^\\getenv (\w+) (\w+)$/gm)].map((match) => [match[1], match[2]]),
    );
    const statements = script
      .replace(/^(--|\\getenv).*$/gm, '')
      .replace(/:'(\w+)'/g, (_, name: string) =>
        pg.escapeLiteral(variables[password.get(name) ?? ''] ?? ''),
      )
      .split(';')
      .map((one) => one.trim())
      .filter(Boolean);
    for (const statement of statements) await this.on(this.postgres.url(), statement);
  }

  private async on(connectionString: string, text: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query<Record<string, unknown>>(text);
      return rows;
    } finally {
      await client.end();
    }
  }

  private located(value: string): string {
    return value
      .replace('@postgres:5432/', `@127.0.0.1:${this.postgres.port}/`)
      .replace('@nats:4222', `@127.0.0.1:${this.nats.port}`);
  }
}

/** `-c name=value` of the command that starts Postgres. */
export function settingsOf(file: ComposeFile): Record<string, string> {
  const command = file.services['postgres']?.command ?? [];
  return Object.fromEntries(
    command
      .filter((_, index) => command[index - 1] === '-c')
      .map((setting) => setting.split('=') as [string, string]),
  );
}
