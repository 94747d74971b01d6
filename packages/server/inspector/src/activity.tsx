import { useState } from "preact/hooks";
import { Charts } from "./chart.tsx";
import { formatClock, visible } from "./format.ts";
import { useMedia, useStore } from "./hooks.ts";
import { hashOf } from "./place.ts";
import { type Activity, type ActivityFilter, filterActivity } from "./state.ts";
import { type Kind, KINDS } from "./types.ts";
import { VirtualList } from "./virtual-list.tsx";

export function ActivityView() {
  const store = useStore();
  const [filter, setFilter] = useState<ActivityFilter>({ agent: "", kind: "", context: "" });
  const [pausedAt, setPausedAt] = useState<Activity | undefined>();
  const [active, setActive] = useState(-1);
  const isNarrow = useMedia("(max-width: 700px)");
  const { activity } = store.state;
  const all = filterActivity(activity, filter);
  const end = pausedAt === undefined ? all.length : placeAfter(all, pausedAt);
  const shown = all.slice(0, end).reverse();
  const open = (row: number): void => {
    const contextId = shown[row]?.contextId;
    if (contextId !== null && contextId !== undefined) location.hash = hashOf({ view: "context", contextId });
  };
  return (
    <section aria-label="Activity">
      <Charts />
      <Filters filter={filter} setFilter={setFilter} />
      <Controls all={all} end={end} isPaused={pausedAt !== undefined} pause={setPausedAt} />
      <VirtualList
        class="activity"
        label={`Changes, ${shown.length}, the newest first. Enter opens the context.`}
        role="listbox"
        count={shown.length}
        rowHeight={isNarrow ? 56 : 30}
        keyOf={(row) => shown[row]?.key ?? String(row)}
        active={active}
        onActive={setActive}
        onOpen={open}
        render={(row) => {
          const entry = shown[row];
          return entry && <ActivityRow entry={entry} />;
        }}
      />
      {shown.length === 0 && <p class="quiet">Nothing yet, or nothing that fits the filter.</p>}
    </section>
  );
}

/** How many of the list are not newer than the entry. */
function placeAfter(all: readonly Activity[], entry: Activity): number {
  const at = all.findLastIndex(({ key, revision }) => key === entry.key || revision <= entry.revision);
  return at + 1;
}

interface FilterProps {
  readonly filter: ActivityFilter;
  readonly setFilter: (filter: ActivityFilter) => void;
}

function Filters({ filter, setFilter }: FilterProps) {
  return (
    <div class="filters" role="search">
      <label>
        Agent
        <input
          type="search"
          value={filter.agent}
          onInput={(event) => setFilter({ ...filter, agent: event.currentTarget.value })}
        />
      </label>
      <label>
        Kind
        <select
          value={filter.kind}
          onChange={(event) => setFilter({ ...filter, kind: event.currentTarget.value as Kind | "" })}
        >
          <option value="">all</option>
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {kind}
            </option>
          ))}
        </select>
      </label>
      <label>
        Context
        <input
          type="search"
          value={filter.context}
          onInput={(event) => setFilter({ ...filter, context: event.currentTarget.value })}
        />
      </label>
    </div>
  );
}

interface ControlProps {
  readonly all: readonly Activity[];
  readonly end: number;
  readonly isPaused: boolean;
  readonly pause: (at: Activity | undefined) => void;
}

function Controls({ all, end, isPaused, pause }: ControlProps) {
  const store = useStore();
  const [said, setSaid] = useState("");
  const load = async (): Promise<void> => {
    setSaid("Reading the log…");
    try {
      const count = await store.rewind();
      setSaid(count === 0 ? "The log keeps nothing older." : `${count.toLocaleString("en")} older changes read.`);
    } catch {
      setSaid("The log could not be read.");
    }
  };
  const newer = all.length - end;
  return (
    <div class="controls">
      <button
        type="button"
        aria-pressed={isPaused}
        onClick={() => pause(isPaused ? undefined : all.at(-1))}
        disabled={all.length === 0}
      >
        {isPaused ? "Resume" : "Pause"}
      </button>
      <label class="rewind">
        Rewind
        <input
          type="range"
          min={1}
          max={Math.max(1, all.length)}
          value={Math.max(1, end)}
          disabled={all.length === 0}
          aria-valuetext={`change ${end} of ${all.length}`}
          onInput={(event) => pause(all[Number(event.currentTarget.value) - 1])}
        />
      </label>
      <button type="button" onClick={() => void load()}>
        Read the kept log
      </button>
      <p class="quiet" role="status">
        {isPaused && `${newer.toLocaleString("en")} newer ${newer === 1 ? "change" : "changes"}. `}
        {said}
      </p>
    </div>
  );
}

function ActivityRow({ entry }: { readonly entry: Activity }) {
  const { kind, contextId, agentId, note, version, revision } = entry;
  return (
    <div class="activity-row">
      <span class="quiet revision" title="revision">
        {revision}
      </span>
      <Clock entry={entry} />
      <span class={`kind ${kind}`}>{kind === "current" ? "missed" : kind}</span>
      <bdi class="id">{contextId === null ? "" : visible(contextId, 120)}</bdi>
      <span class="version">{version === null ? "" : `v${version}`}</span>
      <bdi class="who">{agentId === null ? "–" : visible(agentId, 80)}</bdi>
      <bdi class="quiet note">{note === null ? "" : visible(note, 160)}</bdi>
    </div>
  );
}

/** The log has no time of releases and deletions: then the time of the change before is the earliest. */
function Clock({ entry: { atMs, afterMs } }: { readonly entry: Activity }) {
  if (atMs !== null || afterMs === undefined) return <span class="quiet clock">{formatClock(atMs)}</span>;
  return (
    <span class="quiet clock" title="At this time or later: the log has no time of it.">
      <span aria-hidden="true">≥</span>
      <span class="sr">not before </span>
      {formatClock(afterMs)}
    </span>
  );
}
