/** The whole package once, in plain JavaScript with nothing but the language: for any runtime. */

import { isContextError, SharedContext, SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager();

const first = manager.create("plan", { step: 1, tasks: [{ id: 1, done: false }] });
equal(first.version, "1");
equal(manager.get("missing"), undefined);

const second = manager.update("plan", { ...first.data, step: 2 }, first);
equal(second.version, "2");
equal(first.data["step"], 1);
equal(second.data["tasks"], first.data["tasks"]);
equal(Object.isFrozen(second.data), true);

const conflict = refusalOf(() => manager.update("plan", { step: 3 }, first.version));
if (!isContextError(conflict, "CONFLICT")) throw conflict;
equal(conflict.details.current.version, "2");

equal(manager.lock("plan", "reviewer"), true);
equal(manager.lock("plan", "writer"), false);
equal(
  isContextError(
    refusalOf(() => manager.update("plan", { step: 3 }, second)),
    "LOCKED",
  ),
  true,
);

const dump = JSON.stringify(manager);
const again = SharedContextManager.fromDict(JSON.parse(dump));
equal(JSON.stringify(again), dump);
equal(again.get("plan")?.lockedBy, "reviewer");
equal(SharedContext.fromDict(JSON.parse(JSON.stringify(second))).version, "2");

equal(manager.unlock("plan", "reviewer"), true);
equal(manager.update("plan", { step: 3 }, second).version, "3");
equal(manager.delete("plan"), true);
equal(manager.size, 0);

console.log("ok");

/**
 * @param {unknown} actual
 * @param {unknown} expected
 */
function equal(actual, expected) {
  if (!Object.is(actual, expected)) throw new Error(`expected ${String(expected)}, received ${String(actual)}`);
}

/** @param {() => unknown} act */
function refusalOf(act) {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("expected a refusal, received none");
}
