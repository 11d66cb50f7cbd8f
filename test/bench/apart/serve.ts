/** Starts a service without atomicity; prints one line when requests can reach it. */
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { given } from './product.js';
import { READY } from './ready.js';

/** A session's, not a branch's: they cost nothing per request. */
export const LOCAL_TIMEOUTS = '-c lock_timeout=10s -c statement_timeout=10s';

export async function serve(module: Type): Promise<void> {
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
    transport: Transport.NATS,
    options: { servers: [given('NATS_URL')], queue: given('PARTICIPANT_NAME') },
    logger: ['error', 'warn'],
  });
  app.enableShutdownHooks();
  await app.listen();
  process.stdout.write(`${given('PARTICIPANT_NAME')} ${READY}\n`);
}
