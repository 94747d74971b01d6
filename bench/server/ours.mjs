/** This server, on a store in memory. */

import { openManager } from "shared-context-manager";
import { serve } from "shared-context-server";
import { ready } from "./child.mjs";
import { CONNECTIONS, dataAt } from "./payload.mjs";

const manager = await openManager("memory:");
for (let index = 0; index < 2 * CONNECTIONS; index++) await manager.create(`c${index}`, dataAt(0));
const { port } = await serve({ manager, port: 0, requestsPerSecond: Infinity });
ready(port);
