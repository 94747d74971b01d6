/** A transaction as the steps of `POST /v1/transactions`: what it has read is checked, then its commands, as they were. */

import type { Planned } from "../async/shared-store.ts";
import type { Author, Entry } from "../entry.ts";
import type { Plan } from "../plan.ts";
import { patchBody } from "./patches.ts";

export interface TransactionStep {
  readonly do: "check" | "create" | "update" | "patch" | "delete";
  readonly context_id: string;
  readonly if_match?: string;
  readonly lock_token?: number;
  readonly note?: string;
  readonly data?: object;
  readonly patch?: unknown;
}

/** Whatever is there: the checks have said what that is. */
const ANY = "*";

export function stepsOf(plan: Plan, planned: readonly Planned[]): TransactionStep[] {
  const checks = plan.steps.flatMap(({ contextId, found }) => {
    if (found !== undefined) return [{ do: "check" as const, context_id: contextId, if_match: tagOf(found) }];
    const first = planned.find(({ command }) => command.contextId === contextId);
    return first === undefined ? absence(contextId) : []; // a creation checks that by itself
  });
  return [...checks, ...planned.map(stepOf)];
}

/** There is no step that checks that nothing is there: one that could be created there, and is not. */
function absence(contextId: string): TransactionStep[] {
  return [
    { do: "create", context_id: contextId, data: {} },
    { do: "delete", context_id: contextId, if_match: ANY },
  ];
}

function stepOf({ kind, command, next }: Planned): TransactionStep {
  const context_id = command.contextId;
  const note = command.note === null ? {} : { note: command.note };
  if (kind === "create") return { do: "create", context_id, data: next.data, ...note };
  const about = { context_id, if_match: ANY, ...tokenOf(command.author), ...note };
  if (kind === "remove") return { do: "delete", ...about };
  if (kind === "edit" && command.expected === undefined && command.edit.kind !== "data") {
    return { do: "patch", ...about, patch: patchBody(command.edit) };
  }
  // What was merged here with a version that the server may keep no longer is written as it came out.
  return { do: "update", ...about, data: next.data };
}

function tokenOf(author: Author | undefined): { lock_token?: number } {
  return (author?.token ?? null) === null ? {} : { lock_token: author?.token as number };
}

/** The ETag without its quotes. */
export function tagOf({ incarnation, version }: Pick<Entry, "incarnation" | "version">): string {
  return `${incarnation}.${version}`;
}
