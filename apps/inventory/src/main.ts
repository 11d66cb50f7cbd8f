/** Starts the inventory. What keeps it from starting is printed with its remedy, and ends the process. */
import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ParticipantHost, type ConnectionLost } from '@concordat/participant';
import { readInventoryConfig } from './inventory.config.js';
import { InventoryModule } from './inventory.module.js';

const CLOSE_GRACE_MS = 5_000;

async function main(): Promise<void> {
  const config = readInventoryConfig();
  const app = await NestFactory.create(InventoryModule.configured(config), { abortOnError: false });
  app.enableShutdownHooks();
  await app.listen(config.PORT, config.HOST);
  const host = app.get(ParticipantHost);
  void host.closed.then((lost) => lost && endFor(lost, app));
  await host.participant?.ready();
  // One line for whoever started this process: it takes part in transactions from now on.
  const ready = { ready: true, participant: config.PARTICIPANT_NAME, url: await app.getUrl() };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

/** Nothing reaches this process any more: whoever watches over it is to start it again. */
async function endFor(lost: ConnectionLost, app: INestApplication): Promise<never> {
  process.stderr.write(`${lost.message}\n`);
  // Requests under way get a moment; they must not keep a process that is of no use.
  setTimeout(() => process.exit(1), CLOSE_GRACE_MS);
  await app.close().catch(() => undefined);
  process.exit(1);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
