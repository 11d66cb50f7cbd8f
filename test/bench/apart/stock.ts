/** An inventory without atomicity: the example's statements over plain pg, see ledger.ts. */
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { BranchContext } from '@concordat/participant';
import pg from 'pg';
import { POOL } from '../compare/pool.js';
import { answering, given, runOperations, stockCode } from './product.js';
import type { BranchAnswer, BranchWork } from './product.js';
import { LOCAL_TIMEOUTS, serve } from './serve.js';

const code = await stockCode();
const SCHEMAS = {
  stock: code.MoveInput,
  reserve: code.MoveInput,
  release: code.MoveInput,
  level: code.LevelInput,
};

const pool = new pg.Pool({
  connectionString: given('DATABASE_URL'),
  application_name: given('PARTICIPANT_NAME'),
  max: POOL,
  idleTimeoutMillis: 0,
  keepAlive: true,
  options: LOCAL_TIMEOUTS,
});
await pool.query(code.CREATE_STOCK);

@Controller()
class StockController {
  @MessagePattern(`${given('PARTICIPANT_NAME')}.work`)
  work(@Payload() work: BranchWork): Promise<BranchAnswer> {
    return answering(work.commitBy === 'statement' ? run(work, pool) : inTransaction(work));
  }
}

/** The example asks its context for the client, and for nothing else. */
function run(work: BranchWork, client: pg.Pool | pg.PoolClient): Promise<unknown[]> {
  const context = { client } as unknown as BranchContext;
  return runOperations(work, SCHEMAS, new code.StockParticipant(context));
}

async function inTransaction(work: BranchWork): Promise<unknown[]> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const outputs = await run(work, client);
    await client.query('COMMIT');
    client.release();
    return outputs;
  } catch (error) {
    await client.query('ROLLBACK').then(
      () => client.release(),
      (lost: Error) => client.release(lost),
    );
    throw error;
  }
}

@Module({ controllers: [StockController] })
class StockModule {}

await serve(StockModule);
