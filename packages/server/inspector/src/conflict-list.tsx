import { formatTime, visible } from "./format.ts";
import type { KnownConflict } from "./store.ts";
import { brief } from "./tree.ts";
import type { Json, PathConflict } from "./types.ts";

export function ConflictList({ conflicts }: { readonly conflicts: readonly KnownConflict[] }) {
  return (
    <div>
      {conflicts.length === 0 && (
        <p>No conflicts here, as far as the server remembers: it keeps the latest hundred of all contexts.</p>
      )}
      {conflicts.map((conflict) => (
        <section key={conflict.key} class="conflict">
          <h3>
            {formatTime(conflict.atMs)}, <bdi>{visible(conflict.agentId, 80)}</bdi>
          </h3>
          <p class="quiet">
            It had read version {conflict.expected}, and version {conflict.version} was there. Nothing was written.
          </p>
          <ConflictTable conflicts={conflict.conflicts} />
          {conflict.more > 0 && <p class="quiet">and {conflict.more} paths more</p>}
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
            {choose !== undefined && <th scope="col">Keep</th>}
            <th scope="col">Base</th>
            <th scope="col">Yours</th>
            <th scope="col">Theirs</th>
          </tr>
        </thead>
        <tbody>
          {conflicts.map(({ path, base, yours, theirs, shortened = [] }) => (
            <tr key={path}>
              <th scope="row">
                <bdi>{path === "" ? "all of the data" : visible(path, 200)}</bdi>
              </th>
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
              <Cell value={base} isText={shortened.includes("base")} />
              <Cell value={yours} isText={shortened.includes("yours")} class="added" />
              <Cell value={theirs} isText={shortened.includes("theirs")} class="removed" />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface CellProps {
  readonly value: Json | undefined;
  readonly class?: string;
  /** It is the beginning of some JSON, as text. */
  readonly isText?: boolean;
}

export function Cell({ value, class: name = "", isText = false }: CellProps) {
  const isWhole = typeof value === "object" && value !== null;
  const isPlain = isText && typeof value === "string";
  const text = isPlain ? value : isWhole ? JSON.stringify(value) : brief(value, 400);
  return (
    <td class={value === undefined ? "quiet" : name}>
      <bdi>{visible(text, 400)}</bdi>
    </td>
  );
}
