/** What the listener does where a proxy pools transactions, shown without one. */

import { afterEach, expect, it, vi } from "vitest";
import type { Connections } from "../../src/engines/postgres/connection.ts";
import type { Statement } from "../../src/engines/postgres/driver.ts";
import { Listener } from "../../src/engines/postgres/listener.ts";

let listener: Listener | undefined;
afterEach(() => {
  listener?.close();
  vi.useRealTimers();
});

/** A client whose connection is served by one process, and which was told of another. */
function listen(told: number, serving: number): { statements: string[]; wakes: () => number; commit: () => void } {
  const statements: string[] = [];
  let head = 1;
  let wakes = 0;
  const client = {
    processID: told,
    connect: () => Promise.resolve(),
    end: () => Promise.resolve(),
    on: () => undefined,
    query({ text, callback }: Statement) {
      statements.push(text);
      queueMicrotask(() => callback(null, [[String(serving)]]));
    },
  };
  listener = new Listener({
    connections: { single: () => client } as unknown as Connections,
    channel: "channel",
    queryMs: 1_000,
    attend: { text: "attend", values: [] },
    head: () => Promise.resolve(head),
    notify: () => undefined,
    wake: () => (wakes += 1),
  });
  return { statements, wakes: () => wakes, commit: () => (head += 1) };
}

it("listens where the server itself answers", async () => {
  const { statements } = listen(7, 7);
  await expect.poll(() => statements).toEqual(["SELECT pg_backend_pid()", 'LISTEN "channel"', "attend"]);
});

it("does not listen behind a proxy that pools transactions, and finds changes by looking", async () => {
  const { statements, wakes, commit } = listen(7, 8);
  await expect.poll(() => wakes()).toBe(1); // how things are
  commit();
  await expect.poll(() => wakes()).toBe(2);
  expect(statements).toEqual(["SELECT pg_backend_pid()"]);
});

it("mutant: finds nothing there if a notification is the only wake-up", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] }); // the time for a look never comes
  const { wakes, commit } = listen(7, 8);
  const pass = async (): Promise<void> => {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  };
  commit();
  for (let turn = 0; turn < 100; turn++) await pass();
  expect(wakes()).toBe(0);
  vi.advanceTimersByTime(60_000);
  for (let turn = 0; turn < 100 && wakes() === 0; turn++) await pass();
  expect(wakes(), "with it").toBe(1);
});
