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

export interface PathConflict {
  readonly path: string;
  readonly base?: Json;
  readonly yours?: Json;
  readonly theirs?: Json;
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
