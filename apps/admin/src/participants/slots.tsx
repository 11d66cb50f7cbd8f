/**
 * Prepared slots used of all: a bar and the numbers. From 80 % on the coordinator refuses to begin, so
 * that is where the tone changes.
 */
export function Slots({
  used,
  most,
}: {
  readonly used: number | undefined;
  readonly most: number | undefined;
}) {
  if (used === undefined || most === undefined) return <span className="muted">not known</span>;
  const share = most === 0 ? 1 : used / most;
  const tone = share >= 0.8 ? 'stuck' : share >= 0.5 ? 'waiting' : 'quiet';
  return (
    <span className={`slots tone-${tone}`}>
      <span className="slots-bar" aria-hidden="true">
        <span style={{ width: `${Math.min(100, share * 100)}%` }} />
      </span>
      <span className="number">
        {used}/{most}
      </span>
    </span>
  );
}
