/** Starts the inventory. What keeps it from starting is printed with its remedy, and ends the process. */
import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { readInventoryConfig } from './inventory.config.js';
import { InventoryModule } from './inventory.module.js';

async function main(): Promise<void> {
  const config = readInventoryConfig();
  const app = await NestFactory.create(InventoryModule.configured(config), { abortOnError: false });
  app.enableShutdownHooks();
  await app.listen(config.PORT, config.HOST);
  new Logger('Inventory').log(`${config.PARTICIPANT_NAME} listens on ${await app.getUrl()}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
