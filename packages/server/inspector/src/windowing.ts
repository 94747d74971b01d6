/** Which rows of a long list are drawn. */

export interface Window {
  /** The first row that is drawn, and the one after the last. */
  readonly first: number;
  readonly end: number;
}

const MARGIN = 6;

export function windowOf(count: number, rowHeight: number, scrollTop: number, height: number): Window {
  const top = Math.max(0, Math.min(scrollTop, count * rowHeight - height));
  const first = Math.max(0, Math.floor(top / rowHeight) - MARGIN);
  const end = Math.min(count, Math.ceil((top + height) / rowHeight) + MARGIN);
  return { first: Math.min(first, end), end };
}

/** Where to scroll so that a row is seen whole; where it is, when it is. */
export function scrollTo(row: number, rowHeight: number, scrollTop: number, height: number): number {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  return top + rowHeight > scrollTop + height ? top + rowHeight - height : scrollTop;
}

/** Where a key leads from a row; `undefined` when it leads nowhere. */
export function rowAfterKey(key: string, row: number, count: number, pageRows: number): number | undefined {
  const steps: Readonly<Record<string, number>> = {
    ArrowDown: 1,
    ArrowUp: -1,
    PageDown: pageRows,
    PageUp: -pageRows,
    Home: -count,
    End: count,
  };
  const step = Object.hasOwn(steps, key) ? steps[key] : undefined;
  if (step === undefined || count === 0) return undefined;
  return Math.max(0, Math.min(count - 1, row + step));
}
