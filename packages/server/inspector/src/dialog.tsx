import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ApiError } from "./api.ts";

export interface ActDialogProps {
  readonly title: string;
  readonly confirm: string;
  /** Does it; what it throws is shown, and the dialog stays. */
  readonly act: (reason: string) => Promise<void>;
  readonly onClose: () => void;
  readonly children?: ComponentChildren;
  readonly isWide?: boolean;
  readonly isDangerous?: boolean;
}

/** Asks for a reason, which is recorded, and for a confirmation. The browser keeps the focus inside. */
export function ActDialog({ title, confirm, act, onClose, children, isWide, isDangerous }: ActDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await act(reason.trim());
      dialog.current?.close();
    } catch (error) {
      setProblem(problemText(error));
    }
    setBusy(false);
  };
  return (
    <dialog ref={dialog} class={isWide === true ? "wide" : ""} aria-labelledby={`${id}-title`} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id={`${id}-title`}>{title}</h2>
        {children}
        <label>
          Reason, kept in the log
          <input
            type="text"
            required
            maxLength={500}
            autocomplete="off"
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        {problem !== "" && (
          <p class="error" role="alert">
            {problem}
          </p>
        )}
        <div class="controls end">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button
            type="submit"
            class={isDangerous === true ? "danger" : "primary"}
            disabled={isBusy || reason.trim() === ""}
          >
            {confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** What was refused, or went wrong, for people. */
export function problemText(error: unknown): string {
  if (error instanceof ApiError) return `${error.problem.code}: ${error.problem.detail}`;
  return error instanceof Error ? error.message : "It did not work.";
}
