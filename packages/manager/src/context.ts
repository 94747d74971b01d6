import type { DeepReadonly, JsonObject } from "./data.ts";
import { type ContextDict, readContextDict, writeContextDict } from "./dictionary.ts";
import { type Entry, expose, holding } from "./entry.ts";

/** The lock on a context, as a snapshot shows it. */
export interface ContextLock {
  /** The agent that holds it. */
  readonly owner: string;
  /** The revision that granted it: the fencing token, never reused. */
  readonly token: number;
  /** When it was granted. */
  readonly since: Date;
  /** From when on another agent may take it over; `null` for never. */
  readonly expiresAt: Date | null;
}

/** A snapshot, whatever it holds. */
// oxlint-disable-next-line typescript/no-explicit-any -- the one type argument that every snapshot is assignable to
export type AnySharedContext = SharedContext<any>;

// Friends of the class, set in its static block; the package uses them and does not export them.

/** A snapshot of an entry: a new object for each caller, so that none can scribble on what another holds. */
export let wrap: <Data extends object>(entry: Entry) => SharedContext<Data>;
/** The entry behind a snapshot. */
export let entryOf: (context: AnySharedContext) => Entry;
/** Whether a value is a snapshot made by this package. */
export let isSnapshot: (value: unknown) => value is AnySharedContext;

/**
 * A snapshot: one context as it was at one moment. It never changes; later changes are other snapshots.
 *
 * @example
 * ```ts
 * const context = manager.create("plan", { step: 1 });
 * manager.update("plan", { ...context.data, step: 2 }, context);
 * context.data.step; // still 1
 * ```
 */
export class SharedContext<Data extends object = JsonObject> {
  readonly #entry: Entry;

  private constructor(entry: Entry) {
    this.#entry = entry;
  }

  static {
    // Not by its name, which V8 looks up at each use.
    wrap = (entry) => new this(entry);
    entryOf = (context) => context.#entry;
    isSnapshot = (value): value is AnySharedContext => typeof value === "object" && value !== null && #entry in value;
  }

  /** The id it was created under. */
  get contextId(): string {
    return this.#entry.contextId;
  }

  /** A decimal string: `"1"` at creation, one more with every change of the data. */
  get version(): string {
    return this.#entry.version;
  }

  /** The payload, frozen. To change it, pass a new object to `update`: `{ ...context.data, step: 2 }`. */
  get data(): DeepReadonly<Data> {
    const entry = this.#entry;
    return (entry.exposed ? entry.data : exposed(entry)) as DeepReadonly<Data>;
  }

  /** The agent whose lock pauses updates, or `null`. One that has lapsed is shown until somebody takes it away. */
  get lockedBy(): string | null {
    return this.#entry.lock?.owner ?? null;
  }

  /** The lock in full where one is set; `undefined` when the snapshot was read from a dictionary. */
  get lock(): ContextLock | undefined {
    const { lock, revision } = this.#entry;
    return lock === null || known(revision) === undefined ? undefined : { ...holding(lock), token: lock.token };
  }

  /** When it was created (UTC). A fresh `Date` each time, yours to change. */
  get createdAt(): Date {
    return new Date(this.#entry.createdAtMs);
  }

  /** When its data last changed (UTC). A fresh `Date` each time, yours to change. */
  get updatedAt(): Date {
    return new Date(this.#entry.updatedAtMs);
  }

  /** The agent that wrote the data, or `null` when it was written without a handle. */
  get updatedBy(): string | null {
    return this.#entry.updatedBy;
  }

  /** What the writer of the data said about it, or `null`. */
  get note(): string | null {
    return this.#entry.note;
  }

  /**
   * The store-wide number of the commit that made this snapshot, locks included; `undefined` when it was
   * read from a dictionary.
   */
  get revision(): number | undefined {
    return known(this.#entry.revision);
  }

  /**
   * The revision at which this context was created: tells it from a later one with the same id. `undefined`
   * when it was read from a dictionary.
   */
  get incarnation(): number | undefined {
    return known(this.#entry.incarnation);
  }

  /**
   * The snake_case dictionary of section 6.20, ready for `JSON.stringify`, and for the Python SDK to read.
   *
   * @example
   * ```ts
   * const stored = JSON.stringify(context.toDict());
   * const again = SharedContext.fromDict(JSON.parse(stored));
   * ```
   */
  toDict(): ContextDict<Data> {
    return writeContextDict<Data>(this.#entry);
  }

  /** What `JSON.stringify(context)` writes: `toDict()`. */
  toJSON(): ContextDict<Data> {
    return this.toDict();
  }

  /**
   * A snapshot from a dictionary, as `toDict()` or the Python SDK writes it. It belongs to no manager, so it
   * has no revision and no incarnation, and as an expected version it counts by its version alone.
   *
   * @param dict - `context_id`, `version` and `data` are required. Times without an offset are UTC, as Python
   *   writes them; missing ones are now.
   * @throws {@link ContextError} INVALID naming the field that is wrong.
   * @example
   * ```ts
   * const context = SharedContext.fromDict({ context_id: "plan", version: "3", data: { step: 1 } });
   * ```
   */
  static fromDict<Data extends object = JsonObject>(dict: unknown): SharedContext<Data> {
    return new SharedContext<Data>(readContextDict(dict, Date.now()));
  }

  /**
   * Differs whenever two snapshots do. Assertion libraries see no own properties here and would call any two
   * snapshots equal, were it not for this tag, which they compare.
   */
  get [Symbol.toStringTag](): string {
    const { contextId, version, revision, incarnation } = this.#entry;
    const where = revision === 0 ? contentOf(this) : `revision ${revision} of ${incarnation}`;
    return `SharedContext ${JSON.stringify(contextId)} version ${version} ${where}`;
  }
}

/** What `console.log` and the REPL of Node, Bun and Deno show. */
Object.defineProperty(SharedContext.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: SharedContext, _depth: number, options: object, inspect: (value: unknown, options: object) => string) {
    const { contextId, version, data, lockedBy, createdAt, updatedAt, updatedBy, revision, incarnation } = this;
    const fields = { contextId, version, data, lockedBy, createdAt, updatedAt, updatedBy, revision, incarnation };
    return `SharedContext ${inspect(fields, options)}`;
  },
});

/**
 * A step of its own: V8 keeps a snapshot off the heap as long as nothing that is read from it looks at an import, which
 * could throw. A `get` whose snapshot is dropped at once then costs no memory.
 */
function exposed(entry: Entry): object {
  return expose(entry);
}

/** What JSON cannot tell, such as a circle in a transaction under shallow isolation, is told apart by which object it is. */
function contentOf(context: AnySharedContext): string {
  try {
    return JSON.stringify(context.toDict());
  } catch {
    const { data } = entryOf(context);
    const number = numbers.get(data) ?? ++numbered;
    numbers.set(data, number);
    return `of data ${number}`;
  }
}

const numbers = new WeakMap<object, number>();
let numbered = 0;

/** Entries read from a dictionary have the revision 0, which no commit gets. */
function known(revision: number): number | undefined {
  return revision === 0 ? undefined : revision;
}
