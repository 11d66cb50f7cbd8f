/**
 * The REST side without atomicity: checks key and body, sends each branch's work over Nest's NATS transport
 * to its service, all at once, and answers when all have answered. Where one refuses, the others have committed.
 */
import 'reflect-metadata';
import {
  Body,
  Controller,
  HttpCode,
  HttpException,
  Inject,
  Module,
  Post,
  Query,
  StandardSchemaValidationPipe,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { APP_PIPE, NestFactory } from '@nestjs/core';
import { ClientsModule, Transport, type ClientProxy } from '@nestjs/microservices';
import { createHash, timingSafeEqual } from 'node:crypto';
import { firstValueFrom, timeout } from 'rxjs';
import { z } from 'zod';
import { given, type BranchAnswer, type BranchWork } from './product.js';
import { READY } from './ready.js';

const NATS = Symbol('nats');
const ANSWER_MS = 10_000;
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
const KEY = digest(`Bearer ${given('KEY')}`);

const WorkBody = z.strictObject({
  branches: z
    .array(
      z.strictObject({
        participant: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
        operations: z
          .array(z.strictObject({ name: z.string().max(64), input: z.unknown() }))
          .min(1)
          .max(100),
      }),
    )
    .min(1)
    .max(32),
});
const CommitBy = z.enum(['transaction', 'statement']).default('transaction');

class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: { authorization?: string } }>();
    return timingSafeEqual(digest(request.headers.authorization ?? ''), KEY);
  }
}

@Controller('v1')
@UseGuards(KeyGuard)
class WorkController {
  constructor(@Inject(NATS) private readonly services: ClientProxy) {}

  @Post('work')
  @HttpCode(200)
  async work(
    @Body({ schema: WorkBody }) { branches }: z.infer<typeof WorkBody>,
    @Query('commitBy', { schema: CommitBy }) commitBy: z.infer<typeof CommitBy>,
  ) {
    const answers = await Promise.all(
      branches.map(({ participant, operations }) =>
        this.send(participant, { commitBy, operations }),
      ),
    );
    const told = answers.map((answer, index) => ({
      participant: branches[index]?.participant,
      ...answer,
    }));
    if (answers.some((one) => 'refused' in one)) throw new HttpException({ branches: told }, 409);
    return { branches: told };
  }

  private send(participant: string, work: BranchWork): Promise<BranchAnswer> {
    return firstValueFrom(
      this.services
        .send<BranchAnswer, BranchWork>(`${participant}.work`, work)
        .pipe(timeout({ first: ANSWER_MS })),
    );
  }
}

@Module({
  imports: [
    ClientsModule.register([
      { name: NATS, transport: Transport.NATS, options: { servers: [given('NATS_URL')] } },
    ]),
  ],
  controllers: [WorkController],
  providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
})
class GatewayModule {}

const app = await NestFactory.create(GatewayModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
await app.listen(Number(given('PORT')), '127.0.0.1');
process.stdout.write(`gateway ${READY}\n`);
