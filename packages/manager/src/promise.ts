/** Whether there is something to wait for: any object with a `then`, as `await` has it. */
export function isPromise<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** Whether a promise came where none may be. Whoever gave it is refused at once, and what it comes to nobody hears. */
export function isStrayPromise(value: unknown): boolean {
  if (!isPromise(value)) return false;
  Promise.resolve(value).catch(() => undefined);
  return true;
}
