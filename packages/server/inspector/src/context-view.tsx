import { useState } from "preact/hooks";
import { Actions } from "./actions.tsx";
import { ApiError } from "./api.ts";
import { ConflictList } from "./conflict-list.tsx";
import { CopyButton } from "./copy.tsx";
import { formatAge, formatBytes, formatTime, visible } from "./format.ts";
import { HistoryView } from "./history-view.tsx";
import { useNow, useReading, useStore } from "./hooks.ts";
import { LockBadge } from "./overview.tsx";
import { curlOf } from "./snippets.ts";
import { TreeView } from "./tree-view.tsx";
import type { BlameLine, ContextBody } from "./types.ts";

type Tab = "data" | "history" | "conflicts";
const TABS: readonly { readonly tab: Tab; readonly label: string }[] = [
  { tab: "data", label: "Data" },
  { tab: "history", label: "History" },
  { tab: "conflicts", label: "Conflicts" },
];

export interface Loaded {
  readonly context: ContextBody;
  readonly blame: readonly BlameLine[];
}

export function ContextView({ contextId }: { readonly contextId: string }) {
  const store = useStore();
  const [tab, setTab] = useState<Tab>("data");
  const { loaded, problem, reload } = useLoaded(contextId);
  const item = store.state.contexts.get(contextId);
  if (loaded === undefined) {
    return (
      <section class="panel">
        <h2>
          <bdi>{visible(contextId)}</bdi>
        </h2>
        {problem === undefined ? <p class="quiet">Reading…</p> : <p class="error">{problem}</p>}
      </section>
    );
  }
  const { context } = loaded;
  const conflicts = store.knownConflicts.filter((conflict) => conflict.contextId === contextId);
  return (
    <section class="one" aria-labelledby="one-title">
      <h2 id="one-title">
        <bdi>{visible(contextId)}</bdi>
      </h2>
      {item === undefined && (
        <p class="warn" role="alert">
          This context has been deleted. Below is what was read last.
        </p>
      )}
      <Facts context={context} />
      <div class="controls">
        <CopyButton label="Copy JSON" text={() => JSON.stringify(context.data, null, 2)} />
        <CopyButton label="Copy curl" text={() => curlOf(location.origin, contextId, store.api.token !== null)} />
        {item !== undefined && store.isAdmin === true && <Actions context={context} onDone={reload} />}
        {store.isAdmin === false && <span class="quiet">This token may look, not act: that needs admin rights.</span>}
      </div>
      <Tabs tab={tab} setTab={setTab} count={conflicts.length} />
      <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`}>
        {tab === "data" && <TreeView data={context.data} blame={loaded.blame} />}
        {tab === "history" && <HistoryView context={context} isGone={item === undefined} onDone={reload} />}
        {tab === "conflicts" && <ConflictList conflicts={conflicts} />}
      </div>
    </section>
  );
}

/** The context and who wrote it, read again whenever its version has changed. */
function useLoaded(contextId: string) {
  const store = useStore();
  const [loaded, setLoaded] = useState<Loaded | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const { api } = store;
  const item = store.state.contexts.get(contextId);
  const load = async (): Promise<void> => {
    try {
      const [context, blame] = await Promise.all([api.get(contextId), api.blame(contextId).catch(() => [])]);
      // Answers may overtake each other.
      setLoaded((before) =>
        before !== undefined && before.context.revision > context.revision ? before : { context, blame },
      );
      setProblem(undefined);
    } catch (error) {
      setProblem(error instanceof ApiError ? error.problem.detail : "The server does not answer.");
    }
  };
  const isWanted = item !== undefined || (loaded === undefined && problem === undefined);
  // A context that changes sixty times a second is read four times.
  useReading(() => (isWanted ? load() : undefined), 250, [api, contextId, item?.incarnation, item?.version]);
  return { loaded, problem, reload: () => void load() };
}

function Facts({ context }: { readonly context: ContextBody }) {
  const store = useStore();
  const nowMs = useNow();
  const item = store.state.contexts.get(context.context_id) ?? context;
  const writtenMs = Date.parse(item.updated_at);
  return (
    <dl class="facts wide">
      <Fact name="version">{item.version}</Fact>
      <Fact name="size">{formatBytes(item.bytes)}</Fact>
      <Fact name="written by">
        <bdi>{item.updated_by === undefined ? "–" : visible(item.updated_by, 80)}</bdi>
      </Fact>
      <Fact name="written">
        <time dateTime={item.updated_at} title={formatTime(writtenMs)}>
          {formatAge(nowMs - writtenMs)} ago
        </time>
      </Fact>
      <Fact name="created">{formatTime(Date.parse(item.created_at))}</Fact>
      {item.note !== undefined && (
        <Fact name="note">
          <bdi>{visible(item.note)}</bdi>
        </Fact>
      )}
      <Fact name="lock">{item.locked_by === null ? "free" : <LockBadge item={item} nowMs={nowMs} />}</Fact>
    </dl>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface TabsProps {
  readonly tab: Tab;
  readonly setTab: (tab: Tab) => void;
  readonly count: number;
}

function Tabs({ tab, setTab, count }: TabsProps) {
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = TABS.findIndex((entry) => entry.tab === tab);
    const next = TABS[(at + step + TABS.length) % TABS.length];
    if (next === undefined) return;
    setTab(next.tab);
    document.querySelector<HTMLElement>(`#tab-${next.tab}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Of this context" onKeyDown={move}>
      {TABS.map(({ tab: name, label }) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          aria-selected={tab === name}
          {...(tab === name ? { "aria-controls": `panel-${name}` } : {})}
          tabIndex={tab === name ? 0 : -1}
          onClick={() => setTab(name)}
        >
          {label}
          {name === "conflicts" && count > 0 && ` (${count})`}
        </button>
      ))}
    </div>
  );
}
