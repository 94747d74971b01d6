import { useState } from "preact/hooks";
import { problemText } from "./dialog.tsx";
import { PIECES } from "./demo.ts";
import { visible } from "./format.ts";
import { useStore } from "./hooks.ts";
import { hashOf } from "./place.ts";

/** How far the demo is, whatever else is looked at; it can be stopped, and says what it has left. */
export function DemoBar() {
  const { demo } = useStore(100);
  const [problem, setProblem] = useState("");
  const { state } = demo;
  if (state === undefined) return null;
  const { phase, contextId, agents, written, conflicts, outcome } = state;
  const isRunning = phase === "running";
  const remove = async (): Promise<void> => {
    setProblem("");
    try {
      await demo.remove();
      location.hash = hashOf({ view: "contexts" });
    } catch (error) {
      setProblem(problemText(error));
    }
  };
  return (
    <section class="demo" aria-label="Demo">
      <progress max={PIECES} value={written} aria-label="Pieces written" />
      <p>
        <b>{agents} agents</b> write <a href={hashOf({ view: "context", contextId })}>one report</a>: {written} of{" "}
        {PIECES} pieces, {conflicts} conflicts, each tried again.
      </p>
      <p role="status">
        {isRunning && written === PIECES && "One reviews it under a lock, and another waits for the lock."}
        {phase === "done" && outcome}
        {phase === "stopped" && "Stopped."}
        {phase === "failed" && <span class="error">It failed: {visible(outcome)}</span>}
        {!isRunning && ` It has left the context ${contextId}.`}
      </p>
      {problem !== "" && (
        <p class="error" role="alert">
          {problem}
        </p>
      )}
      <div class="controls">
        {isRunning && (
          <button type="button" onClick={() => demo.stop()}>
            Stop the demo
          </button>
        )}
        {!isRunning && (
          <>
            <button type="button" onClick={() => void remove()}>
              Delete what it made
            </button>
            <button type="button" onClick={() => demo.close()}>
              Keep it
            </button>
          </>
        )}
      </div>
    </section>
  );
}
