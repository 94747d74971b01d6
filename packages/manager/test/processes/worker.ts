/** A process of its own, which does what its job says. */

import { openSync } from "node:fs";
import { type Cuts, cutting } from "./cutting.ts";
import { type Board, Recorder } from "./history.ts";
import { hold } from "./holder.ts";
import { engineAt, type Manager, managerOver, openManager, OPTIONS } from "./package.ts";
import { randomFrom } from "./random.ts";
import { storm } from "./storm.ts";
import { write } from "./writer.ts";

export interface Job {
  /**
   * - `storm`: everything that there is, at random.
   * - `write`: one write after another.
   * - `hold`: takes a lease and, when it is told to, writes through it as if nothing had happened.
   * - `listen`: takes a lease and waits for its signal.
   */
  readonly does: "storm" | "write" | "hold" | "listen";
  readonly url: string;
  /** The number of the process. */
  readonly process: number;
  readonly seed: number;
  /** Where its history goes. */
  readonly file: string;
  readonly ids: readonly string[];
  readonly ms: number;
  readonly cuts?: Cuts | undefined;
}

// Nobody is left to tell.
process.on("disconnect", () => process.exit());

const job = JSON.parse(process.argv[2] ?? "") as Job;
const random = randomFrom(job.seed + job.process);
const manager: Manager =
  job.cuts === undefined
    ? await openManager<Board>(job.url, OPTIONS)
    : await managerOver<Board>(cutting(await engineAt(job.url), job.cuts, random));
const recorder = new Recorder(openSync(job.file, "a"));

await told("go", () => process.send?.("ready"));
if (job.does === "storm") await storm(manager, recorder, job, random);
else if (job.does === "write") await write(manager, recorder, job, random);
else await hold(manager, job.ids[0]!, job.does === "listen", told);
await manager.close();
process.disconnect();

/** Resolves when the parent says this word; `ask` is done once it is being listened for. */
function told(word: string, ask: () => void): Promise<void> {
  return new Promise((resolve) => {
    process.on("message", (message) => {
      if (message === word) resolve();
    });
    ask();
  });
}
