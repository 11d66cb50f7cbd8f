/** Transactions over REST: begun, committed, rolled back and looked at, at any coordinator. */
import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { Joining } from '../forwarding/joining.js';
import { WaitsSeen } from '../waits/waits-seen.js';
import { AnyCoordinator } from './any-coordinator.js';
import { CarryOut } from './carry-out.js';
import { InspectionController } from './inspection.controller.js';
import { KeyedWork } from './keyed-work.js';
import { OwnTransactions } from './own-transactions.js';
import { TimelineStream } from './timeline-stream.js';
import { TransactionCommands } from './transaction-commands.js';
import { TransactionLookup } from './transaction-lookup.js';
import { TransactionRecords } from './transaction-records.js';
import { TransactionsController } from './transactions.controller.js';

@Module({
  imports: [AccessModule],
  controllers: [TransactionsController, InspectionController],
  providers: [
    TransactionRecords,
    TransactionLookup,
    OwnTransactions,
    KeyedWork,
    TransactionCommands,
    AnyCoordinator,
    Joining,
    CarryOut,
    TimelineStream,
    WaitsSeen,
  ],
  exports: [
    TransactionRecords,
    TransactionLookup,
    AnyCoordinator,
    CarryOut,
    TimelineStream,
    WaitsSeen,
  ],
})
export class TransactionsModule {}
