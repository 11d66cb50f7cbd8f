/**
 * A ledger without atomicity: the accounts of the example ledger through TypeORM, over Nest's own NATS
 * transport. Each branch is committed by itself when it is done: no prepare, no decision, no outcome row.
 */
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { Inject } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { POOL } from '../compare/pool.js';
import { answering, given, ledgerCode, runOperations } from './product.js';
import type { BranchAnswer, BranchWork } from './product.js';
import { LOCAL_TIMEOUTS, serve } from './serve.js';

const code = await ledgerCode();
const SCHEMAS = {
  open: code.OpenInput,
  debit: code.MoveInput,
  credit: code.MoveInput,
  balance: code.BalanceInput,
};

@Controller()
class LedgerController {
  constructor(@Inject(getDataSourceToken()) private readonly dataSource: DataSource) {}

  @MessagePattern(`${given('PARTICIPANT_NAME')}.work`)
  work(@Payload() work: BranchWork): Promise<BranchAnswer> {
    const run = (manager: EntityManager) =>
      runOperations(
        work,
        SCHEMAS,
        new code.AccountsParticipant(manager.getRepository(code.Account)),
      );
    return answering(
      work.commitBy === 'statement'
        ? run(this.dataSource.manager)
        : this.dataSource.transaction(run),
    );
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: given('DATABASE_URL'),
      applicationName: given('PARTICIPANT_NAME'),
      poolSize: POOL,
      entities: [code.Account],
      migrations: [code.CreateAccount1760000000000, code.LimitBalance1764950000000],
      migrationsRun: true,
      extra: { idleTimeoutMillis: 0, options: LOCAL_TIMEOUTS },
    }),
  ],
  controllers: [LedgerController],
})
class LedgerModule {}

await serve(LedgerModule);
