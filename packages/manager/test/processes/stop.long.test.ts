/** The holder of a lease that sleeps for longer than its lease lasts. */

import { afterAll, describe, expect, it } from "vitest";
import { stopAndGoOn } from "./stop.ts";
import { storesFor } from "./stores.ts";

const stores = await storesFor("stop.long.test.ts");
afterAll(() => Promise.all(stores.map((store) => store.remove())));

describe.skipIf(stores.length === 0)("a process that is stopped for longer than its lease lasts", () => {
  it.each(stores)(
    "is refused by $name when it writes, by the token that its successor has now, and changes nothing",
    async (store) => {
      const { told, token, revision, end } = await stopAndGoOn(store, "hold");
      expect(told).toMatchObject({ write: "LEASE_LOST", signal: "LEASE_LOST" });
      expect(token).toBeGreaterThan(told.token);
      expect(end).toEqual({ revision, updatedBy: "successor" });
    },
    30_000,
  );

  it.each(stores)(
    "hears of it by its signal on $name before it writes",
    async (store) => {
      const { told, revision, end } = await stopAndGoOn(store, "listen");
      expect(told).toMatchObject({ write: "LEASE_LOST", signal: "LEASE_LOST" });
      expect(end).toEqual({ revision, updatedBy: "successor" });
    },
    30_000,
  );
});
