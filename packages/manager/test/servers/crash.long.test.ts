/**
 * PostgreSQL and Redis that are killed with -9 and started again under load: 5 times, or SERVER_KILLS. The seed is
 * printed; KILL_SEED repeats the moments.
 */

import { afterAll, describe, expect, it } from "vitest";
import { type Crashes, endAndStartAgain, type Survived } from "./crash.ts";
import type { OwnServer } from "./own-server.ts";
import { ownPostgres } from "./own-postgres.ts";
import { ownRedis } from "./own-redis.ts";

const KILLS = Number(process.env["SERVER_KILLS"] ?? 5);
const SEED = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** One is mostly enough. */
const FORGETFUL_KILLS = 5;
const SUITE = "crash.long.test.ts";
/** Several starts of a server, and the load between them, on a machine that does a lot besides. */
const TIMEOUT_MS = 240_000 + KILLS * 30_000;

const SHORT = [0, 500] as const;
/** Longer than anybody tries again. */
const LONG = [11_000, 12_000] as const;

/** What is acknowledged is kept, and what would lose it. */
const SERVERS: readonly {
  readonly name: string;
  readonly open: (settings?: Readonly<Record<string, string>>) => Promise<OwnServer | undefined>;
  readonly forgets: Readonly<Record<string, string>>;
}[] = [
  {
    name: "postgres",
    open: (settings = {}) => ownPostgres(SUITE, { settings }),
    forgets: { synchronous_commit: "off", wal_writer_delay: "10s", wal_buffers: "16MB" },
  },
  { name: "redis", open: (settings = {}) => ownRedis(SUITE, { settings }), forgets: { appendonly: "no" } },
];

const opened: OwnServer[] = [];
afterAll(() => Promise.all(opened.map((server) => server.remove())));

for (const { name, open, forgets } of SERVERS) {
  const server = await open();
  if (server !== undefined) opened.push(server);

  describe.skipIf(server === undefined)(`${name} that ends under load`, () => {
    const survive = async (own: OwnServer, crashes: Partial<Crashes>): Promise<Survived> => {
      const survived = await endAndStartAgain(own, { times: 1, seed: SEED, by: "kill", downMs: SHORT, ...crashes });
      const told = Object.entries(survived.endings).map(([ending, times]) => `${times} ${ending}`);
      console.info(`${name}, seed ${SEED}, ${JSON.stringify(crashes)}: ${told.join(", ")}`);
      return survived;
    };

    it(
      "by kill -9, again and again: it keeps every acknowledged write, watchers miss nothing, and everybody goes on",
      async () => {
        const { findings, endings } = await survive(server!, { times: KILLS });
        expect(findings).toEqual([]);
        expect(endings["patch ok"]).toBeGreaterThan(100);
      },
      TIMEOUT_MS,
    );

    it(
      "as its administrator stops it: the same",
      async () => {
        const { findings } = await survive(server!, { times: 2, by: "stop" });
        expect(findings).toEqual([]);
      },
      TIMEOUT_MS,
    );

    it(
      "away for longer than anybody tries again: the same",
      async () => {
        const { findings, endings } = await survive(server!, { downMs: LONG, seed: SEED + 1 });
        expect(findings).toEqual([]);
        expect(Object.keys(endings)).toEqual(expect.arrayContaining([expect.stringMatching("UNAVAILABLE")]));
      },
      TIMEOUT_MS,
    );

    it(
      "mutant: writers that take as done what they have only begun are found",
      async () => {
        const { findings } = await survive(server!, { downMs: LONG, areHasty: true, seed: SEED + 2 });
        expect(findings).toEqual(expect.arrayContaining([expect.stringMatching(/^lost write/)]));
      },
      TIMEOUT_MS,
    );

    it(
      "mutant: a server that acknowledges what it does not keep is found",
      async () => {
        // The server may have been killed just after it had written what it held back.
        let findings: readonly string[] = [];
        for (let kill = 0; kill < FORGETFUL_KILLS && findings.length === 0; kill++) {
          const forgetful = (await open(forgets))!;
          try {
            ({ findings } = await survive(forgetful, { isForgetful: true, seed: SEED + kill }));
          } finally {
            await forgetful.remove();
          }
        }
        expect(findings).toEqual(expect.arrayContaining([expect.stringMatching(/^lost write/)]));
      },
      TIMEOUT_MS,
    );
  });
}
