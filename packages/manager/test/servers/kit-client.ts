/** Runs the kit of managers over a URL, in a process of its own for the reason that `tls-client.ts` is one. */

import type * as Testing from "../../src/testing/index.ts";
import { moduleOf } from "../engines/support.ts";
import { openManager } from "../processes/package.ts";

const { managerSuite } = await moduleOf<typeof Testing>("testing/index");
const [, , url = ""] = process.argv;
const own = `kit-${process.pid}-${Math.random().toString(36).slice(2)}`;

const { cases } = managerSuite({
  name: url,
  open: (store, options) => openManager(`${url}?namespace=${own}-${store}`, options),
});
let passed = 0;
const failed: string[] = [];
for (const { group, name, run } of cases) {
  try {
    await run();
    passed += 1;
  } catch (error) {
    failed.push(`${group}: ${name}: ${String(error)}`);
  }
}
process.stdout.write(JSON.stringify({ passed, failed }));
