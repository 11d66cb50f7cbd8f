/** A series of values as the outline of an area, in pixels. */
export interface AreaPath {
  readonly line: string;
  readonly area: string;
}

export function areaPath(
  values: readonly number[],
  most: number,
  width: number,
  height: number,
): AreaPath {
  if (values.length === 0) return { line: '', area: '' };
  const step = values.length === 1 ? 0 : width / (values.length - 1);
  const points = values.map((value, index) => {
    const y = height - (most === 0 ? 0 : (value / most) * height);
    return `${round(index * step)} ${round(y)}`;
  });
  const line = `M${points.join('L')}`;
  return { line, area: `${line}L${round((values.length - 1) * step)} ${height}L0 ${height}Z` };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
