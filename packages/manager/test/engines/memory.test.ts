/** The reference engine passes the kit. */

import type * as clock from "../../src/clock.ts";
import type * as memory from "../../src/engines/memory.ts";
import { engineSuite, runWith } from "shared-context-manager/testing";
import { describe, it } from "vitest";
import { moduleOf } from "./support.ts";

const { MemoryEngine } = await moduleOf<typeof memory>("engines/memory");
const { systemClock } = await moduleOf<typeof clock>("clock");

runWith(engineSuite({ name: "memory", open: (_store, options) => new MemoryEngine(systemClock, options) }), {
  describe,
  it,
});
