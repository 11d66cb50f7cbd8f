/**
 * Tests that `npm run test:nightly` runs and `npm test` leaves out: long ones, whose promise a shorter one
 * in the same suite shows as well. Whole suites are left out by their name, `*.nightly.ts`. To run those
 * of one suite: `CONCORDAT_NIGHTLY=1 npm run jest -- <path>`.
 */
export const isNightly = process.env['CONCORDAT_NIGHTLY'] === '1';

const leftOut = Object.assign(() => undefined, { each: () => () => undefined });

/** `it`, in a nightly run; what is left out otherwise is not counted as skipped. */
export const itNightly: typeof it = isNightly ? it : (leftOut as unknown as typeof it);
