// Sessions that were ended before their time. Times are the caller's: the session's end is sealed in its cookie.

/** digest, end of the session and now, in Unix milliseconds. Takes away what has passed. */
export const END_SESSION = `
  WITH passed AS (DELETE FROM concordat.ended_session WHERE ends_at < to_timestamp($3::float8 / 1000))
  INSERT INTO concordat.ended_session (digest, ends_at)
  VALUES ($1, to_timestamp($2::float8 / 1000))
  ON CONFLICT (digest) DO NOTHING`;

export const ENDED_SESSIONS = `SELECT digest FROM concordat.ended_session`;
