/** One transfer over HTTP with `fetch`: for builds beside each other, where both pay for it alike. */
import { accountOf, type Stage } from './stage.js';

export type Transfer = (client: number) => Promise<void>;

export interface Turns {
  readonly rounds: number;
  readonly durationMs: number;
}

export function transferThrough(stage: Stage, until: 'decided' | 'completed'): Transfer {
  return async (client) => {
    const account = accountOf(client);
    const branch = (participant: string, name: string) => ({
      participant,
      operations: [{ name, input: { account, amount: 100 } }],
    });
    const response = await fetch(`${stage.url}/v1/transactions?until=${until}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        commit: true,
        branches: [branch('ledger-east', 'debit'), branch('ledger-west', 'credit')],
      }),
    });
    await response.text();
    if (response.status !== 200) throw new Error(`answered ${response.status}`);
  };
}
