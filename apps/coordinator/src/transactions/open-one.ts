/** A transaction that stays open for more work, as what its begin has begun: its id is returned at once. */
import type { BegunRequest, TransactionManager } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';

/** Longer than any transaction takes to be decided. */
const FOR_EVER_MS = 2 ** 31 - 1;

export class OpenOne implements BegunRequest {
  constructor(
    private readonly manager: TransactionManager,
    readonly transaction: TransactionId,
  ) {}

  async ended(): Promise<void> {
    await this.manager.wait(this.transaction, 'decided', FOR_EVER_MS);
  }

  wait(): Promise<void> {
    return Promise.resolve();
  }

  conclude(): TransactionId {
    return this.transaction;
  }
}
