/**
 * Guards, pipes and interceptors whose work shows in the vote, in every scope that Nest knows, and the
 * classes of operations that they are bound to. Each needs what Nest injects into it, so one that was
 * never constructed fails instead of passing for a working one.
 */
import {
  BadRequestException,
  ConflictException,
  Inject,
  Injectable,
  Scope,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentMetadata,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { map, type Observable } from 'rxjs';
import { BranchContext, Operation, Participant, type Branch } from '../index.js';

/** What an operation of this suite is called with: which kind is to refuse it. */
export interface Call {
  readonly refuse: string;
}

export const KINDS = ['guard', 'pipe', 'interceptor'] as const;
export type Kind = (typeof KINDS)[number];

/** How each kind says no. */
export const CODE_OF: Readonly<Record<Kind, string>> = {
  guard: 'FORBIDDEN',
  pipe: 'INVALID_INPUT',
  interceptor: 'CONFLICT',
};

export interface Enhancers {
  readonly guard: Type<CanActivate>;
  readonly pipe: Type<PipeTransform>;
  readonly interceptor: Type<NestInterceptor>;
}

/** A singleton that enhancers need. */
@Injectable()
export class Rules {
  refuses(kind: Kind, call: Call): boolean {
    return call.refuse === kind;
  }
}

/** The same, created for each call: it knows the call by itself, and that it is in a branch. */
@Injectable({ scope: Scope.REQUEST })
export class RulesOfCall {
  private readonly asked = new Set<string>();

  constructor(
    @Inject(REQUEST) private readonly request: { getData(): Call },
    @Inject(BranchContext) private readonly branch: BranchContext,
  ) {}

  refuses(kind: Kind, call: Call): boolean {
    // One that served an earlier call was asked before, and knows another call.
    const isOfThisCall = !this.asked.has(kind) && this.request.getData() === call;
    this.asked.add(kind);
    return isOfThisCall && this.branch.active && call.refuse === kind;
  }
}

export function enhancersOf(scope: Scope, rules: Type<Rules | RulesOfCall> = Rules): Enhancers {
  @Injectable({ scope })
  class RefusingGuard implements CanActivate {
    constructor(@Inject(rules) private readonly rules: Rules) {}

    canActivate(context: ExecutionContext): boolean {
      return !this.rules.refuses('guard', context.switchToRpc().getData<Call>());
    }
  }

  @Injectable({ scope })
  class RefusingPipe implements PipeTransform {
    constructor(@Inject(rules) private readonly rules: Rules) {}

    transform(call: Call, { type }: ArgumentMetadata): unknown {
      if (type !== 'body' || this.rules.refuses('pipe', call)) {
        throw new BadRequestException(['refuse must not be pipe', `it came as ${type}`]);
      }
      return call;
    }
  }

  @Injectable({ scope })
  class RefusingInterceptor implements NestInterceptor {
    constructor(@Inject(rules) private readonly rules: Rules) {}

    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      const isRefused = this.rules.refuses('interceptor', context.switchToRpc().getData<Call>());
      if (isRefused) throw new ConflictException('refused by an interceptor');
      return next.handle().pipe(map((outputs: object) => ({ ...outputs, intercepted: true })));
    }
  }

  return { guard: RefusingGuard, pipe: RefusingPipe, interceptor: RefusingInterceptor };
}

/** Instances that need nothing injected. */
export function instances(): {
  guard: CanActivate;
  pipe: PipeTransform;
  interceptor: NestInterceptor;
} {
  const { guard, pipe, interceptor } = enhancersOf(Scope.DEFAULT);
  const rules = new Rules();
  return { guard: new guard(rules), pipe: new pipe(rules), interceptor: new interceptor(rules) };
}

type Bound = ReturnType<typeof instances> | Enhancers;

export const WHERE = ['the class', 'the method'] as const;
export type Where = (typeof WHERE)[number];

/** A class with one method that writes, not yet an operation. */
function bareClass(): { type: Type; descriptor: PropertyDescriptor } {
  class Bare {
    async run(call: Call, branch: Branch): Promise<object> {
      await branch.client.query('INSERT INTO enhanced (call) VALUES ($1)', [call.refuse]);
      return { wrote: call.refuse };
    }
  }
  Reflect.defineMetadata('design:paramtypes', [Object, Object], Bare.prototype, 'run');
  const descriptor = Object.getOwnPropertyDescriptor(Bare.prototype, 'run') as PropertyDescriptor;
  return { type: Bare, descriptor };
}

/** A class with one operation, and the enhancers bound to it. */
export function operationWith(operation: string, where?: Where, bound?: Bound): Type {
  const { type, descriptor } = bareClass();
  Operation(operation)(type.prototype as object, 'run', descriptor);
  if (where && bound) {
    const { guard, pipe, interceptor } = bound;
    for (const decorate of [UseGuards(guard), UsePipes(pipe), UseInterceptors(interceptor)]) {
      if (where === 'the class') decorate(type);
      else decorate(type.prototype as object, 'run', descriptor);
    }
  }
  Participant()(type);
  return type;
}

/** A class with one operation, and a pipe on its parameter. */
export function operationWithParameterPipe(operation: string, pipe: Bound['pipe']): Type {
  const { type, descriptor } = bareClass();
  Payload(pipe)(type.prototype as object, 'run', 0);
  Operation(operation)(type.prototype as object, 'run', descriptor);
  Participant()(type);
  return type;
}
