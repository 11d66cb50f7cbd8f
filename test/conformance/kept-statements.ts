/** What becomes of an operation's statements where its service has its connections keep them by name. */
import type { PostgresResource } from '@concordat/participant';
import type pg from 'pg';
import { beginOn, freshBranch } from './resource.js';

type WithHost = (
  work: (resource: PostgresResource) => Promise<void>,
  host: { readonly config: pg.PoolConfig; readonly keptStatements?: number },
) => Promise<void>;

/** `withHost`: runs work on a resource over a database of its own, with a table `work (mark)`. */
export function describeKeptStatements(withHost: WithHost): void {
  describe('Statements of operations that connections keep', () => {
    /** Names on the one connection of a pool. */
    const NAMES = `SELECT name FROM pg_prepared_statements WHERE name LIKE 'concordat\\_op\\_%'`;
    const namesOf = async (resource: PostgresResource): Promise<unknown[]> => {
      const { rows } = await resource.sessions.query({ text: NAMES, rowMode: 'array' });
      return rows.flat();
    };
    /** Runs a statement in a branch, and says how that ended. */
    const runs = async (resource: PostgresResource, text: string, ...values: unknown[]) => {
      const session = await beginOn(resource, freshBranch());
      try {
        return (await session.client.query(text, values)).rows[0] as unknown;
      } catch (error) {
        return resource.voteOf(error);
      } finally {
        await resource.rollback(session);
      }
    };
    const times = async (count: number, run: () => Promise<unknown>): Promise<unknown[]> => {
      const all: unknown[] = [];
      for (let one = 0; one < count; one++) all.push(await run());
      return all;
    };
    const one = { config: { max: 1 } };
    const INSERT = 'INSERT INTO public.work VALUES ($1) RETURNING *';

    it('are none where the host does not ask for it', () =>
      withHost(async (resource) => {
        await times(8, () => runs(resource, INSERT, 'kept'));
        expect(await namesOf(resource)).toEqual([]);
      }, one));

    it('are those that come again, as many as it asks for, and never one with a literal', () =>
      withHost(
        async (resource) => {
          const literal = `SELECT 'today'::date + $1::int`;
          for (const text of [literal, `SELECT $$a$$ || $1`, "SELECT E'x' || $1", INSERT]) {
            await times(8, () => runs(resource, text, '1'));
          }
          for (let n = 0; n < 8; n++) await runs(resource, `SELECT $1 AS n${n}`, 'once');
          expect(await namesOf(resource)).toHaveLength(1);
          for (const text of ['SELECT $1 AS one', 'SELECT $1 AS two', 'SELECT $1 AS three']) {
            await times(8, () => runs(resource, text, 'often'));
          }
          expect(await namesOf(resource)).toHaveLength(2);
          const branch = freshBranch();
          const session = await beginOn(resource, branch);
          await session.client.query(INSERT, ['kept']);
          expect(await resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
          expect(await resource.commit(branch)).toEqual({ kind: 'committed' });
        },
        { config: { max: 1 }, keptStatements: 2 },
      ));

    it('and that do not fit a changed table any more fail one branch, which may be tried again', () =>
      withHost(
        async (resource) => {
          await times(8, () => runs(resource, INSERT, 'kept'));
          await resource.sessions.query('ALTER TABLE public.work ADD COLUMN more text');
          expect(await runs(resource, INSERT, 'kept')).toMatchObject({
            code: 'RESOURCE_UNAVAILABLE',
            retryable: true,
          });
          const after = await times(8, () => runs(resource, INSERT, 'kept'));
          expect(after).toEqual(Array(8).fill({ mark: 'kept', more: null }));
        },
        { config: { max: 1 }, keptStatements: 10 },
      ));

    it('and that have failed are read again: their values may have had another type', () =>
      withHost(
        async (resource) => {
          const add = 'INSERT INTO public.counted (n) VALUES ($1) RETURNING n';
          await resource.sessions.query('CREATE TABLE public.counted (n int)');
          await times(8, () => runs(resource, add, 1));
          await resource.sessions.query('ALTER TABLE public.counted ALTER n TYPE numeric');
          expect(await runs(resource, add, 3e9)).toMatchObject({ kind: 'no' });
          expect(await runs(resource, add, 3e9)).toEqual({ n: '3000000000' });
        },
        { config: { max: 1 }, keptStatements: 10 },
      ));
  });
}
