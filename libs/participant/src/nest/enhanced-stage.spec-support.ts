/**
 * The stage of the enhancers' suite: a scripted coordinator on a real broker, and a real database, on
 * which one small service after another starts, is asked, and ends.
 */
import { Module, type INestApplication, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ClusterId } from '@concordat/protocol';
import pg from 'pg';
import { ParticipantHost, ParticipantModule } from '../index.js';
import { CODE_OF, KINDS, Rules, RulesOfCall, type Kind } from './enhancers.spec-support.js';
import { ScriptedCoordinator } from './scripted-coordinator.spec-support.js';

const CLUSTER = 'enhanced' as ClusterId;
/** Of every service: they run one after another, and the database is theirs in turn. */
const NAME = 'enhanced-service';

export interface Service {
  readonly providers?: Provider[];
  readonly controllers?: Type[];
  readonly use?: (app: INestApplication) => void;
  /** Gets the warnings of the start. */
  readonly warn?: (message: string) => void;
}

export class EnhancedStage {
  private constructor(
    private readonly natsUrl: string,
    private readonly pool: pg.Pool,
    private readonly coordinator: ScriptedCoordinator,
  ) {}

  static async open(natsUrl: string, databaseUrl: string): Promise<EnhancedStage> {
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 8 });
    await pool.query('CREATE TABLE enhanced (call text NOT NULL)');
    const coordinator = await ScriptedCoordinator.start(natsUrl, CLUSTER);
    return new EnhancedStage(natsUrl, pool, coordinator);
  }

  async close(): Promise<void> {
    await this.coordinator.stop();
    await this.pool.end();
  }

  async start({ providers = [], controllers = [], use, warn }: Service): Promise<RunningService> {
    const silent = (): void => undefined;
    @Module({
      imports: [
        ParticipantModule.forRoot({
          name: NAME,
          natsUrl: this.natsUrl,
          cluster: CLUSTER,
          database: { pool: this.pool },
          log: { log: silent, warn: warn ?? silent, error: silent },
        }),
      ],
      providers: [Rules, RulesOfCall, ...providers],
      controllers,
    })
    class Application {}
    const app = await NestFactory.create(Application, { logger: false, abortOnError: false });
    use?.(app);
    await app.init();
    await app.get(ParticipantHost).participant?.ready();
    return new RunningService(app, this.coordinator);
  }

  async withService(
    service: Service,
    body: (running: RunningService) => Promise<void>,
  ): Promise<void> {
    const running = await this.start(service);
    try {
      await body(running);
    } finally {
      await running.close();
    }
  }
}

/** A running service, and how to call its operations. */
export class RunningService {
  constructor(
    private readonly app: INestApplication,
    private readonly coordinator: ScriptedCoordinator,
  ) {}

  /** The answer to one call; what was prepared is aborted. */
  async ask(operation: string, input: unknown) {
    const { coordinator } = this;
    const transaction = coordinator.begin();
    const answer = await coordinator.prepare(NAME, transaction, [{ name: operation, input }]);
    if (answer.vote.kind === 'prepared') await coordinator.finish(NAME, transaction, 'abort');
    return answer;
  }

  /** That each of these kinds refuses what it should, and lets the rest through. */
  async expectApplied(operation: string, kinds: readonly Kind[] = KINDS): Promise<void> {
    for (const kind of kinds) {
      const { vote } = await this.ask(operation, { refuse: kind });
      expect([kind, vote]).toEqual([
        kind,
        expect.objectContaining({ kind: 'no', code: CODE_OF[kind] }),
      ]);
    }
    const { vote, outputs } = await this.ask(operation, { refuse: 'nothing' });
    const mark = kinds.includes('interceptor') ? { intercepted: true } : {};
    expect({ vote, outputs }).toEqual({
      vote: { kind: 'prepared' },
      outputs: [{ wrote: 'nothing', ...mark }],
    });
  }

  async close(): Promise<void> {
    await this.app.close();
  }
}
