/** What housekeeping did, as lines of the log. */
import type { HousekeepingListener } from '@concordat/engine';
import { Logger } from '@nestjs/common';

export function housekeepingLog(): HousekeepingListener {
  const logger = new Logger('Housekeeping');
  return {
    pruned: ({ decisions, history, below }) =>
      logger.log(`pruned ${decisions} decisions and ${history} history rows below ${below}`),
    struckOff: (incarnation) =>
      logger.log(`coordinator ${incarnation} is gone: removed from the list`),
    failed: (what, error) => {
      const why = error instanceof Error ? error.message : String(error);
      logger.warn(`${what} did not succeed and is tried again: ${why}`);
    },
  };
}
