/** Managers over the storages of the package pass the kit of managers, which a client of a server passes too. */

import { openManager } from "shared-context-manager";
import { managerSuite, runWith } from "shared-context-manager/testing";
import { afterAll, describe, it } from "vitest";
import { hasSqlite, scratch } from "./engines/support.ts";

runWith(managerSuite({ name: "memory:", open: (_store, options) => openManager("memory:", options) }), {
  describe,
  it,
});

const isThere = await hasSqlite();

describe.skipIf(!isThere)("files", () => {
  const directory = scratch();
  afterAll(() => directory.remove());
  const suite = managerSuite({
    name: "sqlite:",
    open: (store, options) => openManager(`sqlite:${directory.file(`${store}.db`)}?synchronous=normal`, options),
  });
  runWith(suite, { describe, it });
});
