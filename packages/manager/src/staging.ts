/** Commands carried out on a plan: each rule sees what the plan has made of its context so far. */

import type { Admission } from "./admission.ts";
import type { Act } from "./changes.ts";
import type { Entry, Expected, Time } from "./entry.ts";
import type { Plan } from "./plan.ts";
import { Rejection } from "./rejection.ts";
import * as rules from "./rules.ts";

/** What rules need to know beside the entry. */
export interface World {
  readonly admission: Admission;
  readonly maxContexts: number;
  /** How many contexts there are without the plan. */
  readonly contexts: number;
  /** The versions of a context before the present one that are kept. */
  kept(contextId: string): readonly Entry[];
  time(found: Entry | undefined): Time;
}

type Staged<Next extends rules.Outcome> = Next | Rejection;

/** Copying the caller's data can run the caller's code, which can use the same plan: then the rule runs again. */
function stage<Next extends Entry | undefined>(
  plan: Plan,
  contextId: string,
  rule: (found: Entry | undefined) => Staged<Next>,
  act?: Act,
): Staged<Next> {
  const found = plan.read(contextId);
  const next = rule(found);
  if (plan.read(contextId) !== found) return stage(plan, contextId, rule, act);
  if (!(next instanceof Rejection) && next !== found) plan.write(contextId, next, act);
  return next;
}

export function create(plan: Plan, world: World, command: rules.CreateCommand): Staged<Entry> {
  const { admission, maxContexts } = world;
  return stage(plan, command.contextId, (found) =>
    rules.create(found, command, world.time(found), admission, {
      get contexts() {
        return world.contexts + plan.growth;
      },
      maxContexts,
    }),
  );
}

export function update(plan: Plan, world: World, command: rules.UpdateCommand): Staged<Entry> {
  return stage(plan, command.contextId, (found) => rules.update(found, command, world.time(found), world.admission));
}

export function edit(plan: Plan, world: World, command: rules.EditCommand): Staged<Entry> {
  const { contextId, expected } = command;
  const found = plan.read(contextId);
  const next = stage(plan, contextId, (present) =>
    rules.edit(present, command, world.time(present), world.admission, world.kept(contextId)),
  );
  if (isMerge(found, expected, next)) plan.merges += 1;
  return next;
}

export function restore(plan: Plan, world: World, command: rules.RestoreCommand): Staged<Entry> {
  const { contextId, version } = command;
  return stage(plan, contextId, (found) => {
    const kept = world.kept(contextId).find((entry) => entry.version === version);
    return rules.restore(found, command, world.time(found), kept);
  });
}

/** Whether there was something to delete. */
export function remove(plan: Plan, world: World, command: rules.RemoveCommand): boolean | Rejection {
  const { contextId, author, note } = command;
  const existed = plan.read(contextId) !== undefined;
  const act = { agentId: author?.agentId ?? null, note };
  return stage(plan, contextId, (found) => rules.remove(found, command, world.time(found)), act) ?? existed;
}

/** Any rule that needs nothing but the entry. */
export function change(
  plan: Plan,
  contextId: string,
  rule: (found: Entry | undefined) => Staged<Entry>,
  act?: Act,
): Staged<Entry> {
  return stage(plan, contextId, rule, act);
}

/** Whether a write has been put together with what others had changed since its caller read. */
export function isMerge(found: Entry | undefined, expected: Expected | undefined, next: rules.Outcome): boolean {
  return (
    expected !== undefined && next !== found && !(next instanceof Rejection) && expected.version !== found?.version
  );
}
