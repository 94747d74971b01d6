/** What `doctor` looks at. */

import process from "node:process";
import type { ContextBody } from "../bodies.ts";
import { VERSION } from "../version.ts";
import { allContexts } from "./context-commands.ts";
import { type Connection, isServer } from "./connect.ts";

export interface Check {
  readonly level: "ok" | "warn" | "bad";
  readonly subject: string;
  readonly detail: string;
}

/** Node's own SQLite has no flag from here on. */
const OLDEST_NODE = [22, 13] as const;
const LONG_HELD_MS = 10 * 60_000;
const DRIVERS = [
  { scheme: "postgres", name: "pg" },
  { scheme: "redis", name: "redis" },
];

export async function diagnose(store: string, connection: () => Promise<Connection>): Promise<Check[]> {
  const checks = [
    nodeCheck(process.versions.node),
    { level: "ok", subject: "shared-context-server", detail: VERSION } as const,
  ];
  const driver = DRIVERS.find(({ scheme }) => store.startsWith(scheme));
  if (driver !== undefined) checks.push(await driverCheck(driver.name));
  return [...checks, ...(await storeChecks(store, connection))];
}

export function nodeCheck(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNew = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  const detail = `v${version}${isNew ? "" : `; expected ${OLDEST_NODE.join(".")} or newer, which has node:sqlite`}`;
  return { level: isNew ? "ok" : "bad", subject: "Node", detail };
}

async function driverCheck(name: string): Promise<Check> {
  try {
    await import(name);
    return { level: "ok", subject: `driver ${name}`, detail: "installed" };
  } catch {
    return { level: "bad", subject: `driver ${name}`, detail: `not installed: npm install ${name}` };
  }
}

async function storeChecks(store: string, connection: () => Promise<Connection>): Promise<Check[]> {
  const kind = isServer(store) ? "server" : "store";
  const startMs = performance.now();
  const contexts: ContextBody[] = [];
  try {
    const api = await connection();
    await api.send("GET", "/readyz");
    for await (const context of allContexts(api, undefined, false)) contexts.push(context);
  } catch (error) {
    return [{ level: "bad", subject: kind, detail: (error as Error).message }];
  }
  const ms = Math.round(performance.now() - startMs);
  return [
    { level: "ok", subject: kind, detail: `answers; ${contexts.length} contexts read in ${ms} ms` },
    ...lockChecks(contexts),
  ];
}

export function lockChecks(contexts: readonly ContextBody[], nowMs: number = Date.now()): Check[] {
  const locked = contexts.filter(({ locked_by: owner }) => owner !== null);
  const stuck = locked.flatMap(
    ({ context_id: id, locked_by: owner, lock_expires_at: expiry, locked_at: since = "" }): Check[] => {
      const subject = `lock on ${JSON.stringify(id)}`;
      const help = `shared-context unlock ${JSON.stringify(id)} --force --reason TEXT`;
      if (expiry === undefined) {
        if (nowMs - Date.parse(since) < LONG_HELD_MS) return [];
        const detail = `${String(owner)} holds it with no expiry since ${since}: ${help}`;
        return [{ level: "warn", subject, detail }];
      }
      if (Date.parse(expiry) >= nowMs) return [];
      return [
        { level: "warn", subject, detail: `${String(owner)} let it lapse at ${expiry}: whoever asks next gets it` },
      ];
    },
  );
  return stuck.length > 0 ? stuck : [{ level: "ok", subject: "locks", detail: `${locked.length} held, none stuck` }];
}
