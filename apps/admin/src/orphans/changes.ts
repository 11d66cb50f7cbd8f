/** What has changed between an orphan that somebody saw and what the last comparison found, in sentences. */
import type { Orphan } from '@concordat/client';
import { orphanShown } from '../wording/branch.js';

export function changesOf(before: Orphan, now: Orphan | undefined): string[] {
  if (!now) return ['The last comparison does not find it any more.'];
  const changes: string[] = [];
  if (before.kind !== now.kind) {
    const [was, is] = [orphanShown(before.kind).word, orphanShown(now.kind).word];
    changes.push(`It was “${was}”, and is “${is}”.`);
  }
  if (before.verdict !== now.verdict) {
    changes.push(now.verdict ? `It is decided now: ${now.verdict}.` : 'It is not decided now.');
  }
  return changes.length > 0
    ? changes
    : ['Something about it has changed that this page does not show.'];
}
