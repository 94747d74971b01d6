/** Every route of the API, in the order of `docs/http.md`. */

import { contextRoutes } from "./routes/contexts.ts";
import { historyRoutes } from "./routes/history.ts";
import { lockRoutes } from "./routes/locks.ts";
import { serverRoutes } from "./routes/server.ts";
import { watchRoutes } from "./routes/watch.ts";
import type { Route } from "./route.ts";

export const ROUTES: readonly Route[] = [
  ...contextRoutes,
  ...lockRoutes,
  ...historyRoutes,
  ...watchRoutes,
  ...serverRoutes,
];
