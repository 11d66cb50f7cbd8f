/** The times of every story; README.md repeats them. */
import type { Times } from '../simulation/nodes.js';

export const STORY_TIMES: Times = {
  ofTransactions: {
    timeoutMsDefault: 2_000,
    finishTimeoutMs: 1_000,
    idleLeaseMs: 1_500,
    abortNotificationMs: 60_000,
    afterglowMs: 2_000,
  },
  ...{ inquiryMs: 2_000, pingMs: 1_000, waitsMs: 1_000, lookMs: 1_000, joinMs: 0 },
  ...{ recovererPeriodMs: 10_000, resolverPeriodMs: 10_000, resolverGraceMs: 5_000 },
};
