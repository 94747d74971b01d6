import { formatTime, visible } from "./format.ts";
import type { KnownConflict } from "./store.ts";
import { brief } from "./tree.ts";
import type { Json, PathConflict } from "./types.ts";

interface ConflictListProps {
  readonly conflicts: readonly KnownConflict[];
  readonly isTold: boolean;
}

export function ConflictList({ conflicts, isTold }: ConflictListProps) {
  return (
    <div>
      {!isTold && (
        <p class="quiet">
          This server counts the conflicts of agents, and does not tell of each. Those of this page are here.
        </p>
      )}
      {conflicts.length === 0 && <p>No conflicts.</p>}
      {conflicts.map((conflict) => (
        <section key={`${conflict.atMs} ${conflict.agentId ?? ""}`} class="conflict">
          <h3>
            {formatTime(conflict.atMs)},{" "}
            <bdi>{conflict.agentId === null ? "this page" : visible(conflict.agentId, 80)}</bdi>
          </h3>
          <ConflictTable conflicts={conflict.conflicts} />
        </section>
      ))}
    </div>
  );
}

export interface ConflictTableProps {
  readonly conflicts: readonly PathConflict[];
  /** Which side is taken at a path; the table asks when it can be told. */
  readonly choose?: (path: string, isMine: boolean) => void;
  readonly isMine?: (path: string) => boolean;
}

/** What the writer had read, what it wanted, and what was there: path by path. */
export function ConflictTable({ conflicts, choose, isMine }: ConflictTableProps) {
  if (conflicts.length === 0) return <p>The versions differ, and no base is kept to tell by path what has changed.</p>;
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label="Conflicts by path">
      <table>
        <thead>
          <tr>
            <th scope="col">Path</th>
            <th scope="col">Base</th>
            <th scope="col">Yours</th>
            <th scope="col">Theirs</th>
            {choose !== undefined && <th scope="col">Keep</th>}
          </tr>
        </thead>
        <tbody>
          {conflicts.map(({ path, base, yours, theirs }) => (
            <tr key={path}>
              <th scope="row">
                <bdi>{path === "" ? "all of the data" : visible(path, 200)}</bdi>
              </th>
              <Cell value={base} />
              <Cell value={yours} class="added" />
              <Cell value={theirs} class="removed" />
              {choose !== undefined && (
                <td>
                  <select
                    aria-label={`Keep at ${visible(path, 200)}`}
                    value={isMine?.(path) === true ? "yours" : "theirs"}
                    onChange={(event) => choose(path, event.currentTarget.value === "yours")}
                  >
                    <option value="theirs">theirs</option>
                    <option value="yours">yours</option>
                  </select>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Cell({ value, class: name = "" }: { readonly value: Json | undefined; readonly class?: string }) {
  const isWhole = typeof value === "object" && value !== null;
  const text = isWhole ? JSON.stringify(value) : brief(value, 400);
  return (
    <td class={value === undefined ? "quiet" : name}>
      <bdi>{visible(text, 400)}</bdi>
    </td>
  );
}
