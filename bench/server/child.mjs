/** What the two servers have in common: they tell the run their port, and their memory when they are asked. */

/** @param {number} port */
export function ready(port) {
  process.on("message", (message) => {
    if (message === "stop") process.exit();
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    process.send?.({ memory: heapUsed + external });
  });
  process.send?.({ port });
}
