import { equal, holds } from "./assert.ts";
import type { Claim } from "./case.ts";

interface Opens {
  open(): Promise<{ readonly supports: { readonly durable: boolean; readonly shared: boolean } }>;
}

/** Of an engine as of a manager. */
export const statedOnce: Claim<Opens> = {
  name: "is stated once and for all",
  async check(ground) {
    const { supports } = await ground.open();
    holds(Object.isFrozen(supports), "supports is frozen");
    equal([typeof supports.durable, typeof supports.shared], ["boolean", "boolean"], "the types of durable and shared");
  },
};
