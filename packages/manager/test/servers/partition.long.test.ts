/**
 * A holder of a lease in a network of its own, whose cable is pulled for longer than the lease lasts. Its connections are
 * neither closed nor refused meanwhile, and what it has sent may arrive when the cable is back.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Child, endAll } from "../processes/children.ts";
import type { Board } from "../processes/history.ts";
import type { Told } from "../processes/holder.ts";
import type { MutantName } from "../processes/mutate.ts";
import { openManager, OPTIONS } from "../processes/package.ts";
import { EMPTY } from "../processes/run.ts";
import { TYPED_NODE } from "../processes/typed-node.ts";
import { scratch, type Scratch } from "../engines/support.ts";
import { createNetwork, type Network } from "./network.ts";
import { ownPostgres } from "./own-postgres.ts";
import { ownRedis } from "./own-redis.ts";

const SUITE = "partition.long.test.ts";
const TIMEOUT_MS = 180_000;
const PATIENCE_MS = 60_000;
/** Short enough for a command to wait for its answer, and long for one that gets it. */
const SILENCE_MS = 1_000;

const onBuild = process.env["SHARED_CONTEXT_TARGET"] === "dist";
if (onBuild) console.info(`${SUITE}: skipped its mutant: it is one of the sources`);

const network = networkOf();
const servers =
  network === undefined
    ? []
    : [
        { name: "postgres", server: await ownPostgres(SUITE, { host: network.host }) },
        { name: "redis", server: await ownRedis(SUITE, { host: network.host }) },
      ].flatMap(({ name, server }) => (server === undefined ? [] : [{ name, server }]));
let files: Scratch;
beforeAll(() => {
  files = scratch();
});
afterAll(async () => {
  await endAll();
  for (const { server } of servers) await server.remove();
  network?.remove();
  files.remove();
});

/** When the holder writes: before it can be heard again, or after. */
type Moment = "while it is cut off" | "when it is back";

describe.skipIf(servers.length === 0)("a holder that is cut off for longer than its lease lasts", () => {
  const cutOff = async (
    { server }: (typeof servers)[number],
    writes: Moment,
    mutant?: MutantName,
  ): Promise<{
    readonly told: Told;
    readonly token: number;
    readonly revision: number | undefined;
    readonly end: unknown;
  }> => {
    const [id, namespace] = ["plan", `cut-${Math.random().toString(36).slice(2)}`];
    const manager = await openManager<Board>(server.url(namespace), OPTIONS);
    await manager.create(id, EMPTY);
    const url = server.url(namespace, { host: network!.host });
    const job = { does: "hold", url, process: 0, seed: 0, file: files.file("holder"), ids: [id], ms: 0 } as const;
    const holder = new Child(job, mutant, [...network!.command, TYPED_NODE!]);
    try {
      await holder.says();
      holder.tell("go");
      await holder.says();
      network!.plug(false);
      const lease = await manager.agent("successor").acquire(id, { ttlMs: TIMEOUT_MS, timeoutMs: PATIENCE_MS });
      const { revision } = await lease.update(id, { count: 2, marks: {} }, "1");
      if (writes === "while it is cut off") holder.tell("go on");
      const saying = holder.says();
      // What it sends now does not arrive.
      expect(await Promise.race([saying, sleep(SILENCE_MS, "silence")])).toBe("silence");
      network!.plug(true);
      if (writes === "when it is back") holder.tell("go on");
      const told = (await saying) as Told;
      await holder.ended;
      const { revision: last, updatedBy } = (await manager.get(id))!;
      return { told, token: lease.token, revision, end: { revision: last, updatedBy } };
    } finally {
      holder.process.kill("SIGKILL");
      network!.plug(true);
      await manager.close();
    }
  };
  const cases = servers.flatMap((each) =>
    (["while it is cut off", "when it is back"] as const).map((writes) => ({ ...each, writes })),
  );

  it.each(cases)(
    "and writes $writes is refused by $name, by the token that its successor has now, and changes nothing",
    async ({ writes, ...each }) => {
      const { told, token, revision, end } = await cutOff(each, writes);
      expect(told).toMatchObject({ write: "LEASE_LOST", signal: "LEASE_LOST" });
      expect(token).toBeGreaterThan(told.token);
      expect(end).toEqual({ revision, updatedBy: "successor" });
    },
    TIMEOUT_MS,
  );

  it.skipIf(onBuild).each(servers)(
    "mutant: on $name it writes over its successor when the token of a lease is not checked",
    async (each) => {
      const { told, revision, end } = await cutOff(each, "when it is back", "the token of a lease is not checked");
      expect(Number(told.write)).toBeGreaterThan(revision!);
      expect(end).toMatchObject({ revision: Number(told.write) });
    },
    TIMEOUT_MS,
  );
});

/** There are machines where it cannot be had, whatever is required. */
function networkOf(): Network | undefined {
  const made = TYPED_NODE === undefined ? "no Node here runs the sources" : createNetwork();
  if (typeof made !== "string") return made;
  console.info(`${SUITE}: skipped: ${made}`);
  return undefined;
}
