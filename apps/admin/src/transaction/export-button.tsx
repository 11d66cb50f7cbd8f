/** Offers the dossier of a transaction as a file. */
import type { AdminTransaction } from '@concordat/client';
import { dossierName, makeDossier } from '../dossier/dossier.js';

export function ExportButton({ detail }: { readonly detail: AdminTransaction }) {
  const save = (): void => {
    const text = JSON.stringify(makeDossier(detail), null, 2);
    const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
    const link = document.createElement('a');
    link.href = address;
    link.download = dossierName(detail);
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  };
  return (
    <button type="button" className="button button-small" onClick={save}>
      Export dossier
    </button>
  );
}
