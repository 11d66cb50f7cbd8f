/** An account: its balance is an integer in minor units (cents) and never negative. */
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Postgres bigint arrives as text; amounts here are safe integers, so a number is exact. */
const integer = { to: (value: number) => value, from: (value: string) => Number(value) };

@Entity('account')
export class Account {
  @PrimaryColumn('text')
  id!: string;

  @Column('bigint', { transformer: integer })
  balance!: number;
}
