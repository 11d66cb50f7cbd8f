/** Starts the service. */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { readConfig } from './config.js';

const config = readConfig();
const app = await NestFactory.create(AppModule.configured(config));
// Branches at work vote before the process ends.
app.enableShutdownHooks();
await app.listen(config.PORT, '127.0.0.1');
