/** Commands that hold: lock, unlock. */

import { ContextError } from "shared-context-manager";
import type { ContextBody } from "../bodies.ts";
import { pathOf } from "../routes/parts.ts";
import type { Command, Input } from "./command.ts";
import type { Connection } from "./connect.ts";
import { below } from "./context-commands.ts";
import { EXIT } from "./exit-codes.ts";
import { whileHeld } from "./held-command.ts";
import { readMs } from "./options.ts";
import { isRefused, type Output, refusal, type Refused, UsageError } from "./output.ts";
import { patiently } from "./patience.ts";

export const lockCommands: readonly Command[] = [
  {
    name: "lock",
    usage: "lock ID... [--ttl MS|never] [--wait MS] [-- COMMAND...]",
    help: "Takes the lock, of several all or none; with a command holds it while that runs, and ends with its exit code.",
    options: {
      ttl: { type: "string", value: "MS", help: "how long it lasts: 30000; never is until it is released" },
      wait: { type: "string", value: "MS", help: "how long to wait for it: 0" },
    },
    examples: [
      "shared-context lock plan --as ann",
      "shared-context lock plan --as ann --wait 60000 -- make deploy",
      "shared-context lock plan budget --as ann -- ./move-money.sh",
      "shared-context lock --as ann -- -draft -- make deploy",
    ],
    takes: [1, Infinity],
    takesCommand: true,
    run: takeLock,
  },
  {
    name: "unlock",
    usage: "unlock ID [--force --reason TEXT]",
    help: "Releases the lock of the agent, or breaks that of another.",
    options: {
      force: { type: "boolean", help: "whoever holds it (admin)" },
      reason: { type: "string", value: "TEXT", needs: "force", help: "why, for the holder to read" },
    },
    examples: ["shared-context unlock plan --as ann", 'shared-context unlock plan --force --reason "ann has gone"'],
    takes: [1, 1],
    async run(input, output, connection) {
      const [id = ""] = input.positionals;
      const reason = input.text("reason");
      if (input.flag("force") && (reason ?? "") === "") {
        throw new UsageError("--force: expected --reason TEXT with it, why the lock is broken, for its holder to read");
      }
      const api = await connection();
      if (input.flag("force")) await api.send("DELETE", below(id, "lock"), { query: { force: "true", reason } });
      else await release(api, id);
      output.result({ unlocked: id }, () => "");
      output.aside(`unlocked ${id}`);
      return EXIT.done;
    },
  },
];

const TTL_MS = 30_000;

function readTtl(input: Input): number | null {
  return input.text("ttl") === "never" ? null : (readMs(input, "ttl", 1) ?? TTL_MS);
}

async function takeLock(input: Input, output: Output, connection: () => Promise<Connection>): Promise<number> {
  const ids = [...new Set(input.positionals)];
  const ttlMs = readTtl(input);
  const waitMs = readMs(input, "wait") ?? 0;
  const api = await connection();
  const taken = await patiently(waitMs, ["LOCKED", "TIMEOUT"], (leftMs) => taking(api, ids, input, ttlMs, leftMs));
  const sinceMs = performance.now();
  const [{ lock_token: number, locked_by: owner, lock_expires_at: expiry }] = taken as [ContextBody];
  const token = String(number);
  if (input.rest.length > 0) return whileHeld(input, output, { api, ids, token, ttlMs, owner: owner ?? "", sinceMs });
  for (const context of taken) output.result(context, () => (context === taken[0] ? token : ""));
  output.aside(`${String(owner)} holds ${ids.join(", ")} until ${expiry ?? "it is unlocked"}`);
  return EXIT.done;
}

/**
 * One context is locked again by who has it. Several are not, nor is what a command needs for itself: a server grants that
 * together or not at all, and what the agent has already is in the way.
 */
async function taking(
  api: Connection,
  ids: readonly string[],
  { rest, signal }: Input,
  ttlMs: number | null,
  timeoutMs: number,
): Promise<readonly ContextBody[]> {
  const how = { ttl_ms: ttlMs, timeout_ms: timeoutMs };
  const [id = "", ...others] = ids;
  if (others.length === 0 && rest.length === 0) {
    return [(await api.send("POST", below(id, "lock"), { body: how, signal })).body as ContextBody];
  }
  const { body } = await api.send("POST", "/v1/locks", { body: { context_ids: ids, ...how }, signal });
  return (body as { contexts: ContextBody[] }).contexts;
}

async function release(api: Connection, id: string): Promise<void> {
  const token = (await presentOf(api, id)).lock_token;
  if (token === undefined) throw notHeld(id);
  try {
    await api.send("DELETE", below(id, "lock"), { headers: { "lock-token": String(token) } });
  } catch (error) {
    if (!isRefused(error, ["LEASE_LOST"])) throw error;
    // Whether it is that of the agent, only the server knows: it may be the token that names the agent.
    throw heldByOther(await presentOf(api, id));
  }
}

async function presentOf(api: Connection, id: string): Promise<ContextBody> {
  return (await api.send("GET", pathOf(id))).body as ContextBody;
}

function notHeld(contextId: string): Refused {
  const reason = "nobody holds the lock";
  const error = new ContextError("LEASE_LOST", { contextId, token: 0, owner: null, reason });
  return refusal(error, `nobody holds the lock on ${JSON.stringify(contextId)}: there is nothing to release`);
}

function heldByOther({
  context_id: id,
  locked_by: owner,
  locked_at: at = "",
  lock_expires_at: expiry,
}: ContextBody): Refused {
  if (owner === null) return notHeld(id);
  const expiresAt = expiry === undefined ? null : new Date(expiry);
  const error = new ContextError("LOCKED", { contextId: id, owner, since: new Date(at), expiresAt });
  const holding = `${JSON.stringify(owner)} holds the lock on ${JSON.stringify(id)}`;
  return refusal(error, `${holding}: wait until it is released, or break it with --force --reason TEXT`);
}
