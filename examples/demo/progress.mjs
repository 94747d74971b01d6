import { many, number } from "./layout.mjs";

/** @typedef {import("./swarm.mjs").Outcome} Outcome */

const LIVE_MS = 50;
const PLAIN_MS = 5000;

/**
 * One line that keeps up with the run on a terminal; in a pipe a line at the end, and now and then before.
 *
 * @param {NodeJS.WriteStream} stream
 * @param {string} name
 * @param {number} total
 */
export function showProgress(stream, name, total) {
  let next = performance.now() + (stream.isTTY ? 0 : PLAIN_MS);

  /**
   * @param {number} done
   * @param {Outcome} outcome
   */
  function line(done, { attempts, conflicts }) {
    const share = `${number(done)} of ${many(total, "file")}`;
    const counts = `${number(attempts).padStart(7)} writes${number(conflicts).padStart(7)} conflicts`;
    const text = `  ${name.padEnd(24)}${share}${counts}`;
    return stream.isTTY ? `\r${text.slice(0, (stream.columns || 80) - 1)}\x1b[K` : `${text}\n`;
  }

  return {
    /**
     * @param {number} done
     * @param {Outcome} outcome
     */
    step(done, outcome) {
      const now = performance.now();
      if (now < next || done === total) return;
      next = now + (stream.isTTY ? LIVE_MS : PLAIN_MS);
      stream.write(line(done, outcome));
    },
    /** @param {Outcome} outcome */
    end(outcome) {
      stream.write(line(total, outcome) + (stream.isTTY ? "\n" : ""));
    },
  };
}
