/** What a token allows: each right includes those before it. */

export const RIGHTS = ["read", "write", "admin"] as const;
export type Right = (typeof RIGHTS)[number];

/** Who sends a request, and what they may do. */
export interface Identity {
  /** The name of the token. */
  readonly name: string;
  /** The agent that the token is bound to; `null` when it may act for any. */
  readonly agentId: string | null;
  readonly rights: Right;
}

export function allows(identity: Identity, right: Right): boolean {
  return RIGHTS.indexOf(identity.rights) >= RIGHTS.indexOf(right);
}
