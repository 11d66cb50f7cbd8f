/** Starts the inventory. What keeps it from starting is printed with its remedy, and ends the process. */
import 'reflect-metadata';
import { ConsoleLogger, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ParticipantHost, describeStartFailure, type ConnectionLost } from '@concordat/participant';
import { ignoredText, outliveReaders } from '@concordat/words';
import { readInventoryConfig } from './inventory.config.js';
import { InventoryModule } from './inventory.module.js';

const CLOSE_GRACE_MS = 5_000;
const VARIABLES = { database: 'DATABASE_URL', broker: 'NATS_URL', own: 'HOST and PORT' };

async function main(): Promise<void> {
  const config = readInventoryConfig();
  const logger = new StartLogger({ timestamp: true });
  for (const one of config.ignored) logger.warn(ignoredText(one), 'Configuration');
  const app = await NestFactory.create(InventoryModule.configured(config), {
    abortOnError: false,
    logger,
  });
  app.enableShutdownHooks();
  await app.listen(config.PORT, config.HOST);
  const host = app.get(ParticipantHost);
  void host.closed.then((lost) => lost && endFor(lost, app));
  await host.participant?.ready();
  // One line for the process that started this one: it takes part in transactions from now on.
  const ready = { ready: true, participant: config.PARTICIPANT_NAME, url: await app.getUrl() };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

/** Without what Nest says of a failed start, with a stack: it is printed below, once. */
class StartLogger extends ConsoleLogger {
  override error(message: unknown, ...more: unknown[]): void {
    if (more.at(-1) !== 'ExceptionHandler') super.error(message, ...more);
  }
}

/** Nothing reaches this process any more: its supervisor has to start it again. */
async function endFor(lost: ConnectionLost, app: INestApplication): Promise<never> {
  process.stderr.write(`${lost.message}\n`);
  // Requests under way get a moment; they must not keep a process that is of no use.
  setTimeout(() => process.exit(1), CLOSE_GRACE_MS);
  await app.close().catch(() => undefined);
  process.exit(1);
}

outliveReaders([process.stdout, process.stderr]);
main().catch((error: unknown) => {
  process.stderr.write(`${describeStartFailure(error, ['ConfigurationRefused'], VARIABLES)}\n`);
  process.exit(1);
});
