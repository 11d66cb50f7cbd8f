/** Provides Prisma, and disconnects it last: after branches have voted and HTTP has closed. */
import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { OUTSIDE, PRISMA, inBranches, openPrisma } from './database.js';
import type { PrismaClient } from './generated/client.js';

@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(
    @Inject(PRISMA) private readonly prisma: PrismaClient,
    @Inject(OUTSIDE) private readonly outside: PrismaClient,
  ) {}

  static at(url: string): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        { provide: OUTSIDE, useFactory: () => openPrisma(url) },
        { provide: PRISMA, inject: [OUTSIDE], useFactory: inBranches },
      ],
      exports: [PRISMA],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.prisma.$disconnect(), this.outside.$disconnect()]);
  }
}
