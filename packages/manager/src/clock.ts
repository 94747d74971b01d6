/**
 * Where a manager reads the time and sets its timers (law 9). Replace it to make time an input of your tests.
 */
export interface Clock {
  /** Milliseconds since the epoch, for the times that people read. */
  wallMs(): number;
  /** Milliseconds from any start, never backwards: what leases expire by. */
  leaseMs(): number;
  /**
   * Calls back once, after about so many milliseconds or earlier; returns the cancellation. Only a timer that
   * somebody waits for, `awaited`, may keep a process alive.
   */
  setTimer(callback: () => void, delayMs: number, awaited: boolean): () => void;
}

/** Longer delays overflow the timer of the platform, which then fires at once. Callers check and set again. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** The system's clocks and timers. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  leaseMs: () => performance.now(),
  setTimer(callback, delayMs, awaited) {
    const timer: unknown = setTimeout(callback, Math.min(Math.max(delayMs, 0), LONGEST_DELAY_MS));
    if (!awaited) letProcessEnd(timer);
    return () => clearTimeout(timer as number);
  },
};

/** A timer is an object with `unref` in Node and Bun, a number in browsers, and a number with a function in Deno. */
export function letProcessEnd(timer: unknown): void {
  if (typeof timer === "object" && timer !== null) (timer as { unref?: () => void }).unref?.();
  else (globalThis as { Deno?: { unrefTimer(id: unknown): void } }).Deno?.unrefTimer(timer);
}
