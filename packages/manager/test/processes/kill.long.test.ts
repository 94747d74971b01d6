/** Writers that are killed in the middle of a write, again and again: 20 times, or KILLS. */

import { createRequire } from "node:module";
import type * as Sqlite from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { check } from "./checker.ts";
import { Child } from "./children.ts";
import { type Board, logOf, type Operation, operationsIn } from "./history.ts";
import { openManager, OPTIONS } from "./package.ts";
import { randomFrom } from "./random.ts";
import { EMPTY } from "./run.ts";
import { sqliteStore } from "./stores.ts";

const KILLS = Number(process.env["KILLS"] ?? 20);
const SEED = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const WRITERS = 4;
const IDS = ["one", "two", "three"];

const store = sqliteStore("kill.long.test.ts");
afterAll(() => store?.remove());

describe.skipIf(store === undefined)("writers on one file that are killed", () => {
  if (store === undefined) return;
  const url = store.url("kill");
  const file = (process: number): string => store.directory.file(`killed-${process}`);
  const job = { does: "write", url, seed: SEED, ids: IDS, ms: 60_000 } as const;
  const random = randomFrom(SEED);

  it(
    `leave all that was acknowledged and at most the write in flight besides, ${KILLS} times (seed ${SEED})`,
    async () => {
      const first = await openManager<Board>(url, OPTIONS);
      for (const id of IDS) await first.create(id, EMPTY);
      await first.close();
      let started = 0;
      const life = async (): Promise<void> => {
        while (started < KILLS) {
          const process = started++;
          const child = new Child({ ...job, process, file: file(process) });
          await child.says();
          child.tell("go");
          await sleep(5 + 60 * random());
          child.process.kill("SIGKILL");
          await child.ended;
          if (process % 10 === 0) expect(wrongIn(store.directory.file("store.db"))).toBe("ok");
        }
      };
      await Promise.all(Array.from({ length: WRITERS }, life));

      expect(wrongIn(store.directory.file("store.db"))).toBe("ok");
      const lives = Array.from({ length: KILLS }, (_, process) => operationsIn(file(process), process));
      const inFlight = lives.filter((operations) => operations.some(isOpen)).length;
      expect(inFlight, "killed in the middle of a write").toBeGreaterThan(KILLS / 2);
      for (const operations of lives) expect(operations.filter(isOpen).length).toBeLessThanOrEqual(1);

      const manager = await openManager<Board>(url, OPTIONS);
      const log = await logOf(manager, 0);
      // Nothing acknowledged is missing, nothing is there that was not asked for, and no two writes have met.
      const operations = lives.flat();
      expect(check({ operations, log })).toEqual([]);
      const asked = new Set(operations.map(({ intent }) => ("note" in intent ? intent.note : "")));
      const written = log.filter(({ kinds }) => kinds.includes("updated"));
      expect(written.filter(({ state }) => !asked.has(state.note ?? ""))).toEqual([]);
      for (const id of IDS) {
        const { version, data } = (await manager.get(id))!;
        const writes = written.filter((entry) => entry.id === id).length;
        expect([Number(version), data.count]).toEqual([1 + writes, 1 + writes]);
      }
      await manager.close();
      const landed = written.length - operations.filter(({ ending }) => ending.kind === "ok").length;
      console.info(
        `kill.long.test.ts: ${KILLS} kills, ${inFlight} in a write, ${landed} of these landed, ${written.length} writes`,
      );
    },
    30_000 + KILLS * 1_000,
  );
});

function isOpen({ endedAt }: Operation): boolean {
  return endedAt === undefined;
}

/** What SQLite finds wrong in a file. */
function wrongIn(path: string): unknown {
  const { DatabaseSync } = createRequire(import.meta.url)("node:sqlite") as typeof Sqlite;
  const database = new DatabaseSync(path, { timeout: 5_000 });
  try {
    return database.prepare("PRAGMA integrity_check").get()?.["integrity_check"];
  } finally {
    database.close();
  }
}
