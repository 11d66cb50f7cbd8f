import { BranchContext, Operation, Participant, VoteNo } from '@concordat/participant';
import { z } from 'zod';

const Movement = z.strictObject({ account: z.string().min(1), amount: z.int().min(1) });
type Movement = z.infer<typeof Movement>;

interface Balance {
  readonly balance: number;
}

/** What transactions may ask of this service. Everything of one transaction is in one branch. */
@Participant()
export class AccountsParticipant {
  constructor(private readonly branch: BranchContext) {}

  @Operation('credit', Movement)
  async credit({ account, amount }: Movement): Promise<Balance> {
    const { rows } = await this.branch.client.query<Balance>(
      `INSERT INTO account (id, balance) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET balance = account.balance + $2 RETURNING balance`,
      [account, amount],
    );
    return rows[0]!;
  }

  @Operation('debit', Movement)
  async debit({ account, amount }: Movement): Promise<Balance> {
    const { rows } = await this.branch.client.query<Balance>(
      'SELECT balance FROM account WHERE id = $1 FOR UPDATE',
      [account],
    );
    const [row] = rows;
    if (!row) throw new VoteNo('UNKNOWN_ACCOUNT', { account });
    if (row.balance < amount) throw new VoteNo('INSUFFICIENT_FUNDS', { account });
    const balance = row.balance - amount;
    await this.branch.client.query('UPDATE account SET balance = $2 WHERE id = $1', [
      account,
      balance,
    ]);
    return { balance };
  }
}
