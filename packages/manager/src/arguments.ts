/** What the methods take: checked once, here, before anything is looked up (law 11). */

import { type AnySharedContext, entryOf, isSnapshot } from "./context.ts";
import { describe, isPlainObject } from "./data.ts";
import { invalid } from "./errors.ts";
import type { SharedContextManagerOptions } from "./manager.ts";
import type { Expected } from "./rules.ts";

/** What a caller may pass as the version it expects: the string, or the whole snapshot, which is stricter. */
export type ExpectedVersion = string | AnySharedContext;

export function checkId(argument: "contextId" | "agentId", value: unknown): void {
  if (typeof value !== "string") throw invalid(argument, "", "a string", describe(value));
}

export function checkData(argument: "data" | "initialData", value: unknown): void {
  if (!isPlainObject(value)) throw invalid(argument, "", "a plain object", describe(value));
}

/** A version string stands for itself; a snapshot also names the incarnation it was taken of. */
export function readExpected(contextId: string, expected: unknown): Expected {
  if (typeof expected === "string") return { version: expected, incarnation: undefined };
  if (!isSnapshot(expected)) {
    throw invalid("expected", "", "a version string or a snapshot of this context", describe(expected));
  }
  const entry = entryOf(expected);
  if (entry.contextId !== contextId) {
    throw invalid("expected", "", `a snapshot of ${describe(contextId)}`, `a snapshot of ${describe(entry.contextId)}`);
  }
  return { version: entry.version, incarnation: expected.incarnation };
}

/** The options of a manager, as they came. */
export function checkOptions(options: SharedContextManagerOptions): SharedContextManagerOptions {
  if (typeof options !== "object" || options === null) throw invalid("options", "", "an object", describe(options));
  const { isolation = "deep", clock } = options;
  if (isolation !== "deep" && isolation !== "shallow") {
    throw invalid("options", "/isolation", '"deep" or "shallow"', describe(isolation));
  }
  if (clock !== undefined && typeof clock?.wallMs !== "function") {
    throw invalid("options", "/clock", "an object with a method wallMs()", describe(clock));
  }
  return options;
}
