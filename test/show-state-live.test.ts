// @vitest-environment happy-dom
/** The hook of the guide in a DOM: what it shows, how often it renders, and that nothing is left behind. */

import { act, createElement, type ReactNode, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { SharedContextManager } from "shared-context-manager";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
const { Step, useSharedContext } = await import("../examples/show-state-live.ts");
log.mockRestore();

let manager: SharedContextManager<{ step: number }>;
let root: Root;
let page: HTMLElement;

function render(node: ReactNode): void {
  act(() => {
    root.render(node);
  });
}

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  // React says there when a snapshot is not stable.
  vi.spyOn(console, "error").mockImplementation((...values) => expect.fail(values.join(" ")));
  manager = new SharedContextManager<{ step: number }>();
  manager.create("plan", { step: 1 });
  page = document.createElement("main");
  root = createRoot(page);
});

function leave(): void {
  act(() => {
    root.unmount();
  });
  expect(manager.stats().watchers).toBe(0);
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
}

afterEach(leave);

describe("useSharedContext", () => {
  it("renders again after a change, and unsubscribes when unmounted", () => {
    render(createElement(Step, { manager, contextId: "plan" }));
    expect(page.innerHTML).toBe("<p>step 1</p>");
    expect(manager.stats().watchers).toBe(1);

    act(() => {
      manager.update("plan", { step: 2 }, "1");
    });
    expect(page.innerHTML).toBe("<p>step 2</p>");

    act(() => {
      root.unmount();
    });
    expect(page.innerHTML).toBe("");
    expect(manager.stats().watchers).toBe(0);
    root = createRoot(page);
  });

  it("shows that a context is deleted, and created again", () => {
    render(createElement(Step, { manager, contextId: "plan" }));
    act(() => {
      manager.delete("plan");
    });
    expect(page.innerHTML).toBe("<p>nothing yet</p>");
    act(() => {
      manager.create("plan", { step: 7 });
    });
    expect(page.innerHTML).toBe("<p>step 7</p>");
    act(() => {
      manager.clear();
    });
    expect(page.innerHTML).toBe("<p>nothing yet</p>");
  });

  it("follows the id that it is given", () => {
    manager.create("draft", { step: 5 });
    render(createElement(Step, { manager, contextId: "plan" }));
    render(createElement(Step, { manager, contextId: "draft" }));
    expect(page.innerHTML).toBe("<p>step 5</p>");
    act(() => {
      manager.update("draft", { step: 6 }, "1");
    });
    expect(page.innerHTML).toBe("<p>step 6</p>");
    expect(manager.stats().watchers).toBe(1);
  });

  it("gives the same snapshot until there is another one, and does not render for other contexts", () => {
    const seen: unknown[] = [];
    function Watcher(): ReactNode {
      seen.push(useSharedContext(manager, "plan"));
      return null;
    }
    render(createElement(Watcher));
    act(() => {
      manager.create("draft", { step: 1 });
    });
    expect(seen).toHaveLength(1);
    render(createElement(Watcher)); // by its parent, with nothing changed
    expect(seen).toHaveLength(2);
    expect(seen[1]).toBe(seen[0]);
    act(() => {
      manager.update("plan", { step: 2 }, "1");
    });
    expect(seen).toHaveLength(3);
    expect(seen[2]).not.toBe(seen[0]);
  });

  it("shows a write made between rendering and subscribing, also in strict mode", () => {
    function Writer(): ReactNode {
      if (manager.get("plan")?.version === "1") manager.update("plan", { step: 2 }, "1"); // as another agent would
      return null;
    }
    render(createElement(StrictMode, null, createElement(Step, { manager, contextId: "plan" }), createElement(Writer)));
    expect(page.innerHTML).toBe("<p>step 2</p>");
    expect(manager.stats().watchers).toBe(1);
  });
});
