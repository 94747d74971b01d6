/**
 * Does something so many times, each time after something else, which is not timed.
 *
 * @template Prepared
 * @param {number} count
 * @param {() => Promise<Prepared>} prepare
 * @param {(prepared: Prepared, done: number) => Promise<unknown>} act
 * @returns {Promise<number>} nanoseconds of all that was timed.
 */
export async function timedAfter(count, prepare, act) {
  let elapsed = 0n;
  for (let done = 0; done < count; done++) {
    const prepared = await prepare();
    const started = process.hrtime.bigint();
    await act(prepared, done);
    elapsed += process.hrtime.bigint() - started;
  }
  return Number(elapsed);
}
