/** An order that was placed: it is here only if its goods are reserved and its money is taken. */
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'order' })
export class Order {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  customer!: string;

  @Column('text')
  sku!: string;

  @Column('integer')
  quantity!: number;

  /** In minor units. */
  @Column('integer')
  total!: number;
}
