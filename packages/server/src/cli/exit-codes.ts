/** How the process ends: documented in `docs/server.md`, so that scripts can decide on it. */

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  locked: 5,
  timeout: 6,
  denied: 7,
  unavailable: 8,
} as const;

const BY_CODE: Readonly<Record<string, number>> = {
  NOT_FOUND: EXIT.notFound,
  EXISTS: EXIT.conflict,
  CONFLICT: EXIT.conflict,
  LEASE_LOST: EXIT.conflict,
  KEY_REUSED: EXIT.conflict,
  PRECONDITION_REQUIRED: EXIT.conflict,
  LOCKED: EXIT.locked,
  DEADLOCK: EXIT.locked,
  TIMEOUT: EXIT.timeout,
  UNAUTHORIZED: EXIT.denied,
  FORBIDDEN: EXIT.denied,
  UNAVAILABLE: EXIT.unavailable,
  CLOSED: EXIT.unavailable,
  RATE_LIMITED: EXIT.unavailable,
  INDETERMINATE: EXIT.unavailable,
};

export function exitCodeOf(code: string): number {
  return BY_CODE[code] ?? EXIT.failed;
}
