/** SQLite passes the kit, in files and in memory. */

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

  const file = engineSuite({
    name: "sqlite: a file",
    open: (store, options) => openSqlite(directory.file(`${store}.db`), parameters, options),
  });
  const memory = engineSuite({
    name: "sqlite::memory:",
    open: (_store, options) => openSqlite(":memory:", new URLSearchParams(), options),
  });
  for (const suite of [file, memory]) runWith(suite, { describe, it });
});
