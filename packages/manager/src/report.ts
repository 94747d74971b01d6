/** As the platform reports what a listener of an event throws: `reportError` where there is one. */
export function report(error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void };
  if (reportError !== undefined) {
    reportError(error);
    return;
  }
  queueMicrotask(() => {
    throw error;
  });
}
