/**
 * The ledger's operations: all there is to write for taking part in distributed transactions. Each
 * runs inside its branch; a refusal is a vote. Prepare, finish, recovery, idempotence and admission
 * come with the library.
 */
import { InjectBranchRepository, Operation, Participant, VoteNo } from '@concordat/participant';
import type { Repository } from 'typeorm';
import { Account } from './account.entity.js';
import { AMOUNT_MAX, BalanceInput, MoveInput, OpenInput } from './account.inputs.js';

export interface Balance {
  readonly balance: number;
}

// No name here: the same class serves as ledger-east and as ledger-west.
@Participant()
export class AccountsParticipant {
  constructor(@InjectBranchRepository(Account) private readonly accounts: Repository<Account>) {}

  @Operation('open', OpenInput)
  async open({ account, amount }: OpenInput): Promise<Balance> {
    const insert = this.accounts.createQueryBuilder().insert();
    const { raw } = await insert
      .values({ id: account, balance: amount })
      .orIgnore()
      .returning('id')
      .execute();
    if ((raw as unknown[]).length === 0) throw new VoteNo('ACCOUNT_EXISTS', { account });
    return { balance: amount };
  }

  @Operation('debit', MoveInput)
  async debit({ account, amount }: MoveInput): Promise<Balance> {
    // Test and change in one statement: two debits at once cannot both see the old balance.
    const balance = await this.change('balance - :amount', 'balance >= :amount', account, amount);
    if (balance !== undefined) return { balance };
    await this.mustExist(account);
    throw new VoteNo('INSUFFICIENT_FUNDS', { account });
  }

  @Operation('credit', MoveInput)
  async credit({ account, amount }: MoveInput): Promise<Balance> {
    const room = `balance <= ${AMOUNT_MAX} - :amount`;
    const balance = await this.change('balance + :amount', room, account, amount);
    if (balance !== undefined) return { balance };
    await this.mustExist(account);
    throw new VoteNo('BALANCE_LIMIT', { account });
  }

  /** Writes nothing: its branch votes read-only and has no second round. */
  @Operation('balance', BalanceInput)
  async balance({ account }: BalanceInput): Promise<Balance> {
    return { balance: (await this.mustExist(account)).balance };
  }

  /** The new balance, or undefined if there is no such account or the condition does not hold. */
  private async change(
    expression: string,
    condition: string,
    account: string,
    amount: number,
  ): Promise<number | undefined> {
    const { raw } = await this.accounts
      .createQueryBuilder()
      .update()
      .set({ balance: () => expression })
      .where(`id = :account AND ${condition}`)
      .setParameters({ account, amount })
      .returning('balance')
      .execute();
    const [row] = raw as { balance: string }[];
    return row && Number(row.balance);
  }

  private async mustExist(account: string): Promise<Account> {
    const found = await this.accounts.findOneBy({ id: account });
    if (!found) throw new VoteNo('UNKNOWN_ACCOUNT', { account });
    return found;
  }
}
