/** Several clients of one store: nothing is lost, and nothing happens twice. */

import { equal, holds, outcomeOf, show } from "./assert.ts";
import { commitOne, creates, entryOf, kindsOf, loadOne, nextOf, replaces, transactionOf } from "./entries.ts";
import type { Claim } from "./case.ts";
import { type Ground, pairOf } from "./ground.ts";
import type { EngineGround } from "./harness.ts";

const CLIENTS = 3;
const ROUNDS = 12;

/** Of engines alone. */
export const engineRaces: readonly Claim<EngineGround>[] = [
  {
    name: "of those who expect the same revision, one writes",
    async check(ground) {
      const engine = await ground.open();
      const other = engine.supports.shared ? await ground.openAgain(engine) : engine;
      let revision = await commitOne(engine, creates(entryOf("a")));
      for (let round = 0; round < ROUNDS; round++) {
        const entry = await loadOne(engine, "a");
        const outcomes = await Promise.all(
          [engine, other, engine, other].map((one, index) => {
            const next = nextOf(entry ?? entryOf("a"), { data: { index } });
            return one.commit([transactionOf(replaces(next, revision))]);
          }),
        );
        const kinds = kindsOf(outcomes.flat());
        equal(kinds.toSorted(), ["mismatch", "mismatch", "mismatch", "ok"], "the outcomes");
        const found = await loadOne(other, "a");
        equal(found?.data, { index: kinds.indexOf("ok") }, "who has written");
        revision = found?.revision ?? 0;
      }
      equal((await engine.history("a")).length, ROUNDS, "the number of old versions");
    },
  },
];

export const races: readonly Claim<Ground>[] = [
  {
    name: "of those who create the same context, one does",
    async check(ground) {
      const { managers } = await ground.managers(CLIENTS);
      for (let round = 0; round < ROUNDS; round++) {
        const outcomes = await Promise.all(
          managers.map((manager, index) => outcomeOf(manager.create(`id-${round}`, { index }), () => String(index))),
        );
        equal(outcomes.filter((outcome) => outcome === "EXISTS").length, CLIENTS - 1, "the number of refusals");
        const winner = (await managers[0]?.get(`id-${round}`))?.data["index"];
        equal(outcomes.indexOf(show(winner)), winner, "who has created it");
      }
    },
  },
  {
    name: "no increment is lost",
    async check(ground) {
      const { managers } = await ground.managers(CLIENTS);
      await managers[0]?.create("counter", { modified: 0, patched: 0 });
      await Promise.all(
        managers.map(async (manager, index) => {
          const agent = manager.agent(`agent-${index}`);
          for (let round = 0; round < ROUNDS; round++) {
            await agent.modify("counter", ({ data }) => ({ ...data, modified: Number(data["modified"]) + 1 }), {
              attempts: Infinity,
            });
            await agent.patch("counter", [{ op: "increment", path: "/patched", value: 1 }]);
          }
        }),
      );
      const context = await managers[1]?.get("counter");
      const sum = CLIENTS * ROUNDS;
      equal([context?.data, context?.version], [{ modified: sum, patched: sum }, String(2 * sum + 1)], "the counter");
    },
  },
  {
    name: "a task is claimed by one",
    async check(ground) {
      const { managers } = await ground.managers(CLIENTS);
      const tasks = Array.from({ length: ROUNDS }, (_, id) => ({ id, owner: null }));
      await managers[0]?.create("plan", { tasks });
      const won = new Map<number, string[]>();
      await Promise.all(
        managers.map(async (manager, index) => {
          const agentId = `agent-${index}`;
          for (const { id } of tasks) {
            const path = `/tasks/id=${id}/owner`;
            const claim = manager.agent(agentId).patch("plan", [
              { op: "test", path, value: null },
              { op: "set", path, value: agentId },
            ]);
            if ((await outcomeOf(claim, () => "won")) === "won") won.set(id, [...(won.get(id) ?? []), agentId]);
          }
        }),
      );
      const plan = (await managers[0]?.get("plan"))?.data["tasks"];
      equal(
        plan,
        tasks.map(({ id }) => ({ id, owner: won.get(id)?.[0] })),
        "the plan against what they were told",
      );
      holds(
        [...won.values()].every(({ length }) => length === 1),
        "each task was won once",
        won,
      );
    },
  },
  {
    name: "transactions keep a sum, and readers of both sides never see it broken",
    async check(ground) {
      const { managers } = await ground.managers(CLIENTS);
      for (const id of ["x", "y"]) await managers[0]?.create(id, { credits: 100 });
      await Promise.all(
        managers.map(async (manager, index) => {
          const agent = manager.agent(`agent-${index}`);
          for (let round = 0; round < ROUNDS; round++) {
            const [from = "x", to = "y"] = ground.random.pick([
              ["x", "y"],
              ["y", "x"],
            ]);
            const amount = ground.random.below(10);
            const sum = await agent.transact(async (tx) => {
              const source = Number((await tx.get(from))?.data["credits"]);
              const target = Number((await tx.get(to))?.data["credits"]);
              await tx.update(from, { credits: source - amount });
              await tx.update(to, { credits: target + amount });
              return source + target;
            });
            equal(sum, 200, "the sum that a committed transaction has read");
          }
        }),
      );
      let sum = 0;
      for await (const { data } of managers[0] ?? []) sum += Number(data["credits"]);
      equal(sum, 200, "the sum in the end");
    },
  },
  {
    name: "a context that is deleted and created again is told from the one that was read",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      const read = await one.create("a", { step: 1 });
      await other.delete("a");
      await other.create("a", { step: 1 });
      const attempt = one.update("a", { step: 2 }, read);
      equal(await outcomeOf(attempt, () => "written"), "CONFLICT", "an update on the strength of the first one");
      equal((await one.get("a"))?.data, { step: 1 }, "the context");
    },
  },
];
