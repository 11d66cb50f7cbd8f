/**
 * A transaction as a file: all that the page showed, at the moment it showed it. Guards "a dossier is
 * evidence": it is opened read-only, its clock does not run, and a file that is something else is refused
 * with the reason.
 */
import type { AdminTransaction } from '@concordat/client';

export const DOSSIER_FORMAT = 'concordat-dossier';
const VERSION = 1;
const BYTES_MAX = 20_000_000;

export interface Dossier {
  readonly format: typeof DOSSIER_FORMAT;
  readonly version: number;
  readonly detail: AdminTransaction;
}

export function makeDossier(detail: AdminTransaction): Dossier {
  return { format: DOSSIER_FORMAT, version: VERSION, detail };
}

export function dossierName({ transaction, serverTime }: AdminTransaction): string {
  const id = transaction.transactionId.replace(/[^\w.-]/g, '_');
  return `concordat-${id}-${serverTime.replace(/[:.]/g, '-')}.json`;
}

/** The dossier in a text, or a sentence why there is none. */
export function readDossier(text: string): Dossier | { readonly refused: string } {
  if (text.length > BYTES_MAX) return { refused: 'The file is larger than any dossier is.' };
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return { refused: 'The file is not JSON. Choose one that “Export dossier” has saved.' };
  }
  if (!isRecord(content) || content['format'] !== DOSSIER_FORMAT) {
    return { refused: 'The file is JSON, but no dossier. Choose one that “Export dossier” saved.' };
  }
  if (content['version'] !== VERSION) {
    return {
      refused: `The dossier is of version ${String(content['version'])}; this page reads version ${VERSION}.`,
    };
  }
  const missing = missingIn(content['detail']);
  if (missing) return { refused: `The dossier is damaged: its ${missing} is missing.` };
  return content as unknown as Dossier;
}

/** The first thing the page could not do without. */
function missingIn(detail: unknown): string | undefined {
  if (!isRecord(detail)) return 'transaction';
  const { transaction, explanation, branches, events, audit, serverTime } = detail;
  if (!isRecord(transaction) || typeof transaction['transactionId'] !== 'string') {
    return 'transaction';
  }
  if (!Array.isArray(transaction['branches'])) return 'list of branches';
  if (!isRecord(explanation) || typeof explanation['why'] !== 'string') return 'explanation';
  if (!Array.isArray(branches) || !branches.every(isBranch)) return 'list of branches';
  if (!Array.isArray(events) || !events.every(isRecord)) return 'list of events';
  if (!Array.isArray(audit) || !audit.every(isRecord)) return 'audit';
  if (typeof serverTime !== 'string' || Number.isNaN(Date.parse(serverTime))) return 'time';
  return undefined;
}

function isBranch(one: unknown): boolean {
  return isRecord(one) && Array.isArray(one['runbook']) && Array.isArray(one['operations']);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
