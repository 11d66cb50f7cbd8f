/** The ways of carrying out a transaction that are measured beside each other. */
import type { LoadProcess, Target } from '../turns.js';
import type { Arena } from './arena.js';
import type { Shape } from './shapes.js';

export const WAY_NAMES = [
  'hand',
  'apart',
  'autocommit',
  'decided',
  'completed',
  'one-phase',
  'one-participant',
  'one-participant-in-one-phase',
  'reading',
  'own-core',
  'two-coordinators',
  'full-log',
] as const;
export type WayName = (typeof WAY_NAMES)[number];

/** Servers and processes; ways that differ in the request only share them. */
export type ArenaName =
  | 'hand'
  | 'apart'
  | 'concordat'
  | 'one-phase'
  | 'own-core'
  | 'two-coordinators'
  | 'full-log';

interface Way {
  readonly title: string;
  readonly arena: ArenaName;
  /** In what its transactions differ from those of the case that it is measured in. */
  readonly change?: { readonly shape?: Shape; readonly participants?: number };
}

export const WAYS: Readonly<Record<WayName, Way>> = {
  hand: { title: 'hand-written', arena: 'hand' },
  apart: { title: 'without atomicity', arena: 'apart' },
  autocommit: { title: 'without atomicity, a statement each', arena: 'apart' },
  decided: { title: 'Concordat, decided', arena: 'concordat' },
  completed: { title: 'Concordat, completed', arena: 'concordat' },
  'one-phase': { title: 'completed, one branch in one phase', arena: 'one-phase' },
  'one-participant': {
    title: 'completed, one participant',
    arena: 'concordat',
    change: { participants: 1 },
  },
  'one-participant-in-one-phase': {
    title: 'completed, one participant in one phase',
    arena: 'one-phase',
    change: { participants: 1 },
  },
  reading: { title: 'completed, read-only', arena: 'concordat', change: { shape: 'read-only' } },
  'own-core': { title: 'completed, coordinator on a core of its own', arena: 'own-core' },
  'two-coordinators': { title: 'completed, two coordinators', arena: 'two-coordinators' },
  'full-log': { title: 'completed, full log', arena: 'full-log' },
};

/** What the others are held against, where it was measured with them. */
export const REFERENCES = ['hand', 'apart', 'completed'] as const;
export type Reference = (typeof REFERENCES)[number];

export function kindOf(name: ArenaName): 'hand' | 'apart' | 'concordat' {
  return name === 'hand' || name === 'apart' ? name : 'concordat';
}

export function targetOf(way: WayName, arena: Arena): Target {
  const { urls, decisions, databases } = arena;
  const { key } = arena.key;
  if (way === 'hand') return { kind: 'hand', decisions, databases };
  if (way === 'apart') return { kind: 'apart', urls, key, commitBy: 'transaction' };
  if (way === 'autocommit') return { kind: 'apart', urls, key, commitBy: 'statement' };
  return { kind: 'concordat', urls, key, until: way === 'decided' ? 'decided' : 'completed' };
}

/** The processes that make load: one that is the way itself, one for everything reached over HTTP. */
export interface Loads {
  readonly byHand: LoadProcess;
  readonly leanClient: LoadProcess;
}

export function loadOf(way: WayName, loads: Loads): LoadProcess {
  return way === 'hand' ? loads.byHand : loads.leanClient;
}
