import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'account' })
export class Account {
  @PrimaryColumn('text')
  id: string;

  @Column('integer')
  balance: number;
}
