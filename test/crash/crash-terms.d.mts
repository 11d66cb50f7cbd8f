export type CrashSide = 'coordinator' | 'participant';

interface CrashTerm {
  readonly point: string;
  readonly participant?: string;
  readonly nth?: number;
  readonly action: 'kill' | 'stop' | 'throw' | 'hang' | 'drop';
}

/** The terms of a list of crash points; throws for what is none of a process of this side. */
export function parseTerms(text: string, side: CrashSide): readonly CrashTerm[];
