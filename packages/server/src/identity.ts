/** Who sends a request. */

import type { RequestHeaders } from "./exchange.ts";
import { invalid } from "./input.ts";
import { HttpError } from "./problems.ts";
import { allows, type Identity, type Right } from "./rights.ts";
import type { Tokens } from "./tokens.ts";

/** Without tokens whoever reaches the server may do everything: that is for one's own machine. */
const LOCAL: Identity = { name: "local", agentId: null, rights: "admin" };

/** @throws HttpError UNAUTHORIZED. */
export function identify(headers: RequestHeaders, tokens: Tokens | undefined): Identity {
  if (tokens === undefined) return LOCAL;
  const [, token] = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "") ?? [];
  const identity = token === undefined ? undefined : tokens.find(token);
  if (identity !== undefined) return identity;
  const received = token === undefined ? "none" : "one that is not known";
  throw new HttpError(
    "UNAUTHORIZED",
    `expected the header Authorization: Bearer TOKEN with a token of this server; received ${received}`,
    {},
    { "www-authenticate": token === undefined ? "Bearer" : 'Bearer error="invalid_token"' },
  );
}

/** @throws HttpError FORBIDDEN. */
export function checkRight(identity: Identity, right: Right): void {
  if (allows(identity, right)) return;
  throw new HttpError("FORBIDDEN", `this needs the right to ${right}; this token has ${identity.rights}`, {
    needed: right,
    rights: identity.rights,
  });
}

const LONGEST_AGENT_ID = 512;

/**
 * Who acts: whom the token is bound to, else whom the request names, else the name of the token. A header that is there
 * and empty is `null`, nobody: section 6.20 knows callers without a name.
 *
 * @throws HttpError FORBIDDEN when a token that is bound to an agent names another.
 */
export function agentIdOf(headers: RequestHeaders, { name, agentId }: Identity): string | null {
  const text = headers.get("x-agent-id");
  if (text === null) return agentId ?? name;
  if (text === "") return agentId;
  const named = decoded(text);
  if (named.length > LONGEST_AGENT_ID || named.includes("\0")) {
    throw invalid("x-agent-id", "", `up to ${LONGEST_AGENT_ID} characters without NUL`, named);
  }
  if (agentId === null || agentId === named) return named;
  throw new HttpError("FORBIDDEN", `the header X-Agent-Id: this token is bound to the agent ${agentId}; leave it out`, {
    agent_id: agentId,
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("x-agent-id", "", "a percent-encoded agent id", text);
  }
}
