/** What a process does that only writes: one patch after another, the next one when the last one is acknowledged. */

import { type Recorder, stateOf } from "./history.ts";
import type { Manager } from "./package.ts";

export async function write(
  manager: Manager,
  recorder: Recorder,
  { process, ids, ms }: { readonly process: number; readonly ids: readonly string[]; readonly ms: number },
  random: () => number,
): Promise<void> {
  const endsAt = performance.now() + ms;
  const slot = `p${process}`;
  const agent = manager.agent(slot);
  for (let count = 1; performance.now() < endsAt; count++) {
    const id = ids[Math.floor(random() * ids.length)]!;
    const note = `${slot}#${count}`;
    await recorder.record(
      { does: "patch", ids: [id], agentId: slot, note, expected: null, token: null },
      () =>
        agent.patch(
          id,
          [
            { op: "increment", path: "/count", value: 1 },
            { op: "set", path: `/marks/${slot}`, value: note },
          ],
          undefined,
          { note },
        ),
      (left) => ({ states: { [id]: stateOf(left) } }),
      (error) => {
        throw error; // nothing here can be refused
      },
    );
  }
}
