/**
 * Opens an exported transaction, read-only. Guards "a dossier is evidence": nothing can be done from it,
 * and the page says when it was made.
 */
import { useState, type DragEvent } from 'react';
import { Glyph } from '../elements/glyph.js';
import { Instant } from '../elements/instant.js';
import { PageHead } from '../layout/page-head.js';
import { FrozenClock } from '../live/clock.js';
import { TransactionView } from '../transaction/transaction-view.js';
import { readDossier, type Dossier } from './dossier.js';

export function DossierPage() {
  const [dossier, setDossier] = useState<Dossier>();
  const [refused, setRefused] = useState<string>();
  const open = (file: File | undefined): void => {
    if (!file) return;
    file
      .text()
      .then(readDossier)
      .then(
        (read) => {
          setRefused('refused' in read ? read.refused : undefined);
          setDossier('refused' in read ? undefined : read);
        },
        () => setRefused('The file could not be read.'),
      );
  };
  if (dossier) return <Opened dossier={dossier} onClose={() => setDossier(undefined)} />;
  return (
    <>
      <PageHead title="Open a dossier" says="An exported transaction, shown as it was." />
      <DropZone onFile={open} />
      <p role="status" className={refused ? 'note note-problem' : ''}>
        {refused}
      </p>
    </>
  );
}

function DropZone({ onFile }: { readonly onFile: (file: File | undefined) => void }) {
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    onFile(event.dataTransfer.files[0]);
  };
  return (
    <label
      className={`drop${over ? ' is-over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <Glyph name="arrow" size={22} />
      <strong>Drop a dossier here, or choose one</strong>
      <span className="muted">It stays in this browser: nothing is sent anywhere.</span>
      <input
        type="file"
        accept="application/json,.json"
        onChange={(event) => onFile(event.target.files?.[0])}
      />
    </label>
  );
}

function Opened({ dossier, onClose }: { readonly dossier: Dossier; readonly onClose: () => void }) {
  const { detail } = dossier;
  return (
    <FrozenClock at={detail.serverTime}>
      <div className="note note-frozen" role="status">
        <Glyph name="half" size={16} />
        <div className="note-text">
          <strong>A dossier, not the present.</strong> It shows the transaction as of{' '}
          <Instant at={detail.serverTime} />; nothing can be done from here.
        </div>
        <button type="button" className="button button-small" onClick={onClose}>
          Close it
        </button>
      </div>
      <TransactionView detail={detail} />
    </FrozenClock>
  );
}
