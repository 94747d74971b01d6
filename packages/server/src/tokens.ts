/** Bearer tokens: only their hashes are kept, and compared in constant time. */

import { Buffer } from "node:buffer";
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import process from "node:process";
import { type Identity, type Right, RIGHTS } from "./rights.ts";

/** A token as it is kept. */
export interface TokenRecord extends Identity {
  /** SHA-256 of the token, in hex. Tokens are random and long, so that a slow hash would protect nothing more. */
  readonly hash: string;
}

/** What the handler asks. */
export interface Tokens {
  /** Whose token it is; `undefined` when it is not known. */
  find(token: string): Identity | undefined;
}

export function newToken(): string {
  return `scs_${randomBytes(32).toString("base64url")}`;
}

export function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Compares with every record, whichever fits, so that the time tells nothing. */
export function tokensOf(records: readonly TokenRecord[]): Tokens {
  const known = records.map(({ hash, ...identity }) => ({ digest: Buffer.from(hash, "hex"), identity }));
  return {
    find: (token) => {
      const digest = createHash("sha256").update(token).digest();
      let found: Identity | undefined;
      for (const { digest: other, identity } of known) if (timingSafeEqual(digest, other)) found = identity;
      return found;
    },
  };
}

/** @throws Error that names what is wrong in the file; never its content. */
export function readTokens(path: string): TokenRecord[] {
  let list: unknown;
  try {
    list = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const reason = error instanceof SyntaxError ? "it is not JSON" : (error as Error).message;
    throw new Error(`the tokens file ${path} cannot be read: ${reason}; make one with: shared-context token add`, {
      cause: error,
    });
  }
  if (!Array.isArray(list)) throw new Error(`the tokens file ${path}: expected a list of tokens`);
  return list.map((record: unknown, index) => readRecord(record, `${path}, token ${index + 1}`));
}

export function writeTokens(path: string, records: readonly TokenRecord[]): void {
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, `${JSON.stringify(records, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}

function readRecord(record: unknown, where: string): TokenRecord {
  const { name, hash, agentId, rights } = (record ?? {}) as Record<string, unknown>;
  if (typeof name !== "string" || name === "") throw new Error(`${where}: expected a name`);
  if (typeof hash !== "string" || !/^[0-9a-f]{64}$/.test(hash)) throw new Error(`${where}: expected a SHA-256 in hex`);
  if (agentId !== null && typeof agentId !== "string") throw new Error(`${where}: expected agentId, a string or null`);
  if (!RIGHTS.includes(rights as Right)) throw new Error(`${where}: expected rights, one of ${RIGHTS.join(", ")}`);
  return { name, hash, agentId, rights: rights as Right };
}
