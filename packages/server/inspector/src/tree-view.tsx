import { useMemo, useState } from "preact/hooks";
import { CopyButton } from "./copy.tsx";
import { formatAge, visible } from "./format.ts";
import { useNow } from "./hooks.ts";
import { blameByPath, brief, flatten, openable, type Row } from "./tree.ts";
import type { BlameLine, JsonObject } from "./types.ts";
import { VirtualList } from "./virtual-list.tsx";

/** As many rows are open at first as can be looked over. */
const OPEN_AT_FIRST = 200;
const MOST_OPEN = 50_000;

export function TreeView({ data, blame }: { readonly data: JsonObject; readonly blame: readonly BlameLine[] }) {
  const [opened, setOpened] = useState(() => openable(data, OPEN_AT_FIRST));
  const [activePath, setActivePath] = useState<string | undefined>();
  const [hovered, setHovered] = useState<string | undefined>();
  const rows = useMemo(() => flatten(data, (path) => opened.has(path)), [data, opened]);
  const writers = useMemo(() => blameByPath(blame), [blame]);
  const active = activePath === undefined ? -1 : rows.findIndex((row) => row.path === activePath);
  const toggle = (row: Row | undefined, isOpen: boolean): void => {
    if (row === undefined || row.size === 0 || row.isOpen === isOpen) return;
    const next = new Set(opened);
    if (isOpen) next.add(row.path);
    else next.delete(row.path);
    setOpened(next);
  };
  const onKey = (key: string, at: number): boolean => {
    const row = rows[at];
    if (row === undefined) return false;
    if (key === " ") toggle(row, !row.isOpen);
    else if (key === "ArrowRight" && !row.isOpen) toggle(row, true);
    else if (key === "ArrowRight") setActivePath(rows[at + 1]?.path ?? row.path);
    else if (key === "ArrowLeft" && row.isOpen) toggle(row, false);
    else if (key === "ArrowLeft") setActivePath(parentOf(row, rows, at));
    else return false;
    return true;
  };
  const shown = rows.find((row) => row.path === (hovered ?? activePath));
  return (
    <div class="tree-box">
      <div class="controls">
        <button type="button" onClick={() => setOpened(openable(data, MOST_OPEN))}>
          Open all
        </button>
        <button type="button" onClick={() => setOpened(new Set())}>
          Close all
        </button>
        <span class="quiet">{rows.length.toLocaleString("en")} rows</span>
      </div>
      {rows.length === 0 && <p class="quiet">The data is empty.</p>}
      <VirtualList
        class="tree"
        label="Data. Arrows move, right opens, left closes."
        role="tree"
        count={rows.length}
        rowHeight={26}
        keyOf={(row) => rows[row]?.path ?? String(row)}
        active={active}
        onActive={(row) => setActivePath(rows[row]?.path)}
        onOpen={(row) => toggle(rows[row], rows[row]?.isOpen !== true)}
        onHover={(row) => setHovered(row === undefined ? undefined : rows[row]?.path)}
        onKey={onKey}
        aria={(row) => ariaOf(rows[row])}
        render={(row) => {
          const entry = rows[row];
          return entry && <TreeRow row={entry} line={writerOf(entry.path, writers)} />;
        }}
      />
      <BlameBar row={shown} line={shown && writerOf(shown.path, writers)} />
    </div>
  );
}

function parentOf(row: Row, rows: readonly Row[], at: number): string {
  return rows.slice(0, at).findLast(({ level }) => level < row.level)?.path ?? row.path;
}

/** The line of the path, or of the nearest value around it. */
function writerOf(path: string, writers: ReadonlyMap<string, BlameLine>): BlameLine | undefined {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf("/"))) {
    const line = writers.get(at);
    if (line !== undefined || at === "") return line;
  }
}

function ariaOf(row: Row | undefined): Record<string, string | number | boolean> {
  if (row === undefined) return {};
  return { "aria-level": row.level, ...(row.size > 0 ? { "aria-expanded": row.isOpen } : {}) };
}

interface TreeRowProps {
  readonly row: Row;
  readonly line: BlameLine | undefined;
}

function TreeRow({ row, line }: TreeRowProps) {
  const kind = row.value === null ? "null" : typeof row.value;
  return (
    <div class="tree-row" style={{ paddingInlineStart: `${Math.min(row.level - 1, 20) * 16 + 4}px` }}>
      <span class="twist" aria-hidden="true">
        {row.size === 0 ? "" : <span class={row.isOpen ? "open" : ""}>▸</span>}
      </span>
      <bdi class="key">{visible(row.label, 200)}:</bdi>
      <bdi class={`value ${kind}`}>{visible(brief(row.value), 400)}</bdi>
      {line !== undefined && (
        <span class="sr">
          version {line.version} by {visible(line.agent_id ?? "nobody named", 80)}
        </span>
      )}
    </div>
  );
}

function BlameBar({ row, line }: { readonly row: Row | undefined; readonly line: BlameLine | undefined }) {
  const nowMs = useNow();
  if (row === undefined)
    return <p class="blame quiet">Point at a value, or move to it with the arrows, to see who wrote it.</p>;
  return (
    <div class="blame">
      <bdi class="path">{visible(row.path, 300)}</bdi>
      <span>
        {line === undefined ? (
          "no history of this path is kept"
        ) : (
          <>
            version {line.version}
            {line.or_earlier && " or earlier"} by <bdi>{visible(line.agent_id ?? "nobody named", 80)}</bdi>,{" "}
            {formatAge(nowMs - Date.parse(line.written_at))} ago
            {line.note !== null && (
              <>
                : <bdi>{visible(line.note, 300)}</bdi>
              </>
            )}
          </>
        )}
      </span>
      <CopyButton label="Copy value" text={() => JSON.stringify(row.value, null, 2)} />
    </div>
  );
}
