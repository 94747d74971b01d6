/** SQLite passes the kit, in files and in memory. */

import { readFileSync, writeFileSync } from "node:fs";
import type { Engine } from "shared-context-manager";
import type * as sqlite from "../../src/engines/sqlite.ts";
import { engineSuite, runWith } from "shared-context-manager/testing";
import { afterAll, describe, it } from "vitest";
import { hasSqlite, moduleOf, scratch } from "./support.ts";

const isThere = await hasSqlite();
if (!isThere) console.info("sqlite.test.ts: skipped: this Node has no node:sqlite that is new enough");

describe.skipIf(!isThere)("engines", async () => {
  if (!isThere) return;
  const { openSqlite } = await moduleOf<typeof sqlite>("engines/sqlite");
  const directory = scratch();
  afterAll(() => directory.remove());
  const parameters = new URLSearchParams({ synchronous: "normal", namespace: "kit" });

  const files = new Map<Engine, string>();
  const file = engineSuite({
    name: "sqlite: a file",
    async open(store, options) {
      const path = directory.file(`${store}.db`);
      const engine = await openSqlite(path, parameters, options);
      files.set(engine, path);
      return engine;
    },
    async crash(engine) {
      const path = files.get(engine) ?? "";
      const paths = [path, `${path}-wal`, `${path}-shm`];
      const left = paths.map((one) => readFileSync(one));
      // It tidies up, which the death of a process does not: so the files are put back as they were.
      await engine.close();
      for (const [index, one] of paths.entries()) writeFileSync(one, left[index] ?? "");
    },
  });
  const memory = engineSuite({
    name: "sqlite::memory:",
    open: (_store, options) => openSqlite(":memory:", new URLSearchParams(), options),
  });
  for (const suite of [file, memory]) runWith(suite, { describe, it });
});
