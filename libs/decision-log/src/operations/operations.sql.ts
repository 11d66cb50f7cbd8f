/**
 * Statements of bulk operations. Guards "one runner": an operation is begun by a compare-and-set on its
 * state and runner, and an item's result is written only while it waits.
 */

const MS = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;

const OPERATION_COLUMNS = `
  o.operation, o.action, o.state, o.principal, o.reason, o.ticket, o.runner,
  ${MS('o.created_at')} AS created_at_ms, ${MS('o.started_at')} AS started_at_ms,
  ${MS('o.ended_at')} AS ended_at_ms, o.total, o.done, o.skipped, o.failed`;

export const ADD_OPERATION = `
  WITH added AS (
    INSERT INTO concordat.operation (operation, action, state, principal, reason, ticket, total,
                                     skipped)
    VALUES ($1, $2, 'planned', $3, $4, $5, $6, $7)
  )
  INSERT INTO concordat.operation_item (operation, ordinal, transaction, seen, result, detail)
  SELECT $1, i.ordinal, i.transaction, i.seen, i.result, i.detail
    FROM unnest($8::int[], $9::text[], $10::text[], $11::text[], $12::text[])
         AS i(ordinal, transaction, seen, result, detail)`;

export const READ_OPERATION = `
  SELECT ${OPERATION_COLUMNS} FROM concordat.operation o WHERE o.operation = $1`;

export const LATEST_OPERATIONS = `
  SELECT ${OPERATION_COLUMNS} FROM concordat.operation o ORDER BY o.operation DESC LIMIT $1`;

export const OPERATION_ITEMS = `
  SELECT i.ordinal, i.transaction, i.seen, i.result, i.detail, ${MS('i.at')} AS at_ms
    FROM concordat.operation_item i
   WHERE i.operation = $1 AND i.ordinal > $2 ORDER BY i.ordinal LIMIT $3`;

export const WAITING_ITEMS = `
  SELECT i.ordinal, i.transaction, i.seen, i.result, i.detail, ${MS('i.at')} AS at_ms
    FROM concordat.operation_item i
   WHERE i.operation = $1 AND i.ordinal > $2 AND i.result = 'waiting'
   ORDER BY i.ordinal LIMIT $3`;

/** Only from the state, and from the runner, that the caller has seen. */
export const START_OPERATION = `
  UPDATE concordat.operation o
     SET state = 'running', runner = $2, started_at = COALESCE(started_at, now())
   WHERE o.operation = $1 AND (o.state = 'planned' OR o.state = 'running' AND o.runner = $3)
  RETURNING ${OPERATION_COLUMNS}`;

export const CANCEL_OPERATION = `
  UPDATE concordat.operation o SET state = 'cancelled', ended_at = now()
   WHERE o.operation = $1 AND o.state IN ('planned', 'running')
  RETURNING ${OPERATION_COLUMNS}`;

/** Results of items and the counts of their operation, together. */
export const WRITE_RESULTS = `
  WITH written AS (
    UPDATE concordat.operation_item i SET result = r.result, detail = r.detail, at = now()
      FROM unnest($2::int[], $3::text[], $4::text[]) AS r(ordinal, result, detail)
     WHERE i.operation = $1 AND i.ordinal = r.ordinal AND i.result = 'waiting'
    RETURNING i.result
  )
  UPDATE concordat.operation o
     SET done = done + (SELECT count(*) FROM written WHERE result = 'done'),
         skipped = skipped + (SELECT count(*) FROM written WHERE result = 'skipped'),
         failed = failed + (SELECT count(*) FROM written WHERE result = 'failed')
   WHERE o.operation = $1
  RETURNING ${OPERATION_COLUMNS}`;

export const END_OPERATION = `
  UPDATE concordat.operation o SET state = 'done', ended_at = now()
   WHERE o.operation = $1 AND o.state = 'running' AND o.runner = $2
  RETURNING ${OPERATION_COLUMNS}`;
