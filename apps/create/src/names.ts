/** The names that a new service has: one for transactions, one for its database. */

/** What transactions call a participant. */
export const SERVICE_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** The database of a service; `dev --database` takes the same. */
export function databaseOf(service: string): string {
  return service.replaceAll('-', '_');
}
