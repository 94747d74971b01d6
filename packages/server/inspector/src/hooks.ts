/** What components share: the store, the time, the width. */

import { createContext } from "preact";
import { useContext, useEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { Pace } from "./pace.ts";
import type { Store } from "./store.ts";

// The value is there before anything is drawn: see `main.tsx`.
export const StoreContext = createContext<Store>(undefined as unknown as Store);

/**
 * The store; the component is drawn again whenever it has changed.
 *
 * @param everyMs - at most so often: for what looks at every context and is read at leisure.
 */
export function useStore(everyMs = 0): Store {
  const store = useContext(StoreContext);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const pace = new Pace(() => redraw(undefined), everyMs);
    const stop = store.subscribe(() => (everyMs === 0 ? redraw(undefined) : pace.ask()));
    return () => {
      stop();
      pace.stop();
    };
  }, [store, everyMs]);
  return store;
}

/**
 * Reads when it is drawn first, and again whenever one of `what` has changed.
 *
 * @param everyMs - at most so often: of what changes on and on, what is shown follows.
 */
export function useReading(read: () => Promise<void> | undefined, everyMs: number, what: readonly unknown[]): void {
  const latest = useRef(read);
  latest.current = read;
  const pace = useMemo(() => new Pace(() => void latest.current(), everyMs), [everyMs]);
  useEffect(() => pace.ask(), what);
  useEffect(() => () => pace.stop(), [pace]);
}

/** The time of the server, again each second. */
export function useNow(): number {
  const { api } = useContext(StoreContext);
  const [nowMs, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  // Drawings between two seconds must not show a time before a change.
  return Math.max(nowMs, Date.now() - 1_000) + api.skewMs;
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const listener = (): void => setMatches(media.matches);
    media.addEventListener("change", listener);
    return () => media.removeEventListener("change", listener);
  }, [query]);
  return matches;
}
