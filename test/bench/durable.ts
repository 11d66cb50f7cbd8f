/**
 * No figure is bought with durability: every server of the bench is asked, before anything is measured on it,
 * whether what a client gets as an answer survives the loss of power as far as Postgres can see to it.
 */
import pg from 'pg';

const NEEDED = ['fsync', 'full_page_writes', 'synchronous_commit'] as const;

export type Durability = Readonly<Record<(typeof NEEDED)[number], string>>;

export class NotDurable extends Error {
  override readonly name = 'NotDurable';
}

/** Settings of one database or role only, which the server's own do not show. */
const SET_ELSEWHERE = `
SELECT coalesce(d.datname, 'every database') || ', ' || coalesce(r.rolname, 'every role') AS place, setting
  FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS setting
  LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
 WHERE split_part(setting, '=', 1) = ANY ($1)`;

/**
 * The server's settings, all of them `on`. `url`: its superuser's. Throws {@link NotDurable} where one is not,
 * for the server or for any of its databases or roles.
 */
export async function assertDurable(url: string): Promise<Durability> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string; setting: string }>(
      'SELECT name, setting FROM pg_settings WHERE name = ANY ($1)',
      [NEEDED],
    );
    const { rows: others } = await client.query<{ place: string; setting: string }>(SET_ELSEWHERE, [
      NEEDED,
    ]);
    const off = [
      ...rows.filter((one) => one.setting !== 'on').map((one) => `${one.name}=${one.setting}`),
      ...others
        .filter(({ setting }) => !/=on$/.test(setting))
        .map(({ place, setting }) => `${setting} (${place})`),
    ];
    if (off.length === 0 && rows.length === NEEDED.length) {
      return Object.fromEntries(rows.map((one) => [one.name, one.setting])) as Durability;
    }
    throw new NotDurable(`nothing is measured on a server with ${off.join(', ')}: set it to on`);
  } finally {
    await client.end();
  }
}
