/** Places to keep one shared report. Only the manager's notice that somebody else has written meanwhile. */

import { isContextError, SharedContextManager } from "shared-context-manager";

/** @typedef {import("./count.mjs").Report} Report */
/** @typedef {import("./count.mjs").ReadonlyReport} ReadonlyReport */
/** @typedef {"written" | "conflict"} Written */

/**
 * What the swarm needs of a store. `base` is what `read` gave, handed back as it is.
 *
 * @template {{ readonly data: ReadonlyReport }} [Base=any]
 * @typedef {object} Store
 * @property {() => Base | Promise<Base>} read
 * @property {(base: Base, next: ReadonlyReport) => Written | Promise<Written>} write
 */

/**
 * One context of a `SharedContextManager`: the snapshot that was read is the expected version.
 *
 * @param {ReadonlyReport} initial
 * @returns {Store<import("shared-context-manager").SharedContext<Report>>}
 */
export function managerStore(initial) {
  /** @type {SharedContextManager<Report>} */
  const manager = new SharedContextManager();
  const first = manager.create("report", initial);
  return {
    read: () => manager.get("report") ?? first,
    write(base, next) {
      try {
        manager.update("report", next, base);
        return "written";
      } catch (error) {
        if (isContextError(error, "CONFLICT")) return "conflict";
        throw error;
      }
    },
  };
}

/**
 * The same context, in a store that other processes have open too: the same calls, awaited.
 *
 * @param {import("shared-context-manager").AsyncSharedContextManager<Report>} manager
 * @param {string} contextId
 * @returns {Store<import("shared-context-manager").SharedContext<Report>>}
 */
export function sharedStore(manager, contextId) {
  return {
    async read() {
      const context = await manager.get(contextId);
      if (context === undefined) throw new Error("somebody has deleted the report");
      return context;
    },
    async write(base, next) {
      try {
        await manager.update(contextId, next, base);
        return "written";
      } catch (error) {
        if (isContextError(error, "CONFLICT")) return "conflict";
        throw error;
      }
    },
  };
}

/**
 * What one writes without thinking of it: an object that everybody shares.
 *
 * @param {ReadonlyReport} initial
 * @returns {Store<{ data: ReadonlyReport }>}
 */
export function plainStore(initial) {
  let report = initial;
  return {
    read: () => ({ data: report }),
    write(_base, next) {
      report = { ...report, ...next };
      return "written";
    },
  };
}

/**
 * A version check on a live record, as in the published Python SDK: reading hands out the stored record itself.
 * Its version moves along while an agent thinks, so that the check compares it with itself and always passes.
 *
 * @param {ReadonlyReport} initial
 * @returns {Store<{ version: string, data: ReadonlyReport }>}
 */
export function liveRecordStore(initial) {
  const record = { version: "1", data: initial };
  return {
    read: () => record,
    write(base, next) {
      if (base.version !== record.version) return "conflict";
      record.version = String(Number(record.version) + 1);
      record.data = { ...next };
      return "written";
    },
  };
}
