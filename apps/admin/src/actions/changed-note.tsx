/**
 * That nothing was done, because what was seen is not what is. Guards "ask again with what changed": after
 * a 412 no user confirms a thing that was not read.
 */

export function ChangedNote({ changes }: { readonly changes: readonly string[] }) {
  return (
    <div className="note note-changed" role="alert">
      <div className="note-text">
        <strong>Nothing was done: it has changed since you looked.</strong>
        <ul>
          {changes.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
        <p>If you still want it, say so again.</p>
      </div>
    </div>
  );
}
