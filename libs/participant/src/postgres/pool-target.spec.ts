/** Which pools lead to one database, by what they would connect with; none of them connects. */
import pg from 'pg';
import { describeLogin, describeTarget, sameTarget } from './pool-target.js';

const pool = (options: pg.PoolConfig): pg.Pool => new pg.Pool(options);
const plain = {
  host: 'db.example',
  port: 5433,
  database: 'orders',
  user: 'shop',
  password: 's3cret',
};
const address = 'postgres://shop:s3cret@db.example:5433/orders';

describe('The target of a pool', () => {
  it('is the same however it is written', () => {
    expect(sameTarget(pool(plain), pool({ connectionString: address }))).toBe(true);
    expect(sameTarget(pool(plain), pool({ ...plain, host: 'DB.example', max: 3 }))).toBe(true);
    const [a, b] = ['localhost', '127.0.0.1'].map((host) => pool({ ...plain, host }));
    expect(a && b && sameTarget(a, b)).toBe(true);
  });

  it.each([
    ['host', { host: 'other.example' }],
    ['port', { port: 5432 }],
    ['database', { database: 'stock' }],
    ['user', { user: 'clerk' }],
  ])('is another one where the %s is', (_what, other) => {
    expect(sameTarget(pool({ connectionString: address }), pool({ ...plain, ...other }))).toBe(
      false,
    );
  });

  it('is named without its secrets', () => {
    expect(describeTarget(pool({ connectionString: address }))).toBe(
      'database "orders" at db.example:5433',
    );
    expect(describeLogin(pool(plain))).toBe('database "orders" at db.example:5433 as user "shop"');
  });
});
