/**
 * The audit's statements. Guards one order of all entries: a writer holds the head's row from
 * reading it until its own entries and the new head are durable, together or not at all.
 */

const MS = (column: string): string => `round(extract(epoch FROM ${column}) * 1000)::float8`;

/** The head, held; and the time, in whole milliseconds, that the new entries carry. */
export const HOLD_HEAD = `
  SELECT sequence::float8 AS sequence, hash, ${MS('clock_timestamp()')} AS now_ms
    FROM concordat.audit_head FOR UPDATE`;

export const ADD_ENTRIES = `
  INSERT INTO concordat.audit (sequence, at, principal, role, origin, action, transaction, branch,
    gid, reason, ticket, phase, answers, before, after, previous, hash)
  SELECT e.sequence, to_timestamp(e.at_ms / 1000), e.principal, e.role, e.origin, e.action,
         e.transaction, e.branch, e.gid, e.reason, e.ticket, e.phase, e.answers, e.before::json,
         e.after::json, e.previous, e.hash
    FROM unnest($1::bigint[], $2::float8[], $3::text[], $4::text[], $5::text[], $6::text[],
                $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                $13::bigint[], $14::text[], $15::text[], $16::text[], $17::text[])
         AS e(sequence, at_ms, principal, role, origin, action, transaction, branch, gid, reason,
              ticket, phase, answers, before, after, previous, hash)`;

export const MOVE_HEAD = 'UPDATE concordat.audit_head SET sequence = $1, hash = $2';

export interface AuditRow {
  readonly sequence: number;
  readonly at_ms: number;
  readonly principal: string;
  readonly role: string;
  readonly origin: string | null;
  readonly action: string;
  readonly transaction: string | null;
  readonly branch: string | null;
  readonly gid: string | null;
  readonly reason: string | null;
  readonly ticket: string | null;
  readonly phase: 'asked' | 'done' | 'refused' | 'failed';
  readonly answers: number | null;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
  readonly previous: string;
  readonly hash: string;
  /** The hash of the entry before it, as it is there now. */
  readonly stands_before: string | null;
}

export interface AuditQuestion {
  readonly below: number;
  readonly limit: number;
  readonly transaction?: string;
  readonly by?: string;
}

/** Newest first, each with the hash that its predecessor has now. */
export function auditPage({ below, limit, transaction, by }: AuditQuestion): {
  readonly text: string;
  readonly values: unknown[];
} {
  const values: unknown[] = [below, limit];
  const where = ['a.sequence < $1'];
  if (transaction !== undefined) {
    values.push(transaction);
    where.push(`a.transaction = $${values.length}`);
  }
  if (by !== undefined) {
    values.push(by);
    where.push(`a.principal = $${values.length}`);
  }
  const text = `
    SELECT a.sequence::float8 AS sequence, ${MS('a.at')} AS at_ms, a.principal, a.role, a.origin,
           a.action, a.transaction, a.branch, a.gid, a.reason, a.ticket, a.phase,
           a.answers::float8 AS answers, a.before, a.after, a.previous, a.hash,
           p.hash AS stands_before
      FROM concordat.audit a LEFT JOIN concordat.audit p ON p.sequence = a.sequence - 1
     WHERE ${where.join(' AND ')}
     ORDER BY a.sequence DESC LIMIT $2`;
  return { text, values };
}

/** Whether the last entry is the one that the head names. */
export const HEAD_STANDS = `
  SELECT h.sequence::float8 AS sequence, h.hash,
         (SELECT a.sequence FROM concordat.audit a ORDER BY a.sequence DESC LIMIT 1)::float8 AS last,
         (SELECT a.hash FROM concordat.audit a ORDER BY a.sequence DESC LIMIT 1) AS last_hash
    FROM concordat.audit_head h`;
