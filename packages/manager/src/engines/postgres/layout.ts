/** The tables: made and brought up to date by whoever comes first, one at a time. */

import { ContextError } from "../../errors.ts";
import type { Connections } from "./connection.ts";
import type { Row } from "./driver.ts";
import { initial } from "./migrations/0001-initial.ts";
import { functions } from "./migrations/0002-functions.ts";
import { batches } from "./migrations/0003-batches.ts";
import { updatesInTheLogAlone } from "./migrations/0004-updates-in-the-log-alone.ts";
import { compressedLog } from "./migrations/0005-compressed-log.ts";
import { tablesFollowLessOften } from "./migrations/0006-tables-follow-less-often.ts";
import { quoted } from "./settings.ts";
import type { Statements } from "./statements.ts";

/** In their order; what has been published never changes. Who changes a function adds the migration that makes it anew. */
const MIGRATIONS: readonly ((schema: string) => string)[] = [
  initial,
  functions,
  batches,
  updatesInTheLogAlone,
  compressedLog,
  tablesFollowLessOften,
];

/** For `starts_with`, identity columns, and procedures that see what others commit while they run. */
const OLDEST_SERVER = 130_000;

export async function prepareLayout(connections: Connections, sql: Statements, schema: string): Promise<void> {
  await connections.using(async (client) => {
    const ask = (text: string, ...values: unknown[]): Promise<readonly Row[]> => connections.ask(client, text, values);
    const count = async (text: string, ...values: unknown[]): Promise<number> =>
      Number((await ask(text, ...values))[0]?.[0]);
    checkServer(await count(sql.serverVersion));
    const layout = async (): Promise<number> => ((await count(sql.layoutThere, schema)) > 0 ? count(sql.layout) : 0);
    if (isCurrent(await layout())) return;
    await inTransaction(ask, async () => {
      await ask(sql.migrationLock);
      // Not IF NOT EXISTS alone: that needs the right to make schemas although it is there.
      if ((await count(sql.schemaThere, schema)) === 0) await ask(`CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}`);
      const done = await layout();
      if (isCurrent(done)) return;
      if (done === 0) await ask(sql.addLayout);
      for (const migration of MIGRATIONS.slice(done)) {
        // All of it at once: without parameters the protocol takes many statements.
        await ask(migration(quoted(schema)));
      }
      await ask(sql.setLayout, MIGRATIONS.length);
    });
  });
}

export async function namespaceOf(connections: Connections, sql: Statements, name: string): Promise<number> {
  const find = async (): Promise<string | null | undefined> =>
    (await connections.read({ text: sql.namespace, values: [name] }))[0]?.[0];
  let ns = await find();
  if (ns == null) {
    await connections.read({ text: sql.addNamespace, values: [name] });
    ns = await find();
  }
  return Number(ns);
}

function checkServer(version: number): void {
  if (version >= OLDEST_SERVER) return;
  throw new ContextError("UNSUPPORTED", {
    feature: "postgres:",
    expected: "PostgreSQL 13 or newer",
    received: `PostgreSQL ${Math.floor(version / 10_000)}`,
  });
}

/** @throws ContextError UNSUPPORTED. */
function isCurrent(layout: number): boolean {
  if (layout > MIGRATIONS.length) {
    throw new ContextError("UNSUPPORTED", {
      feature: "this store",
      expected: `a newer version of this package: the store has layout ${layout}`,
      received: `one that knows layouts up to ${MIGRATIONS.length}`,
    });
  }
  return layout === MIGRATIONS.length;
}

async function inTransaction(ask: (text: string) => Promise<unknown>, act: () => Promise<void>): Promise<void> {
  // Whatever is the default here: who has waited for the lock must see what was done meanwhile.
  await ask("BEGIN ISOLATION LEVEL READ COMMITTED");
  try {
    await act();
    await ask("COMMIT");
  } catch (error) {
    await ask("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
