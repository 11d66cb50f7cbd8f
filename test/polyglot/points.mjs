/**
 * What the participant beside this does for customers: it keeps their points. An operation gets the
 * connection on which its branch runs, never commits, and refuses with a VoteNo of its own code.
 */
export const POINTS =
  'CREATE TABLE IF NOT EXISTS points (customer text PRIMARY KEY, points bigint NOT NULL);';

export class VoteNo extends Error {
  constructor(code, reason, more = {}) {
    super(reason);
    this.vote = { kind: 'no', code, reason: reason.slice(0, 2_000), retryable: false, ...more };
  }
}

export const OPERATIONS = {
  async earn(db, { customer, points }) {
    const { rows } = await db.query(
      `INSERT INTO points (customer, points) VALUES ($1, $2)
       ON CONFLICT (customer) DO UPDATE SET points = points.points + EXCLUDED.points RETURNING points`,
      [customer, points],
    );
    return { points: Number(rows[0].points) };
  },
  async spend(db, { customer, points }) {
    const { rows } = await db.query(
      'UPDATE points SET points = points - $2 WHERE customer = $1 AND points >= $2 RETURNING points',
      [customer, points],
    );
    if (rows[0]) return { points: Number(rows[0].points) };
    const reason = `${customer} has fewer than ${points} points`;
    throw new VoteNo('NOT_ENOUGH_POINTS', reason, { details: { customer } });
  },
  async balance(db, { customer }) {
    const { rows } = await db.query('SELECT points FROM points WHERE customer = $1', [customer]);
    return { points: Number(rows[0]?.points ?? 0) };
  },
};

export function checkOperation({ name, input }) {
  if (!Object.hasOwn(OPERATIONS, name)) {
    throw new VoteNo('UNKNOWN_OPERATION', `there are ${Object.keys(OPERATIONS).join(', ')}`);
  }
  const { customer, points } = input ?? {};
  if (typeof customer !== 'string' || !/^[^\0]{1,200}$/s.test(customer)) {
    throw new VoteNo('INVALID_INPUT', 'customer must be a text of 1 to 200 characters');
  }
  if (name !== 'balance' && !(Number.isSafeInteger(points) && points > 0)) {
    throw new VoteNo('INVALID_INPUT', 'points must be a whole number above 0');
  }
}
