/** The package under test, for processes that have no test runner: its sources, or its build. */

import type * as Package from "shared-context-manager";
import type * as Postgres from "../../src/engines/postgres.ts";
import type * as Redis from "../../src/engines/redis.ts";
import type * as Sqlite from "../../src/engines/sqlite.ts";
import { moduleOf } from "../engines/support.ts";
import type { Board } from "./history.ts";

const { managerOver, openManager, isContextError } = await moduleOf<typeof Package>("index");
export { isContextError, managerOver, openManager };
export type Manager = Package.AsyncSharedContextManager<Board>;

/** Every change is kept: the log tells what has really happened. */
export const OPTIONS = { historyLimit: 64, changeLogLimit: 10_000_000 };

/** The engine behind a URL, to put something in front of it. */
export async function engineAt(url: string): Promise<Package.Engine> {
  const [, scheme = "", path = "", query = ""] = /^([a-z]+):([^?]*)(?:\?(.*))?$/s.exec(url) ?? [];
  const parameters = new URLSearchParams(query);
  if (scheme === "sqlite") {
    const { openSqlite } = await moduleOf<typeof Sqlite>("engines/sqlite");
    return openSqlite(path, parameters, OPTIONS);
  }
  if (scheme.startsWith("postgres")) {
    const { openPostgres } = await moduleOf<typeof Postgres>("engines/postgres");
    return openPostgres(`${scheme}:${path}`, parameters, OPTIONS);
  }
  const { openRedis } = await moduleOf<typeof Redis>("engines/redis");
  return openRedis(scheme, path, parameters, OPTIONS);
}
