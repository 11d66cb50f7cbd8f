/**
 * A report in its file: each case is kept as soon as it was measured, so that a run that is cut off loses no more than
 * the case it was at, and cases of several runs of one revision make one report.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Durability } from '../durable.js';
import type { Counted } from './count.js';
import type { Machine } from './machine.js';
import type { CaseResult } from './measure.js';
import type { Case, Plan } from './plan.js';

export interface Report {
  readonly machine: Machine;
  /** Every server that was measured on. */
  readonly servers: readonly (Durability & { readonly name: string; readonly postgres: string })[];
  readonly rounds: number;
  readonly durationMs: number;
  readonly cases: readonly CaseResult[];
  readonly counted: readonly Counted[];
}

const keyOf = (one: Case): string => JSON.stringify(one);

export class ReportFile {
  private constructor(
    private readonly file: string,
    private report: Report,
  ) {}

  /** A new report; with `resume` the one that the file holds, if it holds one, of the same revision and turns. */
  static open(file: string, { rounds, durationMs }: Plan, machine: Machine, resume: boolean) {
    const fresh = { machine, servers: [], rounds, durationMs, cases: [], counted: [] };
    const kept = resume ? readIfThere(file) : undefined;
    if (kept) assertAlike(file, kept, fresh);
    return new ReportFile(file, kept ?? fresh);
  }

  get value(): Report {
    return this.report;
  }

  has(one: Case): boolean {
    return this.report.cases.some((kept) => keyOf(kept.case) === keyOf(one));
  }

  add(result: CaseResult): void {
    this.keep({ cases: [...this.report.cases, result] });
  }

  count(counted: readonly Counted[]): void {
    const isNew = (one: Counted) => !counted.some((other) => other.shape === one.shape);
    this.keep({ counted: [...this.report.counted.filter(isNew), ...counted] });
  }

  ran(servers: Report['servers']): void {
    const isNew = ({ name }: { name: string }) => !servers.some((one) => one.name === name);
    this.keep({ servers: [...this.report.servers.filter(isNew), ...servers] });
  }

  private keep(part: Partial<Report>): void {
    this.report = { ...this.report, ...part };
    mkdirSync(dirname(resolve(this.file)), { recursive: true });
    // Whole or not at all: it may be cut off here, too.
    writeFileSync(`${this.file}.new`, `${JSON.stringify(this.report, null, 1)}\n`);
    renameSync(`${this.file}.new`, this.file);
  }
}

export function readReport(file: string): Report {
  return JSON.parse(readFileSync(file, 'utf8')) as Report;
}

/** One report of what several files hold; of a case that is in more than one, the last. Throws for unlike ones. */
export function merged(files: readonly string[]): Report {
  const [first, ...others] = files.map((file) => ({ file, report: readReport(file) }));
  if (!first) throw new Error('name at least one file');
  return others.reduce((all, { file, report }) => {
    assertAlike(file, report, all);
    const cases = new Map([...all.cases, ...report.cases].map((one) => [keyOf(one.case), one]));
    const counted = new Map(
      [...all.counted, ...report.counted].map((one) => [`${one.shape} ${one.way}`, one]),
    );
    const servers = new Map([...all.servers, ...report.servers].map((one) => [one.name, one]));
    return {
      ...all,
      cases: [...cases.values()],
      counted: [...counted.values()],
      servers: [...servers.values()],
    };
  }, first.report);
}

function readIfThere(file: string): Report | undefined {
  try {
    return readReport(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function assertAlike(file: string, kept: Report, other: Report): void {
  const of = ({ machine, rounds, durationMs }: Report) =>
    `revision ${machine.revision}, ${rounds} rounds of ${durationMs / 1_000} seconds`;
  if (of(kept) === of(other)) return;
  throw new Error(
    `${file} holds ${of(kept)}, and this is ${of(other)}: measure into another file (--json), or without --resume`,
  );
}
