import type { JsonValue } from "./data.ts";
import { describe } from "./describe.ts";
import type { SharedContext } from "./context.ts";
import { formatTime } from "./format-time.ts";
import type { DataIssue } from "./schema.ts";

/** Who holds a lock. */
export interface LockHolding {
  /** The agent that holds it. */
  readonly owner: string;
  /** When the lock was granted. */
  readonly since: Date;
  /** From when on it may be taken over; `null` for never. */
  readonly expiresAt: Date | null;
}

/** A path where the caller and others have changed the same thing since the caller read; `undefined` for nothing there. */
export interface PathConflict {
  /** JSON Pointer (RFC 6901); a token `id=3` names the element of an array whose `id` is 3. */
  readonly path: string;
  /** What the caller had read. */
  readonly base?: JsonValue;
  /** What the caller wants, or, of a `test` operation, what the caller tested for. */
  readonly yours?: JsonValue;
  /** What is there now. */
  readonly theirs?: JsonValue;
}

/** Who wrote a value. */
export interface Writer {
  /** `null` when it was written without a handle. */
  readonly agentId: string | null;
  /** The version that brought the value. */
  readonly version: string;
  /** What the writer said about it, or `null`. */
  readonly note: string | null;
}

/** What a `ContextError` of each code carries in `details`. */
export interface ErrorDetails {
  /** `create` found a context with this id. */
  EXISTS: { readonly contextId: string };
  /** The command needs a context, and there is none with this id; or a version that is not kept. */
  NOT_FOUND: {
    readonly contextId: string;
    /** The version that is not kept, where the context itself is there. */
    readonly version?: string;
  };
  /** A lock pauses the write. */
  LOCKED: LockHolding & { readonly contextId: string };
  /** The context is no longer at the version that the caller read, or not in the way that the caller wants to change. */
  CONFLICT: {
    readonly contextId: string;
    /** The version that the caller expected, or that its change started from. */
    readonly expected: string;
    /** The version that the context is at. */
    readonly version: string;
    /** The context as it is, so that the caller can decide without another read. */
    readonly current: SharedContext;
    /** The context was deleted and created again since the caller's snapshot was taken. */
    readonly recreated: boolean;
    /** Of `patch` and `merge`: all the paths where they overlap with what others did, sorted. Empty where versions alone decide. */
    readonly conflicts: readonly PathConflict[];
    /** For each of `conflicts` who wrote `theirs`, as far as the history knows; else `null`. */
    readonly writers: readonly (Writer | null)[];
  };
  /** The lease no longer holds its lock, for good: whatever it guarded may have changed. */
  LEASE_LOST: {
    readonly contextId: string;
    /** The fencing token of the lease. */
    readonly token: number;
    /** Who holds the lock now, or `null`. */
    readonly owner: string | null;
    readonly reason: string;
  };
  /** Waiting would close a cycle of agents that wait for each other. */
  DEADLOCK: {
    /** Each agent waits for its context, which the next one has or will have first; the last waits for the first. */
    readonly cycle: readonly { readonly agentId: string; readonly contextId: string }[];
  };
  /** The wait ended before its turn came. */
  TIMEOUT: {
    /** The context that was still held, or whose queue was still long. */
    readonly contextId: string;
    readonly timeoutMs: number;
    /** The place reached in the queue of this context, from 1. */
    readonly position: number;
    /** Who holds the context, or `null` when only the queue stood in the way. */
    readonly holder: LockHolding | null;
    /** Of `waitFor`, which stands in no queue: the context as it is, `undefined` when there is none. */
    readonly current?: SharedContext | undefined;
  };
  /** The handle, or the whole manager, has been closed. */
  CLOSED: {
    /** Whose handle; absent when it is the manager. */
    readonly agentId?: string;
  };
  /** The change log no longer has, or never had, what is asked for. */
  COMPACTED: {
    /** The revision to go on from. */
    readonly after: number;
    /** Every change from this revision on is kept. */
    readonly oldest: number;
    /** The revision of the last commit. */
    readonly head: number;
  };
  /** The write may have landed or not, and the change log no longer tells. */
  INDETERMINATE: {
    readonly contextIds: readonly string[];
    /** What the write would be called in the change log. */
    readonly operationId: string;
  };
  /** The storage did not answer, or refused. What it said is the `cause`. */
  UNAVAILABLE: { readonly reason: string };
  /** The storage, or this version of the runtime, cannot do what is asked for. */
  UNSUPPORTED: { readonly feature: string; readonly expected: string; readonly received: string };
  /** A package that this storage needs is not installed. */
  MISSING_DEPENDENCY: {
    readonly dependency: string;
    /** Which versions will do, as a range of npm. */
    readonly version: string;
  };
  /** What the storage holds is not what was written there. */
  CORRUPT: { readonly where: string; readonly reason: string };
  /** An argument, or a part of one, is not what the method takes. */
  INVALID: {
    /** The name of the argument. */
    readonly argument: string;
    /** JSON Pointer (RFC 6901) to the part that is wrong; `""` is the argument itself. */
    readonly path: string;
    readonly expected: string;
    readonly received: string;
    /** All that the schema says, where it is the schema that refuses; the first of them is what this error tells. */
    readonly issues?: readonly DataIssue[];
  };
  /** The data is larger than the manager takes. */
  TOO_LARGE: {
    readonly contextId: string;
    /** The size of the data: its JSON in UTF-8. */
    readonly bytes: number;
    readonly maxDataBytes: number;
  };
  /** The manager has as many contexts as it may. */
  LIMIT: {
    readonly contextId: string;
    /** How many there are. */
    readonly contexts: number;
    readonly maxContexts: number;
  };
}

/** The reason for a refusal, stable across releases: decide on this, never on a message. */
export type ErrorCode = keyof ErrorDetails;

interface CodeEntry<Code extends ErrorCode> {
  readonly meaning: string;
  /** Whether the same intent can succeed later, after a fresh read or a wait. */
  readonly retryable: boolean;
  /** The status of an HTTP answer that carries this code. */
  readonly httpStatus: number;
  readonly message: (details: ErrorDetails[Code]) => string;
}

/** Every code once: its meaning, whether a retry can help, its HTTP status, and the sentence a person reads. */
export const ERROR_CODES: { readonly [Code in ErrorCode]: CodeEntry<Code> } = {
  EXISTS: {
    meaning: "A context with this id is there already.",
    retryable: false,
    httpStatus: 409,
    message: ({ contextId }) => `context ${named(contextId)} exists already: get it and update it, or delete it first`,
  },
  NOT_FOUND: {
    meaning: "There is no context with this id, or no such version of it.",
    retryable: false,
    httpStatus: 404,
    message: ({ contextId, version }) =>
      version === undefined
        ? `context ${named(contextId)} does not exist: create it first, or check the id`
        : `version ${describe(version)} of context ${named(contextId)} is not kept: see history() for those that are, and the option historyLimit`,
  },
  LOCKED: {
    meaning: "A lock pauses writes to this context.",
    retryable: true,
    httpStatus: 423,
    message: ({ contextId, ...holding }) =>
      `context ${named(contextId)} is locked by ${holder(holding)}: wait until it is unlocked, then get it again`,
  },
  CONFLICT: {
    meaning: "The context has changed since the caller read it.",
    retryable: true,
    httpStatus: 412,
    message: ({ contextId, expected, version, recreated, conflicts, writers }) => {
      if (recreated) {
        return `context ${named(contextId)} was deleted and created again since version ${describe(expected)} was read: get it and decide again`;
      }
      return conflicts.length === 0
        ? `context ${named(contextId)} is at version ${describe(version)}, not ${describe(expected)}: get it, apply the change to what is there now, and update again`
        : `this change to context ${named(contextId)} conflicts at ${places(conflicts, writers)}: details.conflicts has base, yours and theirs of each path; decide, and start again from details.current`;
    },
  },
  LEASE_LOST: {
    meaning: "The lease no longer holds its lock, for good.",
    retryable: false,
    httpStatus: 412,
    message: ({ contextId, token, reason }) =>
      `the lease on context ${named(contextId)} (token ${token}) is lost: ${reason}; acquire it again and start from what is there now`,
  },
  DEADLOCK: {
    meaning: "Waiting would close a cycle of agents that wait for each other.",
    retryable: true,
    httpStatus: 409,
    message: ({ cycle }) =>
      cycle.length === 1
        ? `${named(cycle[0]?.agentId)} has or awaits ${named(cycle[0]?.contextId)} already and would wait for itself: give parallel tasks agent ids of their own`
        : `${cycle.map(({ agentId, contextId }) => `${named(agentId)} waits for ${named(contextId)}`).join(", ")}, and so round: release what you hold, or acquire all of it in one call`,
  },
  TIMEOUT: {
    meaning: "The wait ended before its turn came.",
    retryable: true,
    httpStatus: 408,
    message: ({ contextId, timeoutMs, position, holder: held, ...rest }) => {
      if ("current" in rest) {
        const state = rest.current === undefined ? "does not exist" : `is at version ${describe(rest.current.version)}`;
        return `waited ${timeoutMs} ms for context ${named(contextId)}, which ${state}, to satisfy the condition: wait longer, or ask who should have changed it`;
      }
      return `waited ${timeoutMs} ms for context ${named(contextId)}, ${held === null ? "which is free now" : `held by ${holder(held)}`}, and reached place ${position} in its queue: wait longer, or see why it is held`;
    },
  },
  CLOSED: {
    meaning: "The handle or the manager has been closed.",
    retryable: false,
    httpStatus: 503,
    message: ({ agentId }) =>
      agentId === undefined
        ? "the manager is closed: make a new one"
        : `the handle of agent ${named(agentId)} is closed: take a new one from manager.agent()`,
  },
  COMPACTED: {
    meaning: "The change log no longer has what the watcher has not read.",
    retryable: false,
    httpStatus: 410,
    message: ({ after, oldest, head }) =>
      after > head
        ? `there is no revision ${after} yet, the last one is ${head}: go on from a revision of this manager`
        : `changes after revision ${after} are no longer all kept, only those from ${oldest} on: watch without after to begin with how things are, with coalesce to be told the latest state when you fall behind, or keep more with changeLogLimit`,
  },
  INDETERMINATE: {
    meaning: "The write may have landed or not.",
    retryable: false,
    httpStatus: 504,
    message: ({ contextIds, operationId }) =>
      `whether operation ${named(operationId)} on ${contextIds.length === 0 ? "all contexts" : contextIds.map(named).join(", ")} has landed is not known: get what is there now and decide`,
  },
  UNAVAILABLE: {
    meaning: "The storage did not answer, or refused.",
    retryable: true,
    httpStatus: 503,
    message: ({ reason }) => `the storage cannot be used now: ${reason}; try again when it is back`,
  },
  UNSUPPORTED: {
    meaning: "The storage or the runtime cannot do what is asked for.",
    retryable: false,
    httpStatus: 501,
    message: ({ feature, expected, received }) => `${feature} needs ${expected}; this is ${received}`,
  },
  MISSING_DEPENDENCY: {
    meaning: "A package that this storage needs is not installed.",
    retryable: false,
    httpStatus: 500,
    message: ({ dependency, version }) =>
      `the package ${dependency} is not installed: npm install ${dependency}@${version}`,
  },
  CORRUPT: {
    meaning: "What the storage holds is not what was written there.",
    retryable: false,
    httpStatus: 500,
    message: ({ where, reason }) => `${where} is not what was written there: ${reason}; restore it from a backup`,
  },
  INVALID: {
    meaning: "An argument is not what the method takes.",
    retryable: false,
    httpStatus: 400,
    message: ({ argument, path, expected, received }) =>
      `${argument}${path === "" ? "" : ` at ${JSON.stringify(path)}`}: expected ${expected}; received ${received}`,
  },
  TOO_LARGE: {
    meaning: "The data is larger than the option maxDataBytes allows.",
    retryable: false,
    httpStatus: 413,
    message: ({ contextId, bytes, maxDataBytes }) =>
      `the data of context ${named(contextId)} takes ${bytes} bytes of JSON, and at most ${maxDataBytes} are allowed: split it over several contexts, or store a file elsewhere and its name here`,
  },
  LIMIT: {
    meaning: "There are as many contexts as the option maxContexts allows.",
    retryable: false,
    httpStatus: 507,
    message: ({ contextId, contexts, maxContexts }) =>
      `context ${named(contextId)} cannot be created: the manager has ${contexts} of at most ${maxContexts}; delete those that are done`,
  },
};

const LONGEST_NAME = 100;

/** An id as it is: whoever reads the message must know which. */
function named(id: string | undefined): string {
  return JSON.stringify(id !== undefined && id.length > LONGEST_NAME ? `${id.slice(0, LONGEST_NAME)}…` : id);
}

const LONGEST_LIST = 3;

function places(conflicts: readonly PathConflict[], writers: readonly (Writer | null)[]): string {
  const told = conflicts.slice(0, LONGEST_LIST).map(({ path }, index) => {
    const writer = writers[index] ?? null;
    if (writer === null) return JSON.stringify(path);
    const by = writer.agentId === null ? "written" : `written by ${named(writer.agentId)}`;
    return `${JSON.stringify(path)} (${by} in version ${describe(writer.version)})`;
  });
  const rest = conflicts.length - told.length;
  return `${told.join(", ")}${rest === 0 ? "" : ` and ${rest} more`}`;
}

function holder({ owner, since, expiresAt }: LockHolding): string {
  const until = expiresAt === null ? "with no expiry" : `expires ${formatTime(expiresAt)}`;
  return `${named(owner)} (since ${formatTime(since)}, ${until})`;
}

interface StackTraceLimit {
  stackTraceLimit?: number;
}

/** What V8 and JavaScriptCore start with; any other limit is somebody's choice and stays. */
const DEFAULT_STACK_FRAMES = 10;
/** Two of this package, and the two of the caller that lead to them. */
const SHORT_STACK_FRAMES = 4;

/** Lowers the limit for the error about to be made; the limit to put back, or `undefined` when it was left alone. */
function shortenStack(): number | undefined {
  const limit = (Error as StackTraceLimit).stackTraceLimit;
  if (limit !== DEFAULT_STACK_FRAMES || Object.isFrozen(Error)) return undefined;
  (Error as StackTraceLimit).stackTraceLimit = SHORT_STACK_FRAMES;
  return limit;
}

/**
 * The one error class: every refusal is a `ContextError` with a `code`.
 *
 * All keep a stack; those that contention makes routine, the retryable ones, keep a short one, unless you
 * have set `Error.stackTraceLimit` yourself. `docs/decisions/short-stacks.md` has the numbers.
 *
 * @example
 * ```ts
 * try {
 *   manager.update("plan", data, version);
 * } catch (error) {
 *   if (!isContextError(error, "CONFLICT")) throw error;
 *   console.log(error.details.current.data);
 * }
 * ```
 */
export class ContextError<Code extends ErrorCode = ErrorCode> extends Error {
  /** Which refusal this is. */
  readonly code: Code;
  /** What was refused and what stood in its way; the type depends on the code. */
  readonly details: ErrorDetails[Code];

  constructor(code: Code, details: ErrorDetails[Code]) {
    const limit = ERROR_CODES[code].retryable ? shortenStack() : undefined;
    super(ERROR_CODES[code].message(details));
    if (limit !== undefined) (Error as StackTraceLimit).stackTraceLimit = limit;
    this.code = code;
    this.details = details;
  }

  /** Whether the same intent can succeed later, after a fresh read or a wait. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

// On the prototype rather than on each error: naming costs nothing where errors are made.
Object.defineProperty(ContextError.prototype, "name", { value: "ContextError", writable: true, configurable: true });

/** A `ContextError` whose `details` follow from its `code` when you switch on it. */
export type AnyContextError = { [Code in ErrorCode]: ContextError<Code> }[ErrorCode];

/**
 * Whether `error` is a refusal of this package, of any code: a `switch` on `code` then narrows `details`.
 *
 * @example
 * ```ts
 * if (isContextError(error) && error.retryable) console.log(`${error.code}: later, perhaps`);
 * ```
 */
export function isContextError(error: unknown): error is AnyContextError;
/**
 * Whether `error` is a refusal of this package with this code: narrows `details` to it.
 *
 * @example
 * ```ts
 * if (isContextError(error, "LOCKED")) console.log(error.details.owner);
 * ```
 */
export function isContextError<Code extends ErrorCode>(error: unknown, code: Code): error is ContextError<Code>;
export function isContextError(error: unknown, code?: ErrorCode): boolean {
  return error instanceof ContextError && (code === undefined || error.code === code);
}

/** The refusal of an argument, or of the part of it that `path` points to. */
export function invalid(argument: string, path: string, expected: string, received: string): ContextError<"INVALID"> {
  return new ContextError("INVALID", { argument, path, expected, received });
}
