/** Starts the ledger. What keeps it from starting is printed with its remedy, and ends the process. */
import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { readLedgerConfig } from './ledger.config.js';
import { LedgerModule } from './ledger.module.js';

async function main(): Promise<void> {
  const config = readLedgerConfig();
  const app = await NestFactory.create(LedgerModule.configured(config), { abortOnError: false });
  app.enableShutdownHooks();
  await app.listen(config.PORT, config.HOST);
  new Logger('Ledger').log(`${config.PARTICIPANT_NAME} listens on ${await app.getUrl()}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
