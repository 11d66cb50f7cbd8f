import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { config } from './config.js';

const app = await NestFactory.create(AppModule);
// Branches at work vote before the process ends.
app.enableShutdownHooks();
await app.listen(config.PORT);
