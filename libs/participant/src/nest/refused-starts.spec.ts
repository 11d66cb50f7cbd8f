/**
 * What keeps a Nest service from starting as a participant, by name and with its remedy. Needs no
 * servers: all of this is looked at before anything is opened, and the addresses here lead nowhere.
 */
import {
  Catch,
  Controller,
  Headers,
  Inject,
  Injectable,
  Module,
  Param,
  Post,
  Query,
  Req,
  Scope,
  UseFilters,
  type ExceptionFilter,
  type INestApplication,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { Ctx } from '@nestjs/microservices';
import pg from 'pg';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import {
  BranchRunner,
  JoinTransaction,
  JoinTransactionInterceptor,
  Operation,
  Participant,
  ParticipantHost,
  ParticipantModule,
  branchRepositoryToken,
  participantToken,
} from '../index.js';
import { operationWith } from './enhancers.spec-support.js';

const EAST = 'shard-east';
const WEST = 'shard-west';

@Entity('shard_note')
class ShardNote {
  @PrimaryColumn('text')
  id!: string;

  @Column('text')
  shard!: string;
}

const NOWHERE = {
  natsUrl: 'nats://127.0.0.1:9',
  database: { pool: new pg.Pool({ host: '127.0.0.1', port: 9 }) },
  databaseWaitMs: 1,
};

const configured = (name: string) =>
  ParticipantModule.forRoot({
    ...NOWHERE,
    name,
    operations: [{ name: 'rest', run: () => ({}) }],
  });

interface Parts {
  readonly imports: NonNullable<Parameters<typeof Module>[0]['imports']>;
  readonly providers?: Provider[];
  readonly controllers?: Type[];
}

async function start(parts: Parts): Promise<INestApplication> {
  @Module(parts)
  class Application {}
  const app = await NestFactory.create(Application, { logger: false, abortOnError: false });
  return app.init();
}

/** A provider that injects the value of a token. */
function injecting(token: Parameters<typeof Inject>[0]): Provider {
  @Injectable()
  class Injecting {
    constructor(@Inject(token) readonly injected: unknown) {}
  }
  return Injecting;
}

describe('What cannot apply to an operation keeps the service from starting', () => {
  @Catch()
  class AnswersAll implements ExceptionFilter {
    catch(): unknown {
      return {};
    }
  }
  const parameter = (decorate: ParameterDecorator) => (): Provider => {
    class Decorated {
      run(): void {}
    }
    decorate(Decorated.prototype, 'run', 0);
    const descriptor = Object.getOwnPropertyDescriptor(Decorated.prototype, 'run');
    Operation('run')(Decorated.prototype, 'run', descriptor as PropertyDescriptor);
    Participant()(Decorated);
    return Decorated;
  };

  const cases: Readonly<Record<string, readonly [() => Provider | Provider[], RegExp]>> = {
    'an exception filter on its class': [
      () => {
        @Participant()
        @UseFilters(AnswersAll)
        class Filtered {
          @Operation('run')
          run(): void {}
        }
        return Filtered;
      },
      /class Filtered in Application has AnswersAll by @UseFilters on or above run, operation 'run'.*throw VoteNo/,
    ],
    'an exception filter on its method': [
      () => {
        @Participant()
        class Filtered {
          @Operation('run')
          @UseFilters(new AnswersAll())
          run(): void {}
        }
        return Filtered;
      },
      /class Filtered in Application has AnswersAll by @UseFilters on or above run/,
    ],
    '@Ctx() on a parameter': [
      parameter(Ctx()),
      /parameter 1 of Decorated\.run is decorated with @Headers\(\) or @Ctx\(\).*the second for the branch/,
    ],
    '@Headers() on a parameter': [
      parameter(Headers()),
      /Decorated\.run .*@Headers\(\) or @Ctx\(\)/,
    ],
    '@Req() on a parameter': [parameter(Req()), /Decorated\.run is decorated with @Req\(\)/],
    '@Query() on a parameter': [parameter(Query('a')), /Decorated\.run is decorated with @Query/],
    '@Param() on a parameter': [parameter(Param('a')), /Decorated\.run is decorated with @Param/],
    'a class that is not marked': [
      () => {
        class Unmarked {
          @Operation('run')
          run(): void {}
        }
        return Unmarked;
      },
      /Unmarked\.run is marked @Operation\('run'\), but class Unmarked is not marked @Participant/,
    ],
    'a transient class': [
      () => {
        @Participant()
        @Injectable({ scope: Scope.TRANSIENT })
        class Transient {
          @Operation('run')
          run(): void {}
        }
        return Transient;
      },
      /class Transient in Application is transient.*leave the scope out/,
    ],
    'a class that a factory makes': [
      () => ({ provide: 'made', useFactory: () => new (operationWith('run'))() as object }),
      /class Bare in Application is provided by a factory or as a value.*useClass/,
    ],
    'a class that is provided as a value': [
      () => {
        const type = operationWith('run');
        return { provide: type, useValue: new type() as object };
      },
      /class Bare in Application is provided by a factory or as a value/,
    ],
    'a static method': [
      () => {
        class Static {
          @Operation('run')
          static run(): void {}
        }
        return Static;
      },
      /@Operation\('run'\) on Static\.run: a static method has no instance/,
    ],
    'an accessor': [
      () => {
        class Accessor {
          get run(): () => void {
            return () => undefined;
          }
        }
        const descriptor = Object.getOwnPropertyDescriptor(Accessor.prototype, 'run');
        Operation('run')(Accessor.prototype, 'run', descriptor as PropertyDescriptor);
        return Accessor;
      },
      /@Operation\('run'\) on Accessor\.run: only methods are operations/,
    ],
    'a method named by a symbol': [
      () => {
        class Symbolic {
          @Operation('run')
          [Symbol.for('run')](): void {}
        }
        return Symbolic;
      },
      /@Operation\('run'\) on Symbolic\.Symbol\(run\): .*give it a name that is a string/,
    ],
    'a method that is two operations': [
      () => {
        class Both {
          @Operation('run')
          @Operation('walk')
          run(): void {}
        }
        return Both;
      },
      /@Operation\('run'\) on Both\.run: the method is operation 'walk' already/,
    ],
    'a decorator that replaces the method': [
      () => {
        const Logged = (_target: object, _key: string, descriptor: PropertyDescriptor) => {
          const original = descriptor.value as (...args: unknown[]) => unknown;
          descriptor.value = function (this: unknown, ...args: unknown[]) {
            return original.apply(this, args);
          };
        };
        @Participant()
        class Replaced {
          @Logged
          @Operation('run')
          run(): void {}
        }
        return Replaced;
      },
      /a decorator above @Operation\('run'\) replaces Replaced\.run.*put that decorator below/,
    ],
    'an operation that is overridden by a plain method': [
      () => {
        class Base {
          @Operation('run')
          run(): void {}
        }
        @Participant()
        class Overriding extends Base {
          override run(): void {}
        }
        return Overriding;
      },
      /Overriding\.run overrides operation 'run' without being one: repeat @Operation\('run'\)/,
    ],
    'a name that two classes use': [
      () => [operationWith('run'), operationWith('run')],
      /operation run is defined twice in this participant, by Bare\.run in Application and by Bare\.run in Application/,
    ],
    'a schema that cannot parse': [
      () => {
        @Participant()
        class Unparsable {
          @Operation('run', { '~standard': {} } as never)
          run(): void {}
        }
        return Unparsable;
      },
      /operation run has an input schema that is none: give a standard schema/,
    ],
  };

  it.each(Object.entries(cases))('%s', async (_what, [make, message]) => {
    const starting = async () =>
      (await start({ imports: [configured(EAST)], providers: [make()].flat() })).close();
    await expect(starting()).rejects.toThrow(message);
  });
});

describe('A participant without a data source keeps the service from starting', () => {
  it.each([[], [WEST]])(
    'if a class injects a branch repository of it, by name',
    async (...more) => {
      const named = more.length > 0 ? EAST : undefined;
      const starting = async () =>
        start({
          imports: [EAST, ...more].map(configured),
          providers: [injecting(branchRepositoryToken(ShardNote, named))],
        });
      await expect(starting()).rejects.toThrow(
        /class Injecting in Application injects a branch repository of ShardNote: participant shard-east has no TypeORM data source/,
      );
    },
  );
});

describe('An application with several participants does not start', () => {
  const two = () => [configured(EAST), configured(WEST)];
  const cases: Readonly<Record<string, readonly [() => Parts, RegExp]>> = {
    'if two have one name': [
      () => ({ imports: [configured(EAST), configured(EAST)] }),
      /two ParticipantModules of this application configure participant 'shard-east'/,
    ],
    'if the name of one is only known to its factory': [
      () => ({
        imports: [
          configured(EAST),
          ParticipantModule.forRootAsync({
            useFactory: () => ({
              ...NOWHERE,
              name: WEST,
            }),
          }),
        ],
      }),
      /ParticipantModule\.forRootAsync\(\{ name: 'shard-west', … \}\)/,
    ],
    'if a factory gives another name than its module': [
      () => ({
        imports: [
          ParticipantModule.forRootAsync({
            name: EAST,
            useFactory: () => ({
              ...NOWHERE,
              name: WEST,
            }),
          }),
        ],
      }),
      /has the name 'shard-east', but its options give 'shard-west'/,
    ],
    'if a class with operations does not say whose they are': [
      () => {
        @Participant()
        class Unnamed {
          @Operation('run')
          run(): void {}
        }
        return { imports: two(), providers: [Unnamed] };
      },
      /class Unnamed is marked @Participant\(\) without a name.*\('shard-east', 'shard-west'\)/,
    ],
    'if a class is of a participant that no module configures': [
      () => {
        @Participant('shard-north')
        class Northern {
          @Operation('run')
          run(): void {}
        }
        return { imports: two(), providers: [Northern] };
      },
      /class Northern is marked @Participant\('shard-north'\), but the modules are configured for 'shard-east', 'shard-west'/,
    ],
    'if a class injects the host without a name': [
      () => ({ imports: two(), providers: [injecting(ParticipantHost)] }),
      /class Injecting in Application injects ParticipantHost: .*use @InjectParticipantHost\('shard-east'\)/,
    ],
    'if a class injects the runner without a name': [
      () => ({ imports: two(), providers: [injecting(BranchRunner)] }),
      /class Injecting in Application injects BranchRunner: .*use @InjectBranchRunner\('shard-east'\)/,
    ],
    'if a class injects a branch repository without a name': [
      () => ({
        imports: two(),
        providers: [injecting(branchRepositoryToken(ShardNote))],
      }),
      /injects a branch repository of ShardNote: .*use @InjectBranchRepository\(ShardNote, 'shard-east'\)/,
    ],
    'if an alias replaces the interceptor without a name': [
      () => ({
        imports: two(),
        providers: [{ provide: APP_INTERCEPTOR, useExisting: JoinTransactionInterceptor }],
      }),
      /JoinTransactionInterceptor without a name is none of them: use participantToken\(JoinTransactionInterceptor, 'shard-east'\)/,
    ],
    'if an application-wide interceptor does not say whose branch a call joins': [
      () => ({
        imports: two(),
        providers: [{ provide: APP_INTERCEPTOR, useClass: JoinTransactionInterceptor }],
      }),
      /the application-wide JoinTransactionInterceptor does not say whose branch a call joins/,
    ],
    'if a handler does not say whose branch a call joins': [
      () => {
        @Controller()
        class Joining {
          @Post()
          @JoinTransaction()
          run(): void {}
        }
        return { imports: two(), controllers: [Joining] };
      },
      /@JoinTransaction on Joining\.run does not say whose branch a call joins/,
    ],
    'if a handler joins as a participant that no module configures': [
      () => {
        @Controller()
        @JoinTransaction({ participant: 'shard-north' })
        class Joining {
          @Post()
          run(): void {}
        }
        return { imports: two(), controllers: [Joining] };
      },
      /@JoinTransaction on Joining\.run joins as participant 'shard-north', which no ParticipantModule/,
    ],
    'if a class injects the host of a participant that no module configures': [
      () => ({
        imports: two(),
        providers: [injecting(participantToken(ParticipantHost, 'shard-north'))],
      }),
      /ParticipantHost of participant shard-north, which ParticipantModule\.forRoot\(\{ name: 'shard-north'/,
    ],
  };

  it.each(Object.entries(cases))('%s', async (_what, [make, message]) => {
    const starting = async () => (await start(make())).close();
    await expect(starting()).rejects.toThrow(message);
  });
});
