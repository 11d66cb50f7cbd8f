/**
 * What people expect of a Nest module: all forms of `forRootAsync`, several participants under names, inputs
 * by Standard Schema and by class-validator, and health by terminus.
 */
import { ConcordatClient } from '@concordat/client';
import { ConcordatHealthIndicator, ConcordatModule } from '@concordat/client-nest';
import {
  BranchContext,
  Operation,
  Participant,
  ParticipantHost,
  ParticipantModule,
  participantHealth,
  participantToken,
  type ParticipantModuleFactoryOptions,
  type ParticipantOptionsFactory,
  type StandardSchema,
} from '@concordat/participant';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  ValidationPipe,
  type DynamicModule,
  type INestApplication,
} from '@nestjs/common';
import { APP_PIPE, NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { IsInt, IsString, Min } from 'class-validator';
import pg from 'pg';
import { z } from 'zod';
import type { OrmsOnStage } from './stage.js';

const NAMES = ['form-north', 'form-east', 'form-west'] as const;
type Name = (typeof NAMES)[number];

/** Where the participants of this file are; filled when the stage is there. */
const settings: { natsUrl: string; databases: Partial<Record<Name, string>> } = {
  natsUrl: '',
  databases: {},
};

const optionsOf = (name: Name): ParticipantModuleFactoryOptions => ({
  natsUrl: settings.natsUrl,
  database: { url: settings.databases[name] ?? '', connectionsMax: 4 },
});

@Injectable()
class Place {
  readonly name: Name = 'form-east';
}

@Module({ providers: [Place], exports: [Place] })
class PlaceModule {}

/** For `useClass`: it injects what its module imports. */
@Injectable()
class EasternOptions implements ParticipantOptionsFactory {
  constructor(@Inject(Place) private readonly place: Place) {}

  create(): ParticipantModuleFactoryOptions {
    return optionsOf(this.place.name);
  }
}

/** For `useExisting`: a provider of a module of the service. */
@Injectable()
class WesternOptions implements ParticipantOptionsFactory {
  create(): Promise<ParticipantModuleFactoryOptions> {
    return Promise.resolve(optionsOf('form-west'));
  }
}

@Module({ providers: [WesternOptions], exports: [WesternOptions] })
class SettingsModule {}

interface Reserve {
  readonly sku: string;
  readonly quantity: number;
}

/** A Standard Schema as any library could have made it. */
const HandMade: StandardSchema<Reserve> = {
  '~standard': {
    version: 1,
    vendor: 'this test',
    validate: (input) => {
      const { sku, quantity } = input as Partial<Reserve>;
      const isFit = typeof sku === 'string' && Number.isInteger(quantity) && Number(quantity) >= 1;
      return isFit
        ? { value: { sku, quantity: Number(quantity) } }
        : { issues: [{ message: 'is not at least 1', path: ['quantity'] }] };
    },
  },
};

class ReserveDto implements Reserve {
  @IsString()
  sku!: string;

  @IsInt()
  @Min(1)
  quantity!: number;
}

abstract class Stocks {
  protected abstract readonly branch: BranchContext;

  protected async take({ sku, quantity }: Reserve): Promise<object> {
    const text = 'UPDATE stock SET available = available - $2 WHERE sku = $1 RETURNING available';
    const { rows } = await this.branch.client.query<{ available: number }>(text, [sku, quantity]);
    return { available: rows[0]?.available };
  }
}

@Participant('form-north')
class Northern extends Stocks {
  constructor(@Inject(BranchContext) protected readonly branch: BranchContext) {
    super();
  }

  @Operation('reserve', z.strictObject({ sku: z.string(), quantity: z.int().min(1) }))
  reserve(input: Reserve): Promise<object> {
    return this.take(input);
  }
}

@Participant('form-east')
class Eastern extends Stocks {
  constructor(@Inject(BranchContext) protected readonly branch: BranchContext) {
    super();
  }

  @Operation('reserve', HandMade)
  reserve(input: Reserve): Promise<object> {
    return this.take(input);
  }
}

@Participant('form-west')
class Western extends Stocks {
  constructor(@Inject(BranchContext) protected readonly branch: BranchContext) {
    super();
  }

  @Operation('reserve')
  reserve(input: ReserveDto): Promise<object> {
    return this.take(input);
  }
}

@Controller('health')
class Health {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(ConcordatHealthIndicator) private readonly concordat: ConcordatHealthIndicator,
    @Inject(participantToken(ParticipantHost, 'form-north'))
    private readonly north: ParticipantHost,
    @Inject(participantToken(ParticipantHost, 'form-east')) private readonly east: ParticipantHost,
    @Inject(participantToken(ParticipantHost, 'form-west')) private readonly west: ParticipantHost,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([
      () => participantHealth(this.north, 'north'),
      () => participantHealth(this.east, 'east'),
      () => participantHealth(this.west, 'west'),
      () => this.concordat.isHealthy('concordat'),
    ]);
  }
}

/** Declares the tests. */
export function showNestForms(stage: () => OrmsOnStage): void {
  let app: INestApplication;
  const clientOptions = () => ({
    url: stage().product.coordinatorUrl,
    apiKey: stage().product.clientKey,
  });

  @Injectable()
  class ClientOptions {
    create() {
      return clientOptions();
    }
  }

  @Module({ providers: [ClientOptions], exports: [ClientOptions] })
  class ClientSettings {}

  beforeAll(async () => {
    const { stack } = stage().product;
    settings.natsUrl = stack.nats.url;
    for (const name of NAMES) {
      const url = await stack.postgres.createDatabase(name.replace('-', '_'));
      settings.databases[name] = url;
      await sql(url, 'CREATE TABLE stock (sku text PRIMARY KEY, available integer NOT NULL)');
      await sql(url, `INSERT INTO stock VALUES ('a', 5)`);
    }
    @Module({
      imports: [
        TerminusModule.forRoot({ logger: false }),
        ParticipantModule.forRootAsync({
          name: 'form-north',
          useFactory: () => optionsOf('form-north'),
        }),
        ParticipantModule.forRootAsync({
          name: 'form-east',
          imports: [PlaceModule],
          useClass: EasternOptions,
        }),
        ParticipantModule.forRootAsync({
          name: 'form-west',
          imports: [SettingsModule],
          useExisting: WesternOptions,
        }),
        ConcordatModule.forRootAsync({ useFactory: clientOptions }),
      ],
      controllers: [Health],
      providers: [Northern, Eastern, Western, { provide: APP_PIPE, useClass: ValidationPipe }],
    })
    class Application {}
    app = await NestFactory.create(Application, { logger: ['error'], abortOnError: false });
    await app.listen(0, '127.0.0.1');
    for (const name of NAMES) await hostOf(name).participant?.ready();
  });

  afterAll(() => app?.close());

  const hostOf = (name: Name): ParticipantHost => app.get(participantToken(ParticipantHost, name));
  const reserve = (quantityOf: (name: Name) => number) =>
    stage().product.request('POST', '/v1/transactions?until=completed', {
      body: {
        commit: true,
        branches: NAMES.map((participant) => ({
          participant,
          operations: [{ name: 'reserve', input: { sku: 'a', quantity: quantityOf(participant) } }],
        })),
      },
    });
  const health = async () => {
    const response = await fetch(`${await app.getUrl()}/health`);
    const { details } = (await response.json()) as { details: Record<string, object> };
    return { status: response.status, details };
  };

  it('serves participants whose options come by useFactory, useClass and useExisting', async () => {
    const { status, body } = await reserve(() => 2);
    expect([status, body['cause']]).toEqual([200, undefined]);
    const branches = body['branches'] as unknown as { outputs: unknown[] }[];
    expect(branches.map(({ outputs }) => outputs)).toEqual(NAMES.map(() => [{ available: 3 }]));
  });

  it.each<[Name, string]>([
    ['form-north', 'zod'],
    ['form-east', 'a Standard Schema of no library'],
    ['form-west', 'a DTO of class-validator'],
  ])('refuses input of %s by %s, and names the field', async (name) => {
    const { status, body } = await reserve((one) => (one === name ? 0 : 1));
    expect([status, body['cause']]).toEqual([
      409,
      expect.objectContaining({ participant: name, code: 'INVALID_INPUT' }),
    ]);
    expect(JSON.stringify(body['cause'])).toContain('quantity');
  });

  it.each<[string, () => DynamicModule]>([
    ['forRoot', () => ConcordatModule.forRoot(clientOptions())],
    ['useFactory', () => ConcordatModule.forRootAsync({ useFactory: clientOptions })],
    ['useClass', () => ConcordatModule.forRootAsync({ useClass: ClientOptions })],
    [
      'useExisting',
      () => ConcordatModule.forRootAsync({ imports: [ClientSettings], useExisting: ClientOptions }),
    ],
  ])('has a client by %s', async (_, form) => {
    const module = { module: class Application {}, imports: [form()] };
    const context = await NestFactory.createApplicationContext(module, { logger: ['error'] });
    const { clusterId } = await context.get(ConcordatClient).cluster();
    expect(clusterId).toBe(await stage().product.cluster());
    await context.close();
  });

  it('refuses options that come in no way, or in two', () => {
    const unknown = (options: object) => () =>
      ParticipantModule.forRootAsync(
        options as Parameters<typeof ParticipantModule.forRootAsync>[0],
      );
    const message = /give useFactory, useClass or useExisting/;
    expect(unknown({ name: 'none' })).toThrow(message);
    expect(unknown({ useFactory: () => ({}), useClass: EasternOptions })).toThrow(message);
  });

  // The last one: it stops a participant.
  it('reports to terminus each participant and the coordinator, and which is down and why', async () => {
    const up = { status: 'up' };
    const all = { north: up, east: up, west: up, concordat: expect.objectContaining(up) };
    expect(await health()).toEqual({ status: 200, details: all });
    await hostOf('form-east').participant?.stop();
    const reasons = expect.arrayContaining([expect.anything()]);
    const down = { status: 'down', reasons };
    expect(await health()).toEqual({ status: 503, details: { ...all, east: down } });
  });
}

async function sql(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
