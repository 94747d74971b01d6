/** Counts per second over the last ten minutes. */

export const SECONDS = 600;

export class Series {
  readonly #counts = new Float64Array(SECONDS);
  #second: number;

  constructor(nowMs: number) {
    this.#second = Math.floor(nowMs / 1000);
  }

  add(atMs: number, count = 1): void {
    const second = Math.floor(atMs / 1000);
    this.#moveTo(second);
    if (second <= this.#second - SECONDS) return;
    const place = second % SECONDS;
    this.#counts[place] = (this.#counts[place] ?? 0) + count;
  }

  /** What was counted between two moments, a part for each second between them. */
  spread(fromMs: number, toMs: number, count: number): void {
    const seconds = Math.max(1, Math.min(SECONDS, Math.round((toMs - fromMs) / 1000)));
    for (let ago = seconds - 1; ago >= 0; ago--) this.add(toMs - ago * 1000, count / seconds);
  }

  /** The oldest first. The second that has not ended is the last one. */
  counts(nowMs: number): number[] {
    this.#moveTo(Math.floor(nowMs / 1000));
    return Array.from({ length: SECONDS }, (_, index) => {
      const second = this.#second - SECONDS + 1 + index;
      return this.#counts[((second % SECONDS) + SECONDS) % SECONDS] ?? 0;
    });
  }

  #moveTo(second: number): void {
    if (second <= this.#second) return;
    const from = Math.max(this.#second + 1, second - SECONDS + 1);
    for (let passed = from; passed <= second; passed++) this.#counts[passed % SECONDS] = 0;
    this.#second = second;
  }
}

/** The most of each so many seconds: as many bars as fit, and no peak is lost. */
export function bucketed(counts: readonly number[], bars: number): number[] {
  const width = counts.length / bars;
  return Array.from({ length: bars }, (_, bar) => {
    const inside = counts.slice(Math.floor(bar * width), Math.floor((bar + 1) * width));
    return inside.reduce((most, count) => Math.max(most, count), 0);
  });
}

/** Totals that a server counts, read again and again, as counts: a server that has begun anew counts from 0. */
export function increase(before: number | undefined, now: number): number {
  if (before === undefined) return 0;
  return now >= before ? now - before : now;
}
