/**
 * What services are armed with: crash points given at their start, and those that a living service reads from
 * a file of its own. Each arming has a number, so that what an earlier one did is not taken for this one's.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseTerms, type CrashSide } from '../crash/crash-terms.mjs';

interface Armed {
  /** Of the last arming; what a start armed is 0. */
  readonly arming: number;
  readonly terms: 'none' | 'of its start' | 'of its file';
  /** Something it was armed with since its start may have left it hanging. */
  readonly mayHang: boolean;
}

export class CrashArms {
  private readonly armed = new Map<string, Armed>();
  private readonly folder: string | undefined;
  private armings = 0;

  /** `armable`: whether living services can be armed. */
  constructor(armable: boolean) {
    if (armable) this.folder = mkdtempSync(join(tmpdir(), 'concordat-armed-'));
  }

  /** The environment of a service that starts, perhaps with crash points; undefined where it needs none. */
  environment(id: string, crash?: string): Record<string, string> | undefined {
    this.armed.set(id, { arming: 0, terms: crash ? 'of its start' : 'none', mayHang: false });
    if (!this.folder && !crash) return undefined;
    if (this.folder) this.write(id, '0:');
    return {
      CRASH_SIDE: sideOf(id),
      ...(crash ? { CRASH_POINTS: crash } : {}),
      ...(this.folder ? { CRASH_FILE: join(this.folder, id) } : {}),
    };
  }

  /** Arms a living service, in the place of what it was armed with. Throws where there is no such point. */
  arm(id: string, crash: string): void {
    const hangs = parseTerms(crash, sideOf(id)).some(({ action }) => action === 'hang');
    const arming = (this.armings += 1);
    this.write(id, `${arming}:${crash}`);
    const mayHang = hangs || this.armed.get(id)?.mayHang === true;
    this.armed.set(id, { arming, terms: crash === '' ? 'none' : 'of its file', mayHang });
  }

  /** Takes away what a service is armed with. False: it has to be started again for that. */
  disarm(id: string): boolean {
    const { terms, mayHang } = this.armed.get(id) ?? { terms: 'none', mayHang: false };
    if (terms === 'of its start' || mayHang) return false;
    if (terms === 'of its file') this.arm(id, '');
    return true;
  }

  /** Whether a service has written a line that begins so, of its last arming. */
  hasSaid(id: string, output: string, words: string): boolean {
    const end = ` of arming ${this.armed.get(id)?.arming ?? 0}`;
    return output.split('\n').some((line) => line.startsWith(words) && line.endsWith(end));
  }

  dispose(): void {
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
  }

  /** In one step: a service never reads half of it. */
  private write(id: string, text: string): void {
    if (!this.folder) throw new Error('these services were not started as armable');
    const file = join(this.folder, id);
    writeFileSync(`${file}.next`, text);
    renameSync(`${file}.next`, file);
  }
}

function sideOf(id: string): CrashSide {
  return id.startsWith('coordinator') ? 'coordinator' : 'participant';
}
