import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ActivityView } from "./activity.tsx";
import { ContextView } from "./context-view.tsx";
import { DemoBar } from "./demo-bar.tsx";
import { EmptyView } from "./empty.tsx";
import { visible } from "./format.ts";
import { useNow, useStore } from "./hooks.ts";
import { Overview } from "./overview.tsx";
import { hashOf, type Place, readPlace } from "./place.ts";
import { TokenForm } from "./token-form.tsx";

export function App() {
  // What changes often draws itself; here it is only whether there is anything at all.
  const store = useStore(100);
  const place = usePlace();
  const main = useFocusOnMove(place);
  useTitle(place);
  const { connectionState: connection, isFilled, state } = store;
  const isRefused = connection.state === "refused";
  const isEmpty = state.contexts.size === 0;
  // The same element while the place is: the view draws itself when the store changes.
  const view = useMemo(() => <View place={place} isEmpty={isEmpty} />, [place, isEmpty]);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => skip(event, main.current)}>
        To the content
      </a>
      <header class="top">
        <h1>
          <a href={hashOf({ view: "contexts" })}>Shared contexts</a>
        </h1>
        <nav aria-label="Views">
          <NavLink to={{ view: "contexts" }} isHere={place.view !== "activity"} label="Contexts" />
          <NavLink to={{ view: "activity" }} isHere={place.view === "activity"} label="Activity" />
        </nav>
        <ConnectionBadge />
      </header>
      <DemoBar />
      <main id="main" ref={main} tabIndex={-1}>
        {isRefused && <TokenForm why={connection.why} status={connection.status} />}
        {!isRefused && !isFilled && <p class="quiet">Reading the contexts…</p>}
        {!isRefused && isFilled && view}
      </main>
    </>
  );
}

function View({ place, isEmpty }: { readonly place: Place; readonly isEmpty: boolean }) {
  if (place.view === "activity") return <ActivityView />;
  if (place.view === "context") return <ContextView key={place.contextId} contextId={place.contextId} />;
  return isEmpty ? <EmptyView /> : <Overview />;
}

function NavLink({ to, isHere, label }: { readonly to: Place; readonly isHere: boolean; readonly label: string }) {
  return (
    <a href={hashOf(to)} {...(isHere ? { "aria-current": "page" as const } : {})}>
      {label}
    </a>
  );
}

function ConnectionBadge() {
  const { connectionState: connection } = useStore();
  const nowMs = useNow();
  let text = "Connecting…";
  if (connection.state === "live") text = "Live";
  if (connection.state === "refused") text = "Not connected";
  if (connection.state === "lost") {
    const seconds = Math.ceil((connection.retryAtMs - nowMs) / 1000);
    text = `Connection lost${seconds > 0 ? `, next attempt in ${seconds} s` : ", trying again"}`;
  }
  return (
    <p class={`badge ${connection.state}`} title={connection.state === "lost" ? connection.why : undefined}>
      <span class="dot" aria-hidden="true" />
      <span role="status">{connection.state === "lost" ? <span class="sr">Connection lost</span> : text}</span>
      {connection.state === "lost" && <span aria-hidden="true">{text}</span>}
    </p>
  );
}

function usePlace(): Place {
  const [place, setPlace] = useState(readPlace(location.hash));
  useEffect(() => {
    const listener = (): void => setPlace(readPlace(location.hash));
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, []);
  return place;
}

/** Whoever goes elsewhere by keyboard begins at the top of what has come. */
function useFocusOnMove(place: Place) {
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const hash = hashOf(place);
  useEffect(() => {
    if (!isFirst.current) main.current?.focus({ preventScroll: true });
    isFirst.current = false;
    scrollTo(0, 0);
  }, [hash]);
  return main;
}

/** For whoever has several tabs: a context's page is called by its id. */
function useTitle(place: Place): void {
  const name = place.view === "context" ? `${visible(place.contextId, 60)} · ` : "";
  useEffect(() => {
    document.title = `${name}Inspector · Shared Context Manager`;
  }, [name]);
}

function skip(event: Event, main: HTMLElement | null): void {
  event.preventDefault();
  main?.focus();
}
