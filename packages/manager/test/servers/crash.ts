/** A server that is ended and started again, many times, while agents write, hold leases and watch. */

import { openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { scratch } from "../engines/support.ts";
import { check } from "../processes/checker.ts";
import {
  type Board,
  endingsOf,
  type History,
  LAST,
  logOf,
  operationsIn,
  type Outage,
  Recorder,
} from "../processes/history.ts";
import { isContextError, type Manager, openManager, OPTIONS } from "../processes/package.ts";
import { randomFrom } from "../processes/random.ts";
import { EMPTY } from "../processes/run.ts";
import { inTime, Worker } from "./load.ts";
import type { OwnServer } from "./own-server.ts";

export interface Crashes {
  readonly times: number;
  readonly seed: number;
  /** How the server ends. */
  readonly by: "kill" | "stop";
  /** How long there is no server, at least and at most; some are back before everybody has noticed. */
  readonly downMs: readonly [number, number];
  /** Whether the agents take as done what they have only begun. */
  readonly areHasty?: boolean;
  /** Whether the server is one that loses what it has acknowledged: then nobody waits for those who cannot go on. */
  readonly isForgetful?: boolean;
}

export interface Survived {
  /** What is wrong. */
  readonly findings: readonly string[];
  /** How often each kind of operation has ended how. */
  readonly endings: Readonly<Record<string, number>>;
}

const MANAGERS = 3;
const SHARED = ["one", "two", "three"];
const LEASED = "held";
/** A server that is back may not have been found again yet: the pauses between two tries grow. */
const FOUND_AGAIN_NS = 5_000_000_000n;

export async function endAndStartAgain(server: OwnServer, crashes: Crashes): Promise<Survived> {
  const directory = scratch();
  const url = server.url(`crash-${crashes.by}-${crashes.seed}`);
  const managers = await Promise.all(Array.from({ length: MANAGERS + 1 }, () => openManager<Board>(url, OPTIONS)));
  const [watching, ...writing] = managers as [Manager, ...Manager[]];
  const over = new AbortController();
  const work: Promise<unknown>[] = [];
  try {
    for (const id of [...SHARED, LEASED]) await watching.create(id, EMPTY);
    const seen = changesFrom(watching);
    seen.catch(() => undefined); // whoever waits hears of it
    const files = writing.flatMap((_, index) => [index * 2, index * 2 + 1]).map((slot) => directory.file(`p${slot}`));
    const workers = files.map((file, slot) => {
      const recorder = new Recorder(openSync(file, "a"));
      const manager = writing[Math.floor(slot / 2)]!;
      return new Worker({ manager, recorder, slot: `p${slot}`, isHasty: crashes.areHasty === true });
    });
    const load = workers.map((worker, slot) =>
      slot % 2 === 0 ? worker.write(SHARED, over.signal) : worker.hold(LEASED, over.signal),
    );
    const ending = endings(server, crashes, { workers, url });
    work.push(...load, ending);
    // Whoever fails is heard of at once.
    const { outages, findings } = await Promise.race([ending, Promise.all(load).then(() => ending)]);
    over.abort();
    await Promise.all(load);

    const operations = files.flatMap((file, slot) => operationsIn(file, slot));
    const after = await openManager<Board>(url, OPTIONS);
    managers.push(after);
    const history: History = { operations, log: await logOf(after, 0), outages };
    findings.push(...check(history));
    if (crashes.isForgetful !== true) {
      const [heard, logged] = await Promise.all([inTime(seen), changesFrom(after)]);
      if (heard.join("\n") !== logged.join("\n")) findings.push(`gap or duplicate: ${firstDifference(heard, logged)}`);
    }
    return { findings, endings: endingsOf(history) };
  } finally {
    over.abort();
    await Promise.allSettled(work);
    await Promise.all(managers.map((manager) => manager.close()));
    directory.remove();
  }
}

async function endings(
  server: OwnServer,
  { by, times, seed, downMs: [leastMs, mostMs], isForgetful = false }: Crashes,
  { workers, url }: { readonly workers: readonly Worker[]; readonly url: string },
): Promise<{ outages: Outage[]; findings: string[] }> {
  const random = randomFrom(seed);
  const outages: Outage[] = [];
  const findings: string[] = [];
  for (let time = 1; time <= times; time++) {
    // Everybody goes on where there is a server again.
    if (time === 1 || !isForgetful) await inTime(Promise.all(workers.map((worker) => worker.succeeds())));
    await sleep(100 + 300 * random());
    const from = process.hrtime.bigint();
    await server[by]();
    const acknowledged = workers.flatMap((worker) => [...worker.acknowledged]);
    await sleep(leastMs + (mostMs - leastMs) * random());
    await server.start();
    outages.push({ from, to: process.hrtime.bigint() + FOUND_AGAIN_NS });

    const fresh = await openManager<Board>(url, OPTIONS);
    for (const id of [...SHARED, LEASED]) {
      const promised = acknowledged.reduce((sum, [of, writes]) => sum + (of === id ? writes : 0), 0);
      const there = ((await fresh.get(id))?.data.count ?? 0) - EMPTY.count;
      if (there < promised) findings.push(`lost write: ${there} of ${promised} in ${id} after start ${time}`);
    }
    await fresh.close();
  }
  if (!isForgetful) await inTime(Promise.all(workers.map((worker) => worker.succeeds())));
  return { outages, findings };
}

/**
 * Every change there is, as a line each, up to the one that ends the log. A watch ends when the server is away for
 * longer than reads are tried again; who watches goes on from where it was.
 */
async function changesFrom(manager: Manager): Promise<string[]> {
  const lines: string[] = [];
  for (let after = 0; ;) {
    try {
      for await (const { revision, kind, contextId, context } of manager.watch(undefined, { after })) {
        lines.push(`${revision} ${kind} ${contextId} ${context?.version}`);
        after = revision;
        if (contextId === LAST) return lines;
      }
    } catch (error) {
      if (!isContextError(error, "UNAVAILABLE")) throw error;
    }
  }
}

function firstDifference(heard: readonly string[], logged: readonly string[]): string {
  const at = logged.findIndex((line, index) => heard[index] !== line);
  return `heard ${heard[at]} instead of ${logged[at]}`;
}
