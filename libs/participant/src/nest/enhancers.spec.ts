/**
 * Nest's enhancers on operations, registered in each of their ways and scopes, against a participant
 * on a real Postgres and a real broker. Holds one rule: each is applied, which its effect on the vote
 * shows, or the service does not start and says why.
 */
import {
  Controller,
  Injectable,
  Scope,
  SetMetadata,
  StandardSchemaValidationPipe,
  UseGuards,
  UsePipes,
  ValidationPipe,
  createParamDecorator,
  type CanActivate,
  type ExecutionContext,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, APP_PIPE, Reflector } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { embeddedStack, type TestStack } from '@concordat/testing';
import { IsInt, IsString } from 'class-validator';
import { z } from 'zod';
import {
  BranchContext,
  JoinTransaction,
  Operation,
  Participant,
  currentBranch,
  type Branch,
} from '../index.js';
import { EnhancedStage, type RunningService, type Service } from './enhanced-stage.spec-support.js';
import {
  KINDS,
  Rules,
  RulesOfCall,
  WHERE,
  enhancersOf,
  instances,
  operationWith,
  operationWithParameterPipe,
  type Call,
} from './enhancers.spec-support.js';

/** What class-validator checks. */
class Payment {
  @IsString()
  name!: string;

  @IsInt()
  amount!: number;
}

/** A schema and a type of one name, as many services write them: SWC notes the schema as a type. */
const Noted = z.strictObject({ name: z.string() });
type Noted = z.infer<typeof Noted>;

const StrictPayment = z.object({ name: z.string(), amount: z.int() });

/** Operations that take what pipes may check. */
@Participant()
class Payments {
  @Operation('pay')
  pay(payment: Payment): object {
    return { isInstance: payment instanceof Payment, ...payment };
  }

  @Operation('pay-by-schema')
  payBySchema(@Payload({ schema: StrictPayment }) payment: unknown): object {
    return payment as object;
  }

  @Operation('note', Noted)
  note({ name }: Noted): object {
    return { noted: name };
  }
}

let stack: TestStack;
let stage: EnhancedStage;

beforeAll(async () => {
  stack = await embeddedStack();
  stage = await EnhancedStage.open(stack.nats.url, stack.databases.inventory);
}, 90_000);

afterAll(async () => {
  await stage.close();
  await stack.dispose();
});

describe('Application-wide guards, pipes and interceptors apply to operations', () => {
  const own = enhancersOf(Scope.DEFAULT);
  const byValue = instances();
  const TOKENS = { guard: APP_GUARD, pipe: APP_PIPE, interceptor: APP_INTERCEPTOR };
  const asProviders = (providerOf: (kind: (typeof KINDS)[number]) => object): Provider[] =>
    KINDS.map((kind) => ({ provide: TOKENS[kind], ...providerOf(kind) }) as Provider);
  const useClass = (scope: Scope, rules?: Type<Rules | RulesOfCall>): Service => {
    const scoped = enhancersOf(scope, rules);
    return { providers: asProviders((kind) => ({ useClass: scoped[kind] })) };
  };

  const ways: Readonly<Record<string, Service>> = {
    'provided as a class': useClass(Scope.DEFAULT),
    'provided as a transient class': useClass(Scope.TRANSIENT),
    'provided as a request-scoped class': useClass(Scope.REQUEST),
    'provided as a request-scoped class that needs the request': useClass(
      Scope.REQUEST,
      RulesOfCall,
    ),
    'provided as a transient class that needs the request': useClass(Scope.TRANSIENT, RulesOfCall),
    'provided as a value': { providers: asProviders((kind) => ({ useValue: byValue[kind] })) },
    'provided by a factory': {
      providers: asProviders((kind) => ({
        inject: [Rules],
        useFactory: (rules: Rules) => new own[kind](rules),
      })),
    },
    'provided as an alias': {
      providers: [...Object.values(own), ...asProviders((kind) => ({ useExisting: own[kind] }))],
    },
    'given to app.useGlobalGuards, useGlobalPipes and useGlobalInterceptors': {
      use: (app) => {
        app.useGlobalGuards(byValue.guard);
        app.useGlobalPipes(byValue.pipe);
        app.useGlobalInterceptors(byValue.interceptor);
      },
    },
  };

  it.each(Object.entries(ways))('%s', async (_way, { providers = [], use }) => {
    const service = { providers: [operationWith('run'), ...providers], use };
    await stage.withService(service, (running) => running.expectApplied('run'));
  });

  it('or Nest refuses the start: a singleton that needs what is request-scoped', async () => {
    const { guard } = enhancersOf(Scope.DEFAULT, RulesOfCall);
    const providers = [operationWith('run'), { provide: APP_GUARD, useClass: guard }];
    await expect(stage.start({ providers })).rejects.toThrow(/APP_GUARD.*RefusingGuard/s);
  });
});

describe('Guards, pipes and interceptors of a class or a method apply to its operations', () => {
  const bound: Readonly<Record<string, Parameters<typeof operationWith>[2]>> = {
    'as instances': instances(),
    'as classes': enhancersOf(Scope.DEFAULT),
    'as transient classes': enhancersOf(Scope.TRANSIENT),
    'as request-scoped classes': enhancersOf(Scope.REQUEST),
    'as classes that need the request': enhancersOf(Scope.DEFAULT, RulesOfCall),
    'as transient classes that need the request': enhancersOf(Scope.TRANSIENT, RulesOfCall),
    'as request-scoped classes that need the request': enhancersOf(Scope.REQUEST, RulesOfCall),
  };
  const rows = WHERE.flatMap((where) =>
    Object.keys(bound).map((how) => ({ where, how, operation: slug(`${where} ${how}`) })),
  );
  const parameterRows = Object.keys(bound).map((how) => ({ how, operation: slug(`param ${how}`) }));
  let running: RunningService;

  beforeAll(async () => {
    const types = rows.map(({ where, how, operation }) =>
      operationWith(operation, where, bound[how]),
    );
    const parameters = parameterRows.map(({ how, operation }) =>
      operationWithParameterPipe(operation, (bound[how] as ReturnType<typeof instances>).pipe),
    );
    const underToken = operationWith('under-token', 'the method', enhancersOf(Scope.DEFAULT));
    const controller = operationWith('controlled', 'the class', enhancersOf(Scope.TRANSIENT));
    Controller()(controller);
    running = await stage.start({
      providers: [...types, ...parameters, { provide: 'a token', useClass: underToken }],
      controllers: [controller],
    });
  });

  afterAll(() => running.close());

  it.each(rows)('bound to $where $how', ({ operation }) => running.expectApplied(operation));

  it.each(parameterRows)('and a pipe bound to its parameter $how', ({ operation }) =>
    running.expectApplied(operation, ['pipe']),
  );

  it('also where the class is provided under another token', () =>
    running.expectApplied('under-token'));

  it('also where the class is a controller', () => running.expectApplied('controlled'));
});

describe('Validation of an operation’s input by Nest’s pipes', () => {
  const options = { transform: true, whitelist: true };
  const pipe = new ValidationPipe(options);
  const local = (decorate: (type: Type, descriptor: PropertyDescriptor) => void): Provider => {
    class Paying {
      pay(payment: Payment): object {
        return { isInstance: payment instanceof Payment, ...payment };
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(Paying.prototype, 'pay');
    Reflect.defineMetadata('design:paramtypes', [Payment], Paying.prototype, 'pay');
    decorate(Paying, descriptor as PropertyDescriptor);
    Operation('pay')(Paying.prototype, 'pay', descriptor as PropertyDescriptor);
    Participant()(Paying);
    return Paying;
  };

  const ways: Readonly<Record<string, Service>> = {
    'a ValidationPipe provided as APP_PIPE': {
      providers: [Payments, { provide: APP_PIPE, useValue: pipe }],
    },
    'a ValidationPipe given to app.useGlobalPipes': {
      providers: [Payments],
      use: (app) => app.useGlobalPipes(pipe),
    },
    'a ValidationPipe on the class': {
      providers: [local((type) => UsePipes(pipe)(type))],
    },
    'a ValidationPipe on the method': {
      providers: [
        local((type, descriptor) => UsePipes(pipe)(type.prototype as object, 'pay', descriptor)),
      ],
    },
    'a ValidationPipe on the parameter': {
      providers: [local((type) => Payload(pipe)(type.prototype as object, 'pay', 0))],
    },
  };

  it.each(Object.entries(ways))('%s: a no that names the fields', async (_way, registered) => {
    await stage.withService(registered, async (running) => {
      const { vote } = await running.ask('pay', { name: 1, amount: 'much' });
      expect(vote).toEqual({
        kind: 'no',
        code: 'INVALID_INPUT',
        reason: 'name must be a string; amount must be an integer number',
        retryable: false,
        details: {
          issues: [
            { message: 'name must be a string' },
            { message: 'amount must be an integer number' },
          ],
        },
      });
      const { outputs } = await running.ask('pay', { name: 'Ada', amount: 2, admin: true });
      expect(outputs).toEqual([{ isInstance: true, name: 'Ada', amount: 2 }]);
    });
  });

  it('a schema that has the name of its type is no class to validate', async () => {
    const providers = [Payments, { provide: APP_PIPE, useValue: new ValidationPipe(options) }];
    await stage.withService({ providers }, async (running) => {
      const { vote, outputs } = await running.ask('note', { name: 'Ada' });
      expect({ vote, outputs }).toEqual({
        vote: { kind: 'read-only' },
        outputs: [{ noted: 'Ada' }],
      });
    });
  });

  it('a StandardSchemaValidationPipe checks the schema of @Payload', async () => {
    const providers = [Payments, { provide: APP_PIPE, useClass: StandardSchemaValidationPipe }];
    await stage.withService({ providers }, async (running) => {
      const { vote } = await running.ask('pay-by-schema', { name: 'Ada', amount: 'much' });
      expect(vote).toMatchObject({
        code: 'INVALID_INPUT',
        reason: expect.stringMatching(/^amount: /),
      });
      const { outputs } = await running.ask('pay-by-schema', { name: 'Ada', amount: 1 });
      expect(outputs).toEqual([{ name: 'Ada', amount: 1 }]);
    });
  });
});

describe('An operation', () => {
  it('shows guards its own class and method, and pipes never its branch', async () => {
    const Role = (role: string) => SetMetadata('role', role);
    @Injectable()
    class ByRole implements CanActivate {
      constructor(private readonly reflector: Reflector) {}

      canActivate(context: ExecutionContext): boolean {
        const roles = [context.getHandler(), context.getClass()].map((target) =>
          this.reflector.get<string>('role', target),
        );
        return context.getType() === 'rpc' && roles.join() === 'method,class';
      }
    }
    @Role('class')
    @Participant()
    @UseGuards(ByRole)
    class WithRoles {
      @Operation('with-roles')
      @Role('method')
      async run(call: Call, branch: Branch): Promise<object> {
        await branch.client.query('INSERT INTO enhanced (call) VALUES ($1)', [call.refuse]);
        return { participant: branch.participant };
      }
    }
    const providers = [
      WithRoles,
      // Copies everything it is given.
      { provide: APP_PIPE, useValue: { transform: (value: object) => ({ ...value }) } },
    ];
    await stage.withService({ providers }, async (running) => {
      const { vote, outputs } = await running.ask('with-roles', { refuse: 'nothing' });
      expect(vote).toEqual({ kind: 'prepared' });
      expect(outputs).toEqual([{ participant: expect.stringMatching(/^enhanced-/) }]);
    });
  });

  it('may take parts of its input, and what decorators of its own extract', async () => {
    const Caller = createParamDecorator((_data: unknown, context: ExecutionContext) =>
      context.switchToRpc().getContext<Branch>().participant.slice(0, 8),
    );
    @Participant()
    class Taking {
      @Operation('take')
      take(
        @Payload('name') name: string,
        @Caller() caller: string,
        @Payload() all: object,
      ): object {
        return { name, caller, all };
      }
    }
    await stage.withService({ providers: [Taking] }, async (running) => {
      const { outputs } = await running.ask('take', { name: 'Ada' });
      expect(outputs).toEqual([{ name: 'Ada', caller: 'enhanced', all: { name: 'Ada' } }]);
    });
  });

  it('has its branch already where calls of its class join one', async () => {
    @Participant()
    @Controller()
    @JoinTransaction({ required: true })
    class Joining {
      @Operation('joined')
      run(): object {
        return { transaction: currentBranch().transaction };
      }
    }
    await stage.withService({ controllers: [Joining] }, async (running) => {
      const { vote, outputs } = await running.ask('joined', {});
      expect(vote).toEqual({ kind: 'read-only' });
      expect(outputs).toEqual([{ transaction: expect.any(String) }]);
    });
  });

  it('may be inherited, with what its base class binds to it', async () => {
    const { guard } = enhancersOf(Scope.DEFAULT);
    abstract class Base {
      constructor(protected readonly branch: BranchContext) {}

      @Operation('inherited')
      @UseGuards(guard)
      async run(call: Call): Promise<object> {
        await this.branch.client.query('INSERT INTO enhanced (call) VALUES ($1)', [call.refuse]);
        return { wrote: call.refuse };
      }
    }
    @Participant()
    class Derived extends Base {
      constructor(branch: BranchContext) {
        super(branch);
      }
    }
    await stage.withService({ providers: [Derived] }, (running) =>
      running.expectApplied('inherited', ['guard']),
    );
  });

  it.each(['before', 'after'])(
    'may be in a request-scoped class, with @Injectable %s @Participant: one instance per call',
    async (order) => {
      class Counting {
        private calls = 0;

        constructor(private readonly branch: BranchContext) {}

        @Operation('count')
        count(): object {
          this.calls += 1;
          return { calls: this.calls, isInBranch: this.branch.active };
        }
      }
      Reflect.defineMetadata('design:paramtypes', [BranchContext], Counting);
      const decorators = [Injectable({ scope: Scope.REQUEST }), Participant()];
      for (const decorate of order === 'before' ? decorators : decorators.reverse()) {
        decorate(Counting);
      }
      await stage.withService({ providers: [Counting] }, async (running) => {
        for (let call = 0; call < 2; call += 1) {
          const { outputs } = await running.ask('count', {});
          expect(outputs).toEqual([{ calls: 1, isInBranch: true }]);
        }
      });
    },
  );
});

describe('The log of the start', () => {
  it('names classes that are created for each call, and what makes them so', async () => {
    const warnings: string[] = [];
    const { guard } = enhancersOf(Scope.REQUEST);
    const providers = [operationWith('run'), { provide: APP_GUARD, useClass: guard }];
    await stage.withService(
      { providers, warn: (said) => warnings.push(said) },
      async () => undefined,
    );
    expect(warnings).toContainEqual(
      expect.stringMatching(/^class Bare is instantiated for each call.*\(RefusingGuard\)/),
    );
  });

  it('names classes with operations that no module provides', async () => {
    const warnings: string[] = [];
    @Participant()
    class Forgotten {
      @Operation('forgotten')
      run(): void {}
    }
    const providers = [operationWith('run')];
    await stage.withService(
      { providers, warn: (said) => warnings.push(said) },
      async () => undefined,
    );
    expect(warnings).toContainEqual(expect.stringMatching(/^no module provides .*\bForgotten\b/));
    expect(Forgotten.name).toBe('Forgotten');
  });
});

function slug(words: string): string {
  return words.replaceAll(' ', '-');
}
