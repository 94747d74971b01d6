/** Numbers that are random but the same for the same seed: mulberry32 (Ettinger, 2017). */
export interface Random {
  readonly seed: number;
  /** A whole number from 0 up to and without `bound`. */
  below(bound: number): number;
  pick<Value>(values: readonly Value[]): Value;
}

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const below = (bound: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
  return { seed, below, pick: <Value>(values: readonly Value[]) => values[below(values.length)] as Value };
}
