import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity()
export class Account {
  @PrimaryColumn('text')
  id!: string;

  @Column('int')
  balance!: number;
}
