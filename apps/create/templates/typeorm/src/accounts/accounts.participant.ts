import { InjectBranchRepository, Operation, Participant, VoteNo } from '@concordat/participant';
import { Repository } from 'typeorm';
import { z } from 'zod';
import { Account } from './account.entity.js';

const Movement = z.strictObject({ account: z.string().min(1), amount: z.int().min(1) });
type Movement = z.infer<typeof Movement>;

/** What transactions may ask of this service. Everything of one transaction is in one branch. */
@Participant()
export class AccountsParticipant {
  constructor(@InjectBranchRepository(Account) private readonly accounts: Repository<Account>) {}

  @Operation('credit', Movement)
  async credit({ account, amount }: Movement): Promise<{ balance: number }> {
    const row = (await this.find(account)) ?? this.accounts.create({ id: account, balance: 0 });
    row.balance += amount;
    await this.accounts.save(row);
    return { balance: row.balance };
  }

  @Operation('debit', Movement)
  async debit({ account, amount }: Movement): Promise<{ balance: number }> {
    const row = await this.find(account);
    if (!row) throw new VoteNo('UNKNOWN_ACCOUNT', { account });
    if (row.balance < amount) throw new VoteNo('INSUFFICIENT_FUNDS', { account });
    row.balance -= amount;
    await this.accounts.save(row);
    return { balance: row.balance };
  }

  private find(id: string): Promise<Account | null> {
    return this.accounts.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
  }
}
