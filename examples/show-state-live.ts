// #region hook
import { useMemo, useSyncExternalStore } from "react";
import type { SharedContext, SharedContextManager } from "shared-context-manager";

/** The context as it is, or `undefined`; renders again after each change of it. */
export function useSharedContext<Data extends object>(
  manager: SharedContextManager<Data>,
  contextId: string,
): SharedContext<Data> | undefined {
  const { subscribe, getSnapshot } = useMemo(() => {
    let latest: SharedContext<Data> | undefined;
    return {
      subscribe: (onChange: () => void) => manager.subscribe(contextId, onChange),
      getSnapshot: () => {
        const context = manager.get(contextId); // a new object at each call
        if (context?.revision !== latest?.revision) latest = context;
        return latest;
      },
    };
  }, [manager, contextId]);
  return useSyncExternalStore(subscribe, getSnapshot, getSnapshot);
}
// #endregion

// #region component
import { createElement, type ReactNode } from "react";

export interface StepProps {
  readonly manager: SharedContextManager<{ step: number }>;
  readonly contextId: string;
}

export function Step({ manager, contextId }: StepProps): ReactNode {
  const context = useSharedContext(manager, contextId);
  return createElement("p", null, context === undefined ? "nothing yet" : `step ${context.data.step}`);
}
// #endregion

// #region server
import { renderToStaticMarkup } from "react-dom/server";
import { SharedContextManager as Manager } from "shared-context-manager";

const manager = new Manager<{ step: number }>();
manager.create("plan", { step: 1 });
console.log(renderToStaticMarkup(createElement(Step, { manager, contextId: "plan" })));
// prints: <p>step 1</p>
// #endregion
