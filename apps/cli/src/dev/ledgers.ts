/** The services of `concordat dev`: two ledgers and an inventory, and one transfer through the REST API. */
import type { ConcordatClient } from '@concordat/client';
import { describeTransfer, openAccount, transfer } from '../transfer.js';
import { mainOf, type DevApp } from './places.js';
import type { Progress } from './progress.js';
import { databaseOf, type Topology } from './topology.js';

const OPENING_BALANCE = 100_000;
const FIRST = {
  from: 'ledger-east',
  to: 'ledger-west',
  debit: 'alice',
  credit: 'bob',
  amount: 100,
} as const;

export const LEDGERS: Topology = {
  title: 'Concordat development stack',
  databases: ['ledger_east', 'ledger_west', 'inventory'],
  ports: ['ledgerEast', 'ledgerWest', 'inventory'],

  participants({ ports }, servers) {
    const participant = (name: string, app: DevApp, database: string, port: number) => ({
      name,
      main: mainOf(app),
      port,
      env: {
        PARTICIPANT_NAME: name,
        DATABASE_URL: databaseOf(servers, database),
        NATS_URL: servers.natsUrl,
        PORT: String(port),
      },
    });
    return [
      participant('ledger-east', 'ledger', 'ledger_east', ports.ledgerEast),
      participant('ledger-west', 'ledger', 'ledger_west', ports.ledgerWest),
      participant('inventory', 'inventory', 'inventory', ports.inventory),
    ];
  },

  first: (client, _config, progress) => firstTransfer(client, progress),
  hints: () => [],
};

async function firstTransfer(client: ConcordatClient, progress: Progress): Promise<void> {
  await progress.step(
    'Accounts',
    async () => {
      await openAccount(client, FIRST.from, FIRST.debit, OPENING_BALANCE);
      await openAccount(client, FIRST.to, FIRST.credit, OPENING_BALANCE);
    },
    () => `${FIRST.debit} at ${FIRST.from}, ${FIRST.credit} at ${FIRST.to}`,
  );
  const done = await progress.step(
    'One transfer through the REST API',
    () => transfer(client, FIRST),
    (one) => (one.decision === 'commit' ? 'committed' : one.status),
  );
  progress.say();
  for (const line of describeTransfer(FIRST, done)) progress.say(`  ${line}`);
}
