/**
 * What four clients on rows of their own get while a crowd waits for one row at the same participants, and
 * what they get beside as many clients that wait for nothing.
 */
import pg from 'pg';
import type { Stage } from '../stage.js';
import { TIMEOUT_MS, transfers, type Outcome } from './crowd.js';
import { HOT, SHAPES, type Draw } from './shapes.js';

export const BESIDE = {
  '64 on disjoint rows': { clients: 64, draw: SHAPES.disjoint, isHeld: false },
  '64 on one hot row': { clients: 64, draw: SHAPES['one hot row'], isHeld: false },
  '40 on disjoint rows': { clients: 40, draw: SHAPES.disjoint, isHeld: false },
  '40 waiting for a held row': { clients: 40, draw: SHAPES['one hot row'], isHeld: true },
} satisfies Record<string, { clients: number; draw: Draw; isHeld: boolean }>;

export type Beside = keyof typeof BESIDE;

export const BESIDE_NAMES = Object.keys(BESIDE) as Beside[];

/** What a crowd is compared with: as many clients on disjoint rows. */
export const COMPARED: Readonly<Partial<Record<Beside, Beside>>> = {
  '64 on one hot row': '64 on disjoint rows',
  '40 waiting for a held row': '40 on disjoint rows',
};

const FOUR = 4;
/** Numbers that no crowd reaches. */
const FIRST_OF_FOUR = 100;
/** A crowd is there before the four are measured. */
const AHEAD_MS = 500;

/** The four's outcome beside a crowd. Where the row is held, it is so for all of their time. */
export async function fourBeside(stage: Stage, name: Beside, durationMs: number): Promise<Outcome> {
  const { clients, draw, isHeld } = BESIDE[name];
  const release = isHeld ? await holdRow(stage) : undefined;
  try {
    const crowd = transfers({ stage, draw, clients, durationMs: AHEAD_MS + durationMs });
    await new Promise((resolve) => setTimeout(resolve, AHEAD_MS));
    const four = await transfers({
      stage,
      draw: SHAPES.disjoint,
      clients: FOUR,
      first: FIRST_OF_FOUR,
      durationMs,
    });
    if (release) await release();
    await crowd;
    return four;
  } finally {
    await release?.();
  }
}

/** Another session's lock on the hot row; it lasts for as long as a transfer may wait, or until released. */
async function holdRow({ stack }: Stage): Promise<() => Promise<void>> {
  const session = new pg.Client({ connectionString: stack.databases.ledger_east });
  await session.connect();
  await session.query('BEGIN');
  await session.query('SELECT 1 FROM account WHERE id = $1 FOR UPDATE', [HOT]);
  let isHeld = true;
  const release = async (): Promise<void> => {
    clearTimeout(timer);
    if (!isHeld) return;
    isHeld = false;
    await session.end();
  };
  const timer = setTimeout(() => void release(), TIMEOUT_MS);
  return release;
}
