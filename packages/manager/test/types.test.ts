/** What the types allow and forbid. `npm run check` compiles this file: an unused `@ts-expect-error` fails it. */

import {
  type ContextError,
  isContextError,
  type JsonObject,
  type SharedContext,
  SharedContextManager,
} from "shared-context-manager";
import { expectTypeOf, it } from "vitest";

interface Plan {
  step: number;
  tasks: { id: number; done: boolean }[];
  when?: string;
}

const manager = new SharedContextManager<Plan>();
const context = manager.create("plan", { step: 1, tasks: [] });

it("the data has the type of the manager, readonly all the way down", () => {
  expectTypeOf(manager.get("plan")).toEqualTypeOf<SharedContext<Plan> | undefined>();
  expectTypeOf(context.data.step).toEqualTypeOf<number>();
  expectTypeOf(context.data.tasks).toEqualTypeOf<readonly { readonly id: number; readonly done: boolean }[]>();
  const attempts = (): void => {
    // @ts-expect-error data is readonly
    context.data.step = 2;
    // @ts-expect-error arrays are readonly
    context.data.tasks.push({ id: 1, done: false });
    // @ts-expect-error nested data is readonly
    context.data.tasks[0]!.done = true;
    // @ts-expect-error snapshots are readonly
    context.version = "2";
  };
  expectTypeOf(attempts).returns.toBeVoid();
});

it("what was read can be written back", () => {
  manager.update("plan", { ...context.data, step: 2 }, context);
  const attempts = (): void => {
    // @ts-expect-error a field is missing
    manager.update("plan", { step: 2 }, context);
    // @ts-expect-error a field has the wrong type
    manager.create("other", { step: "1", tasks: [] });
    // @ts-expect-error an unknown field
    manager.create("other", { step: 1, tasks: [], extra: 1 });
    // @ts-expect-error versions are strings or snapshots
    manager.update("plan", { step: 2, tasks: [] }, 1);
    // @ts-expect-error the expected version is not optional
    manager.update("plan", { step: 2, tasks: [] });
    // @ts-expect-error options are known
    new SharedContextManager({ isolation: "none" });
    // @ts-expect-error data is an object
    new SharedContextManager<string>();
  };
  expectTypeOf(attempts).returns.toBeVoid();
});

it("without a type, data is JSON", () => {
  const json = new SharedContextManager();
  expectTypeOf(json.get("a")).toEqualTypeOf<SharedContext<JsonObject> | undefined>();
  const attempts = (): void => {
    // @ts-expect-error a Date is no JSON value
    json.create("a", { when: new Date() });
    // @ts-expect-error a function is no JSON value
    json.create("a", { run: () => 1 });
  };
  json.create("a", { text: "x", list: [1, null, { x: true }], gone: undefined });
  expectTypeOf(attempts).returns.toBeVoid();
});

it("a code narrows the details", () => {
  const error: unknown = undefined;
  if (isContextError(error, "CONFLICT")) expectTypeOf(error).toEqualTypeOf<ContextError<"CONFLICT">>();
  if (isContextError(error) && error.code === "LOCKED") expectTypeOf(error.details.owner).toEqualTypeOf<string>();
  if (isContextError(error, "NOT_FOUND")) {
    // @ts-expect-error there is no owner of what is not there
    expectTypeOf(error.details.owner);
  }
});
