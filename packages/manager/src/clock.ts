/** Where a manager reads the time (law 9). Replace it to make time an input of your tests. */
export interface Clock {
  /** Milliseconds since the epoch, for the times that people read. */
  wallMs(): number;
}

export const systemClock: Clock = {
  wallMs: Date.now,
};
