import { useState } from "preact/hooks";
import { ActDialog } from "./dialog.tsx";
import { EditDialog } from "./edit.tsx";
import { visible } from "./format.ts";
import { useStore } from "./hooks.ts";
import { hashOf } from "./place.ts";
import type { ContextBody } from "./types.ts";

interface ActionProps {
  /** As it was read: writes say so, and are refused when it is no longer so. */
  readonly context: ContextBody;
  readonly onDone: () => void;
}

type Act = "edit" | "unlock" | "delete";

export function Actions({ context, onDone }: ActionProps) {
  const store = useStore();
  // The dialog keeps the context that was there when it was opened.
  const [open, setOpen] = useState<{ act: Act; context: ContextBody } | undefined>();
  const lockedBy = store.state.contexts.get(context.context_id)?.locked_by ?? null;
  const begin = (act: Act) => (): void => setOpen({ act, context });
  const close = (): void => setOpen(undefined);
  const id = visible(context.context_id, 80);
  return (
    <>
      <button type="button" onClick={begin("edit")}>
        Edit…
      </button>
      {lockedBy !== null && (
        <button type="button" onClick={begin("unlock")}>
          Force unlock…
        </button>
      )}
      <button type="button" class="danger" onClick={begin("delete")}>
        Delete…
      </button>
      {open?.act === "edit" && <EditDialog context={open.context} onClose={close} onDone={onDone} />}
      {open?.act === "unlock" && (
        <ActDialog
          title={`Break the lock on ${id}?`}
          confirm="Force unlock"
          isDangerous
          onClose={close}
          act={async (reason) => {
            await store.api.forceUnlock(context.context_id, reason);
            onDone();
          }}
        >
          <p>
            <bdi>{visible(lockedBy ?? "nobody", 80)}</bdi> holds it. Its lease is lost for good, it reads the reason,
            and the first that waits gets the lock.
          </p>
        </ActDialog>
      )}
      {open?.act === "delete" && (
        <ActDialog
          title={`Delete ${id}?`}
          confirm="Delete"
          isDangerous
          onClose={close}
          act={async (reason) => {
            await store.api.delete(open.context, reason);
            location.hash = hashOf({ view: "contexts" });
          }}
        >
          <p>Version {open.context.version} and its history go. This cannot be undone here.</p>
        </ActDialog>
      )}
    </>
  );
}

export function RestoreButton({ context, version, onDone }: ActionProps & { readonly version: string }) {
  const { api } = useStore();
  const [base, setBase] = useState<ContextBody | undefined>();
  return (
    <>
      <button type="button" onClick={() => setBase(context)}>
        Restore version {version}…
      </button>
      {base !== undefined && (
        <ActDialog
          title={`Restore version ${version} of ${visible(context.context_id, 80)}?`}
          confirm="Restore"
          onClose={() => setBase(undefined)}
          act={async (reason) => {
            await api.restore(base, version, reason);
            onDone();
          }}
        >
          <p>Its data becomes a new version after {base.version}; nothing of the history is lost.</p>
        </ActDialog>
      )}
    </>
  );
}
