/** What a manager says it supports, it does; what it says it does not, it does not. */

import { equal, holds } from "./assert.ts";
import type { Claim } from "./case.ts";
import { statedOnce } from "./stated.ts";
import type { ManagerGround } from "./managers.ts";

export const managerCapabilities: readonly Claim<ManagerGround>[] = [
  statedOnce,
  {
    name: "durable: what was written is there when the store is opened again; else the store is a new one",
    async check(ground) {
      const manager = await ground.open();
      const ann = manager.agent("ann");
      await ann.create("a", { step: 1 });
      await ann.patch("a", { step: 2 });
      const { revision } = await manager.stats();
      await manager.close();
      const again = await ground.openAgain(manager);
      const steps = (await again.history("a")).map(({ data }) => data["step"]);
      equal(steps, manager.supports.durable ? [1, 2] : [], "the steps of its history");
      if (!manager.supports.durable) return;
      const later = await again.create("b", {});
      holds((later.revision ?? 0) > revision, "revisions go on", [revision, later.revision]);
      const { value } = await again.watch(undefined, { after: 0 }).next();
      equal([value?.kind, value?.contextId], ["created", "a"], "what the change log begins with");
    },
  },
  {
    name: "shared: who has the store open sees what another writes; else each has a store of its own",
    async check(ground) {
      const manager = await ground.open();
      const other = await ground.openAgain(manager);
      equal(await other.get("a"), undefined, "what is there in the beginning");
      const context = await manager.create("a", { step: 1 });
      const { shared } = manager.supports;
      equal((await other.get("a"))?.data, shared ? { step: 1 } : undefined, "what the other sees");
      if (!shared) return;
      await other.update("a", { step: 2 }, context);
      equal((await manager.get("a"))?.data, { step: 2 }, "what the first one sees");
      equal((await manager.stats()).revision, (await other.stats()).revision, "the head revision for both");
    },
  },
];
