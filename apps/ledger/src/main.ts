/** Starts the ledger. What keeps it from starting is printed with its remedy, and ends the process. */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { ParticipantHost } from '@concordat/participant';
import { readLedgerConfig } from './ledger.config.js';
import { LedgerModule } from './ledger.module.js';

async function main(): Promise<void> {
  const config = readLedgerConfig();
  const app = await NestFactory.create(LedgerModule.configured(config), { abortOnError: false });
  app.enableShutdownHooks();
  await app.listen(config.PORT, config.HOST);
  await app.get(ParticipantHost).participant?.ready();
  // One line for whoever started this process: it takes part in transactions from now on.
  const ready = { ready: true, participant: config.PARTICIPANT_NAME, url: await app.getUrl() };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
