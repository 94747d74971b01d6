import { useMemo, useRef, useState } from "preact/hooks";
import { type AgentInfo, lockWarning } from "./agents.ts";
import { AgentsPanel } from "./agents-panel.tsx";
import { Charts } from "./chart.tsx";
import { formatAge, formatBytes, formatCountdown, visible } from "./format.ts";
import { useMedia, useNow, useStore } from "./hooks.ts";
import { type ListQuery, select, type SortKey } from "./list.ts";
import { hashOf } from "./place.ts";
import type { Summary } from "./types.ts";
import { VirtualList } from "./virtual-list.tsx";

const COLUMNS: readonly { readonly key: SortKey; readonly label: string }[] = [
  { key: "context_id", label: "Context" },
  { key: "version", label: "Version" },
  { key: "bytes", label: "Size" },
  { key: "updated_by", label: "Last writer" },
  { key: "updated_at", label: "Age" },
  { key: "locked_by", label: "Lock" },
];

/** Kept while the page is: whoever comes back from a context finds the list as it was. */
let lastQuery: ListQuery = { search: "", prefix: "", sort: "updated_at", isDescending: true };

export function Overview() {
  const store = useStore();
  const nowMs = useNow();
  const [query, setQueryState] = useState(lastQuery);
  const [activeId, setActiveId] = useState<string | undefined>();
  const isNarrow = useMedia("(max-width: 700px)");
  const setQuery = (change: Partial<ListQuery>): void => {
    lastQuery = { ...lastQuery, ...change };
    setQueryState(lastQuery);
  };
  // The same elements each time: what they show changes less often than the list.
  const charts = useMemo(() => <Charts />, []);
  const agents = useMemo(() => <AgentsPanel onAgent={({ agentId }: AgentInfo) => setQuery({ search: agentId })} />, []);
  const { contexts } = store.state;
  const [isHeld, setHeld] = useState(false);
  const items = useOrder(select(contexts.values(), query), query, isHeld);
  const active = activeId === undefined ? -1 : items.findIndex((item) => item.context_id === activeId);
  const waiting = useMemo(
    () => new Map((store.queues ?? []).map((queue) => [queue.context_id, queue])),
    [store.queues],
  );
  const open = (row: number): void => {
    const item = items[row];
    if (item !== undefined) location.hash = hashOf({ view: "context", contextId: item.context_id });
  };
  const queueOf = (item: Summary): readonly string[] => {
    const agents = waiting.get(item.context_id)?.agents ?? [];
    return agents.map((id) => visible(id, 40));
  };
  return (
    <div class="columns">
      <section aria-label="Contexts" class="grow">
        {charts}
        <Filters query={query} setQuery={setQuery} shown={items.length} all={contexts.size} />
        <div class="list-head context-row" role="group" aria-label="Order" hidden={isNarrow}>
          {COLUMNS.map(({ key, label }) => (
            <SortButton key={key} label={label} sort={key} query={query} setQuery={setQuery} />
          ))}
        </div>
        <VirtualList
          onHold={setHeld}
          class="contexts"
          label={`Contexts, ${items.length}. Arrows move, Enter opens.`}
          role="listbox"
          count={items.length}
          rowHeight={isNarrow ? 64 : 36}
          keyOf={(row) => items[row]?.context_id ?? String(row)}
          active={active}
          onActive={(row) => setActiveId(items[row]?.context_id)}
          onOpen={open}
          render={(row) => {
            const item = items[row];
            return item && <ContextRow item={item} nowMs={nowMs} queue={queueOf(item)} />;
          }}
        />
        {items.length === 0 && <p class="quiet">No context fits this filter.</p>}
      </section>
      {agents}
    </div>
  );
}

/** While somebody points at the list or moves in it, what changes stays where it is, and what is new comes last. */
function useOrder(items: readonly Summary[], query: ListQuery, isHeld: boolean): readonly Summary[] {
  const held = useRef<{ readonly query: ListQuery; readonly ids: readonly string[] } | undefined>(undefined);
  if (!isHeld || held.current?.query !== query) {
    held.current = { query, ids: items.map((item) => item.context_id) };
    return items;
  }
  const places = new Map(held.current.ids.map((id, place) => [id, place]));
  const placeOf = (item: Summary): number => places.get(item.context_id) ?? places.size;
  return [...items].sort((one, other) => placeOf(one) - placeOf(other));
}

interface QueryProps {
  readonly query: ListQuery;
  readonly setQuery: (change: Partial<ListQuery>) => void;
}

function Filters({ query, setQuery, shown, all }: QueryProps & { readonly shown: number; readonly all: number }) {
  return (
    <div class="filters" role="search">
      <label>
        Search
        <input
          type="search"
          value={query.search}
          placeholder="id, writer or holder"
          onInput={(event) => setQuery({ search: event.currentTarget.value })}
        />
      </label>
      <label>
        Prefix
        <input
          type="search"
          value={query.prefix}
          placeholder="team/"
          onInput={(event) => setQuery({ prefix: event.currentTarget.value })}
        />
      </label>
      <label class="narrow-only">
        Sort by
        <select
          value={query.sort}
          onChange={(event) => {
            const sort = event.currentTarget.value as SortKey;
            setQuery({ sort, isDescending: isDescendingFirst(sort) });
          }}
        >
          {COLUMNS.map(({ key, label }) => (
            <option key={key} value={key}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <p class="quiet count" role="status">
        {shown === all
          ? `${all.toLocaleString("en")} ${all === 1 ? "context" : "contexts"}`
          : `${shown.toLocaleString("en")} of ${all.toLocaleString("en")}`}
      </p>
    </div>
  );
}

/** Names begin at A; numbers and times are looked at from the largest down. */
function isDescendingFirst(sort: SortKey): boolean {
  return sort !== "context_id" && sort !== "updated_by";
}

function SortButton({ label, sort, query, setQuery }: QueryProps & { readonly label: string; readonly sort: SortKey }) {
  const isHere = query.sort === sort;
  // An age grows as its time falls.
  const isDown = query.isDescending !== (sort === "updated_at");
  const arrow = isDown ? "▼" : "▲";
  const next = isHere ? !query.isDescending : isDescendingFirst(sort);
  return (
    <button
      type="button"
      class={`sort col-${sort}`}
      aria-label={`Sort by ${label.toLowerCase()}${isHere ? `, now ${isDown ? "descending" : "ascending"}` : ""}`}
      aria-pressed={isHere}
      onClick={() => setQuery({ sort, isDescending: next })}
    >
      {label} <span aria-hidden="true">{isHere ? arrow : ""}</span>
    </button>
  );
}

function ContextRow({
  item,
  nowMs,
  queue,
}: {
  readonly item: Summary;
  readonly nowMs: number;
  readonly queue: readonly string[];
}) {
  const ageMs = nowMs - Date.parse(item.updated_at);
  return (
    <div class="context-row">
      <bdi class="col-context_id id" title={visible(item.context_id)}>
        {visible(item.context_id, 200)}
      </bdi>
      <span class="col-version">
        <span class="sr">version </span>
        <span class="narrow-only" aria-hidden="true">
          v
        </span>
        {item.version}
      </span>
      <span class="col-bytes">{formatBytes(item.bytes)}</span>
      <bdi class="col-updated_by">{item.updated_by === undefined ? "–" : visible(item.updated_by, 80)}</bdi>
      <span class={`col-updated_at ${ageMs < 2_000 ? "fresh" : ""}`}>{formatAge(ageMs)}</span>
      <span class="col-locked_by">
        <LockBadge item={item} nowMs={nowMs} />
        {queue.length > 0 && <Queue agents={queue} />}
      </span>
    </div>
  );
}

function Queue({ agents }: { readonly agents: readonly string[] }) {
  return (
    <span class="queue" title={`waiting: ${agents.join(", ")}`}>
      <span class="narrow-only" aria-hidden="true">
        +{agents.length}
      </span>
      <span class="wide-only">
        waiting: <bdi>{agents.join(", ")}</bdi>
      </span>
    </span>
  );
}

/** Who holds the lock, and how long it lasts. */
export function LockBadge({ item, nowMs }: { readonly item: Summary; readonly nowMs: number }) {
  if (item.locked_by === null) return null;
  const warning = lockWarning(item, nowMs);
  const expiresAt = item.lock_expires_at;
  return (
    <span class={`lock ${warning === undefined ? "" : "warn"}`} title={warning}>
      <span aria-hidden="true">{warning === undefined ? "●" : "▲"} </span>
      <span class="sr">locked by </span>
      <bdi>{visible(item.locked_by, 60)}</bdi>{" "}
      <span class="countdown">
        {expiresAt === undefined ? "no expiry" : formatCountdown(Date.parse(expiresAt) - nowMs)}
      </span>
      {warning !== undefined && <span class="sr">: {warning}</span>}
    </span>
  );
}
