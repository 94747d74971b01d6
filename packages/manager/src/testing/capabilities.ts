/** What an engine says it supports, it does; what it says it does not, it does not. */

import { equal, holds } from "./assert.ts";
import { commitOne, content, creates, entryOf, loadOne, logSince, nextOf, replaces } from "./entries.ts";
import { pause } from "./ground.ts";
import type { Claim } from "./case.ts";
import { statedOnce } from "./stated.ts";
import type { EngineGround } from "./harness.ts";

export const capabilities: readonly Claim<EngineGround>[] = [
  statedOnce,
  {
    name: "durable: what was committed is there when the store is opened again; else the store is a new one",
    async check(ground) {
      const engine = await ground.open();
      const entry = entryOf("a");
      const first = await commitOne(engine, creates(entry));
      const next = nextOf(entry);
      const second = await commitOne(engine, replaces(next, first));
      await engine.close();
      const again = await ground.openAgain(engine);
      if (!engine.supports.durable) {
        equal(await loadOne(again, "a"), undefined, "what a store that keeps nothing has kept");
        return;
      }
      equal(content(await loadOne(again, "a")), content(next), "the entry");
      equal((await again.history("a")).map(content), [content(entry)], "its history");
      equal(
        (await logSince(again)).map(({ revision }) => revision),
        [first, second],
        "the change log",
      );
      holds((await commitOne(again, creates(entryOf("b")))) > second, "revisions go on");
    },
  },
  {
    name: "durable: lease time goes on when the store is opened again",
    async check(ground) {
      const engine = await ground.open();
      const { time } = await engine.load([]);
      await engine.close();
      if (!engine.supports.durable) return;
      const { time: later } = await (await ground.openAgain(engine)).load([]);
      holds(later.leaseMs >= time.leaseMs, "lease time does not go back", [time, later]);
    },
  },
  {
    name: "shared: who has the store open sees what another commits; else each has a store of its own",
    async check(ground) {
      const engine = await ground.open();
      const other = await ground.openAgain(engine);
      const entry = entryOf("a");
      await loadOne(other, "a"); // so that there is something to be out of date
      const revision = await commitOne(engine, creates(entry));
      if (!engine.supports.shared) {
        equal(await loadOne(other, "a"), undefined, "what another store has of it");
        return;
      }
      equal(content(await loadOne(other, "a")), content(entry), "the entry as the other sees it");
      const next = nextOf(entry);
      await commitOne(other, replaces(next, revision));
      equal(content(await loadOne(engine, "a")), content(next), "the entry as the first one sees it");
      equal((await engine.load([])).head, (await other.load([])).head, "head for both");
    },
  },
  {
    name: "shared: lease time is the same for all who have the store open",
    async check(ground) {
      const engine = await ground.open();
      if (!engine.supports.shared) return;
      const other = await ground.openAgain(engine);
      const readings: number[] = [];
      for (const reader of [engine, other, engine, other]) readings.push((await reader.load([])).time.leaseMs);
      const rising = readings.every((reading, index) => index === 0 || reading >= (readings[index - 1] ?? 0));
      holds(rising, "readings in turn never go back", readings);
    },
  },
  {
    name: "hints may be lost, but who has stopped listening is given none",
    async check(ground) {
      const engine = await ground.open();
      let hints = 0;
      const stop = engine.onWake(() => {
        hints += 1;
      });
      await commitOne(engine, creates(entryOf("a")));
      stop();
      stop();
      await pause(50);
      const heard = hints;
      await commitOne(engine, creates(entryOf("b")));
      await pause(50);
      equal(hints, heard, "the number of hints when the listener has stopped, before and after a commit");
    },
  },
  {
    name: "a crash takes nothing that was acknowledged, and the store can be opened again",
    needs: "crash",
    async check(ground) {
      const engine = await ground.open();
      const entry = entryOf("a");
      await commitOne(engine, creates(entry));
      await ground.harness.crash?.(engine);
      if (!engine.supports.durable) return;
      const again = await ground.openAgain(engine);
      equal(content(await loadOne(again, "a")), content(entry), "the entry after the crash");
    },
  },
];
