/** The manager as MCP gets it: what its agents are refused with CONFLICT is noted. */

import type { AsyncSharedContextManager, JsonObject } from "shared-context-manager";
import type { ConflictLog, Replacement } from "./conflict-log.ts";

type Method = (...given: unknown[]) => unknown;

export function notedManager(manager: AsyncSharedContextManager, log: ConflictLog): AsyncSharedContextManager {
  return intercepted(manager, (name, method) =>
    name === "agent" ? (agentId) => noted(method(agentId) as object, agentId as string, log) : method,
  );
}

/** An agent or a lease whose conflicts are noted, and whose leases' are. */
function noted<Handle extends object>(handle: Handle, agentId: string, log: ConflictLog): Handle {
  return intercepted(handle, (name, method) => (...given) => {
    const result = method(...given);
    if (!(result instanceof Promise)) return result;
    return result.then(
      (value: unknown) => (name === "acquire" ? noted(value as object, agentId, log) : value),
      (error: unknown) => {
        log.note(agentId, error, name === "update" ? replacementOf(given) : undefined);
        throw error;
      },
    );
  });
}

function replacementOf([, data, expected]: readonly unknown[]): Replacement {
  const base = typeof expected === "object" && expected !== null ? (expected as { data?: JsonObject }).data : undefined;
  return { base, yours: data as JsonObject };
}

/** Methods are called on the object itself: its private fields are not those of a proxy. */
function intercepted<Target extends object>(target: Target, wrap: (name: string | symbol, method: Method) => Method) {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object);
      return typeof value === "function" ? wrap(name, (value as Method).bind(object)) : value;
    },
  });
}
