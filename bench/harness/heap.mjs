/** What is left of the heap when all garbage has been collected. */
export function heapBytes() {
  for (let pass = 0; pass < 3; pass++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
