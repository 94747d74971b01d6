/** What the API answers, as far as the page reads it: see `/openapi.json`. */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** A context without its data. */
export interface Summary {
  readonly context_id: string;
  readonly version: string;
  readonly incarnation: number;
  readonly revision: number;
  readonly locked_by: string | null;
  readonly lock_expires_at?: string;
  readonly lock_token?: number;
  readonly locked_at?: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly updated_by?: string;
  readonly note?: string;
  readonly bytes?: number;
}

export interface ContextBody extends Summary {
  readonly data: JsonObject;
}

export type Kind = "current" | "created" | "updated" | "locked" | "unlocked" | "expired" | "deleted" | "cleared";
export const KINDS: readonly Kind[] = ["created", "updated", "locked", "unlocked", "expired", "deleted", "cleared"];

export interface ChangeBody {
  readonly revision: number;
  readonly kind: Kind;
  readonly context_id: string | null;
  readonly agent_id: string | null;
  readonly note: string | null;
  readonly context: ContextBody | null;
}

export interface BlameLine {
  readonly path: string;
  readonly version: string;
  readonly agent_id: string | null;
  readonly note: string | null;
  readonly written_at: string;
  readonly or_earlier: boolean;
}

export type Side = "base" | "yours" | "theirs";

export interface PathConflict {
  readonly path: string;
  readonly base?: Json;
  readonly yours?: Json;
  readonly theirs?: Json;
  /** The sides of which only the beginning is told, as JSON. */
  readonly shortened?: readonly Side[];
}

/** A conflict that an agent has met. */
export interface MetConflict {
  readonly id: number;
  readonly context_id: string;
  readonly agent_id: string;
  readonly at: string;
  readonly expected: string;
  readonly version: string;
  readonly conflicts: readonly PathConflict[];
  readonly more: number;
}

/** Who waits for a context. */
export interface Queue {
  readonly context_id: string;
  readonly agents: readonly string[];
}

export interface Stats {
  readonly revision: number;
  readonly totals: { readonly conflicts: number; readonly lock_waits: number };
  readonly queues: readonly Queue[];
  readonly agents: readonly { readonly agent_id: string; readonly conflicts: number }[];
  /** The newest first. */
  readonly conflicts: readonly MetConflict[];
}

export interface Identity {
  readonly agent_id: string | null;
  readonly rights: "read" | "write" | "admin";
}

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function etagOf({ incarnation, version }: Summary): string {
  return `"${incarnation}.${version}"`;
}
