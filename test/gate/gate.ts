/**
 * The gate: puts one deliberate bug after the other into a copy of the tree and demands that the
 * layers its patch names turn red, and that the same commands are green without it. Guards the tests:
 * a bug that survives is a hole in them.
 */
import type { Bug } from './bug.js';
import { merge } from './merge.js';
import { judge, type Judged, type Layer, type NarrowRun } from './narrow-run.js';
import type { ScratchCopy } from './scratch.js';
import { caughtBy, type Finding, type Ran } from './table.js';

export interface GateOptions {
  /** Runs every command that a patch names, instead of stopping at the first red one. */
  readonly everyLayer: boolean;
  readonly layer?: Layer;
  readonly say: (line: string) => void;
  readonly stop: AbortSignal;
}

export class Gate {
  constructor(
    private readonly scratch: ScratchCopy,
    private readonly options: GateOptions,
  ) {}

  /** Tries every bug. */
  async tryAll(bugs: readonly Bug[]): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (const [at, bug] of bugs.entries()) {
      if (this.options.stop.aborted) break;
      this.options.say(`${at + 1}/${bugs.length} ${bug.name}: ${bug.what}`);
      findings.push(await this.tryOne(bug));
    }
    return findings;
  }

  /** Runs everything that turned red once more without any bug; what is wrong with which. */
  async confirmGreen(findings: readonly Finding[]): Promise<string[]> {
    const runs = merge(findings.flatMap((finding) => caughtBy(finding).map(({ run }) => run)));
    const { stop, say } = this.options;
    if (runs.length === 0 || stop.aborted) return [];
    const broken = await this.scratch.build(stop);
    if (broken !== undefined) return [`the tree does not build without any bug: ${broken}`];
    const wrong: string[] = [];
    for (const [at, { run, commands }] of runs.entries()) {
      const { verdict, seconds } = await judge(run, this.scratch.folder, stop);
      if (stop.aborted) break;
      const how = `${verdict.kind}, ${seconds.toFixed(1)} s`;
      say(`without any bug ${at + 1}/${runs.length}: ${how}: ${run.command}`);
      if (verdict.kind === 'green') continue;
      const why = verdict.kind === 'red' ? verdict.first : verdict.why;
      const which = commands.map((command) => `"${command}"`).join(', ');
      wrong.push(`${which}: not green without any bug, so its red shows nothing: ${why}`);
    }
    return wrong;
  }

  private async tryOne(bug: Bug): Promise<Finding> {
    const { stop, say } = this.options;
    let takeOut: () => void;
    try {
      takeOut = this.scratch.apply(bug);
    } catch (error) {
      return { bug, ran: [], invalid: (error as Error).message };
    }
    try {
      const refused = await this.scratch.build(stop);
      if (refused !== undefined) {
        return {
          bug,
          ran: [],
          invalid: `the compiler catches it, so it shows nothing: ${refused}`,
        };
      }
      const ran: Ran[] = [];
      for (const run of this.runsOf(bug)) {
        const judged = byAssertion(bug, run, await judge(run, this.scratch.folder, stop));
        if (stop.aborted) break;
        ran.push({ run, ...judged });
        say(`    ${tell({ run, ...judged })}`);
        if (judged.verdict.kind === 'red' && !this.options.everyLayer) break;
      }
      return { bug, ran };
    } finally {
      takeOut();
    }
  }

  private runsOf({ red }: Bug): readonly NarrowRun[] {
    const { layer } = this.options;
    return layer === undefined ? red : red.filter((one) => one.layer === layer);
  }
}

/** Red for another reason shows nothing of the assertion that the first command is to see tripped. */
function byAssertion({ trips, red }: Bug, run: NarrowRun, judged: Judged): Judged {
  const { verdict } = judged;
  if (trips === undefined || run !== red[0] || verdict.kind !== 'red') return judged;
  if (verdict.said.includes(trips)) return judged;
  const why = `red, but "${trips}" was not tripped: ${verdict.first}`;
  return { ...judged, verdict: { kind: 'no-evidence', why } };
}

function tell({ run, verdict, seconds }: Ran): string {
  const after = `after ${seconds.toFixed(1)} s`;
  switch (verdict.kind) {
    case 'red':
      return `${run.layer}: red ${after}: ${verdict.first}`;
    case 'green':
      return `${run.layer}: GREEN ${after}: ${run.command}`;
    case 'no-evidence':
      return `${run.layer}: NO EVIDENCE ${after}: ${verdict.why}: ${run.command}`;
  }
}
