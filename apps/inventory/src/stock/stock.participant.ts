/**
 * The inventory's operations, on plain pg: the branch context returns the client of the current
 * branch, and that is all there is to know. A refusal is a vote.
 */
import { BranchContext, Operation, Participant, VoteNo } from '@concordat/participant';
import { LevelInput, MoveInput } from './stock.inputs.js';
import { LEVEL, RELEASE, RESERVE, STOCK } from './stock.sql.js';

export interface Level {
  readonly available: number;
  readonly reserved: number;
}

@Participant()
export class StockParticipant {
  constructor(private readonly branch: BranchContext) {}

  /** New pieces arrive. */
  @Operation('stock', MoveInput)
  async stock({ sku, quantity }: MoveInput): Promise<Level> {
    const level = await this.change(STOCK, sku, quantity);
    return level ?? this.level({ sku });
  }

  @Operation('reserve', MoveInput)
  async reserve({ sku, quantity }: MoveInput): Promise<Level> {
    const level = await this.change(RESERVE, sku, quantity);
    if (level) return level;
    const { available } = await this.level({ sku });
    throw new VoteNo('OUT_OF_STOCK', { sku, available });
  }

  @Operation('release', MoveInput)
  async release({ sku, quantity }: MoveInput): Promise<Level> {
    const level = await this.change(RELEASE, sku, quantity);
    if (level) return level;
    const { reserved } = await this.level({ sku });
    throw new VoteNo('NOT_RESERVED', { sku, reserved });
  }

  /** Writes nothing: its branch votes read-only and has no second round. */
  @Operation('level', LevelInput)
  async level({ sku }: LevelInput): Promise<Level> {
    const { rows } = await this.branch.client.query<Level>(LEVEL, [sku]);
    if (!rows[0]) throw new VoteNo('UNKNOWN_SKU', { sku });
    return rows[0];
  }

  private async change(sql: string, sku: string, quantity: number): Promise<Level | undefined> {
    const { rows } = await this.branch.client.query<Level>(sql, [sku, quantity]);
    return rows[0];
  }
}
