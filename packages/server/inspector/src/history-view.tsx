import { useEffect, useMemo, useState } from "preact/hooks";
import { RestoreButton } from "./actions.tsx";
import { ApiError } from "./api.ts";
import { Cell } from "./conflict-list.tsx";
import { type Difference, differences } from "./difference.ts";
import { formatTime, visible } from "./format.ts";
import { useReading, useStore } from "./hooks.ts";
import type { ContextBody } from "./types.ts";

const STEP_MS = 900;

interface HistoryViewProps {
  readonly context: ContextBody;
  readonly isGone: boolean;
  readonly onDone: () => void;
}

export function HistoryView({ context, isGone, onDone }: HistoryViewProps) {
  const store = useStore();
  const { versions, problem } = useHistory(context);
  // Versions by name, not by place: as new ones come, the oldest go.
  const [picked, setPicked] = useState<{ from: string; to: string } | undefined>();
  const [isPlaying, setPlaying] = useState(false);
  const last = versions.length - 1;
  const place = (version: string | undefined, otherwise: number): number => {
    const at = versions.findIndex((entry) => entry.version === version);
    return at < 0 ? otherwise : at;
  };
  const to = place(picked?.to, last);
  const from = place(picked?.from, Math.max(0, to - 1));
  const pick = (first: number, second: number): void => {
    const [one, other] = [versions[first], versions[second]];
    if (one !== undefined && other !== undefined) setPicked({ from: one.version, to: other.version });
  };
  useEffect(() => {
    if (!isPlaying) return undefined;
    if (to >= last) {
      setPlaying(false);
      return undefined;
    }
    const timer = setTimeout(() => pick(to, to + 1), STEP_MS);
    return () => clearTimeout(timer);
  }, [isPlaying, to, last]);
  const before = versions[from];
  const after = versions[to];
  const found = useMemo(() => (before && after ? differences(before.data, after.data) : []), [before, after]);
  if (problem !== undefined) return <p class="error">{problem}</p>;
  if (before === undefined || after === undefined) return <p class="quiet">Reading the history…</p>;
  const play = (): void => {
    // From the end it begins again.
    if (!isPlaying && to >= last) pick(0, Math.min(1, last));
    setPlaying(!isPlaying);
  };
  return (
    <div class="history">
      <Slider name="From" versions={versions} at={from} onPick={(at) => pick(at, to)} />
      <Slider name="To" versions={versions} at={to} onPick={(at) => pick(from, at)} />
      <div class="controls">
        <button type="button" aria-pressed={isPlaying} onClick={play} disabled={last < 1}>
          {isPlaying ? "Stop" : "Play"}
        </button>
        <button type="button" onClick={() => pick(Math.max(0, to - 2), Math.max(0, to - 1))} disabled={to < 1}>
          Earlier
        </button>
        <button type="button" onClick={() => pick(to, to + 1)} disabled={to >= last}>
          Later
        </button>
        {!isGone && store.isAdmin === true && after.version !== context.version && (
          <RestoreButton context={context} version={after.version} onDone={onDone} />
        )}
        <span class="quiet">{versions.length} versions are kept</span>
      </div>
      <DifferenceTable found={found} before={before} after={after} />
    </div>
  );
}

function useHistory(context: ContextBody) {
  const { api } = useStore();
  const [versions, setVersions] = useState<readonly ContextBody[]>([]);
  const [problem, setProblem] = useState<string | undefined>();
  const load = async (): Promise<void> => {
    try {
      const read = await api.history(context.context_id);
      // Answers may overtake each other.
      setVersions((before) => (lastRevision(before) > lastRevision(read) ? before : read));
      setProblem(undefined);
    } catch (error) {
      setProblem(error instanceof ApiError ? error.problem.detail : "The server does not answer.");
    }
  };
  useReading(load, 500, [api, context.context_id, context.version, context.incarnation]);
  // What has been read stays.
  return { versions, problem: versions.length === 0 ? problem : undefined };
}

function lastRevision(versions: readonly ContextBody[]): number {
  return versions.at(-1)?.revision ?? 0;
}

interface SliderProps {
  readonly name: string;
  readonly versions: readonly ContextBody[];
  readonly at: number;
  readonly onPick: (at: number) => void;
}

function Slider({ name, versions, at, onPick }: SliderProps) {
  const entry = versions[at];
  if (entry === undefined) return null;
  const who = visible(entry.updated_by ?? "nobody named", 80);
  const when = formatTime(Date.parse(entry.updated_at));
  return (
    <label class="slider">
      <span>{name}</span>
      <input
        type="range"
        min={0}
        max={versions.length - 1}
        value={at}
        aria-label={`${name} version`}
        aria-valuetext={`version ${entry.version} by ${who}`}
        onInput={(event) => onPick(Number(event.currentTarget.value))}
      />
      <span class="slider-text">
        <b>version {entry.version}</b> by <bdi>{who}</bdi> <span class="quiet">{when}</span>
        {entry.note !== undefined && (
          <>
            : <bdi>{visible(entry.note, 160)}</bdi>
          </>
        )}
      </span>
    </label>
  );
}

interface DifferenceTableProps {
  readonly found: readonly Difference[];
  readonly before: ContextBody;
  readonly after: ContextBody;
}

const MOST = 500;

function DifferenceTable({ found, before, after }: DifferenceTableProps) {
  if (before === after) return <p>Both are version {after.version}: pick two.</p>;
  if (found.length === 0) return <p>The data of both versions is the same.</p>;
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label="Difference by path">
      <table>
        <caption class="quiet">
          {found.length.toLocaleString("en")} {found.length === 1 ? "path differs" : "paths differ"}
          {found.length > MOST && `, the first ${MOST} are shown`}
        </caption>
        <thead>
          <tr>
            <th scope="col">Path</th>
            <th scope="col">In version {before.version}</th>
            <th scope="col">In version {after.version}</th>
          </tr>
        </thead>
        <tbody>
          {found.slice(0, MOST).map((difference) => (
            <tr key={difference.path}>
              <th scope="row">
                <span class="sign" aria-hidden="true">
                  {signOf(difference)}
                </span>
                <bdi>{difference.path === "" ? "all of the data" : visible(difference.path, 200)}</bdi>
              </th>
              <Cell value={difference.before} class="removed" />
              <Cell value={difference.after} class="added" />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function signOf({ before, after }: Difference): string {
  if (before === undefined) return "+";
  return after === undefined ? "−" : "~";
}
