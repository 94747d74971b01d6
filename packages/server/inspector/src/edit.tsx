import { useId, useState } from "preact/hooks";
import { ApiError } from "./api.ts";
import { ConflictTable } from "./conflict-list.tsx";
import { ActDialog } from "./dialog.tsx";
import { type Operation, operationsOf } from "./difference.ts";
import { visible } from "./format.ts";
import { useStore } from "./hooks.ts";
import { isObject, overlap } from "./pointer.ts";
import type { ContextBody, Json, PathConflict, Summary } from "./types.ts";

interface EditDialogProps {
  readonly context: ContextBody;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** What others wrote meanwhile at the same paths, and where to go on from. */
interface Met {
  readonly conflicts: readonly PathConflict[];
  readonly current: Summary;
}

/** Edits the data as JSON. Only what was changed is written, on the version that was read: as an agent does it. */
export function EditDialog({ context, onClose, onDone }: EditDialogProps) {
  const store = useStore();
  const [text, setText] = useState(() => JSON.stringify(context.data, null, 2));
  const [met, setMet] = useState<Met | undefined>();
  const [mine, setMine] = useState<ReadonlySet<string>>(new Set());
  const id = useId();
  const act = async (reason: string): Promise<void> => {
    const operations = operationsOf(context.data, parse(text)).filter(
      ({ path }) => met === undefined || isKept(path, met, mine),
    );
    if (operations.length === 0) throw new Error("Nothing has changed: there is nothing to write.");
    try {
      await store.api.patch(met?.current ?? context, operations, reason);
      onDone();
    } catch (error) {
      const next = metIn(error);
      if (next === undefined) throw error;
      setMet(next);
      setMine(new Set());
      throw new Error(refusal(next), { cause: error });
    }
  };
  const choose = (path: string, isMine: boolean): void => {
    const next = new Set(mine);
    if (isMine) next.add(path);
    else next.delete(path);
    setMine(next);
  };
  return (
    <ActDialog
      title={`Edit ${visible(context.context_id, 80)}, read at version ${context.version}`}
      confirm={met === undefined ? "Write" : "Write with these choices"}
      isWide
      act={act}
      onClose={onClose}
    >
      <label for={`${id}-data`}>Data, as JSON</label>
      <textarea
        id={`${id}-data`}
        rows={met === undefined ? 16 : 8}
        ref={toTheTop}
        spellcheck={false}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {met !== undefined && (
        <section aria-label="Conflict">
          <h3>
            Conflict with version {met.current.version}
            {met.current.updated_by !== undefined && (
              <>
                {" "}
                by <bdi>{visible(met.current.updated_by, 80)}</bdi>
              </>
            )}
          </h3>
          <ConflictTable conflicts={met.conflicts} choose={choose} isMine={(path) => mine.has(path)} />
        </section>
      )}
    </ActDialog>
  );
}

function refusal({ conflicts, current }: Met): string {
  return conflicts.length > 0
    ? "Nothing has been written: others have changed the same paths. Choose for each, and write again."
    : `Nothing has been written: it is at version ${current.version} now, and what has changed is not known. Written again, your changes go on top of it.`;
}

/** The browser puts the cursor behind the last line. */
function toTheTop(area: HTMLTextAreaElement | null): void {
  area?.setSelectionRange(0, 0);
}

function parse(text: string) {
  let data: Json;
  try {
    data = JSON.parse(text) as Json;
  } catch (error) {
    throw new Error(`This is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (!isObject(data)) throw new Error("The data of a context is a JSON object: { … }");
  return data;
}

/** Written again: what meets nobody, and where ours was chosen. */
function isKept(path: Operation["path"], { conflicts }: Met, mine: ReadonlySet<string>): boolean {
  return conflicts.every((conflict) => mine.has(conflict.path) || !overlap(path, conflict.path));
}

function metIn(error: unknown): Met | undefined {
  if (!(error instanceof ApiError) || error.problem.code !== "CONFLICT") return undefined;
  const { conflicts = [], current } = error.problem.details as { conflicts?: PathConflict[]; current?: Summary };
  return current === undefined ? undefined : { conflicts, current };
}
