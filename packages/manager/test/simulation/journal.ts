/** What agents have asked for and what they were told: the other half, beside the ledger, of what is judged. */

import type { SharedContext } from "shared-context-manager";
import type { Ledger } from "./ledger.ts";
import type { Network } from "./network.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface Data {
  readonly count: number;
  /** What each agent has put there by merging. */
  readonly marks: Readonly<Record<string, number>>;
  /** The version of another context that a transaction has read. */
  readonly saw?: Readonly<Record<string, string>>;
}

export type Snapshot = SharedContext<Data>;

/** Makes of what was there what must be there after the write; throws when the write was not to land on that. */
export type Effect = (before: Data | undefined, version: string | undefined) => Data | undefined;

/** What is known of an operation before it is done. */
export interface Intent {
  readonly kind: string;
  readonly agentId: string;
  readonly contextIds: readonly string[];
  /** The lease that it was done by. */
  readonly token?: number | undefined;
  /** The version that it was based on. */
  readonly expected?: string;
  /** By context; for writes, and only where all of them are to land together. It may be made while the operation runs. */
  readonly effects?: ReadonlyMap<string, Effect>;
  readonly timeoutMs?: number;
}

export interface Operation extends Intent {
  /** Its writes bear it as their note. */
  readonly label: string;
  readonly network: Network;
  /** The revisions and times that it was done between. */
  readonly from: Moment;
  to: Moment | undefined;
  outcome: { readonly value: unknown } | { readonly error: unknown } | undefined;
}

interface Moment {
  readonly head: number;
  readonly atMs: number;
}

export class Journal {
  readonly operations = new Map<string, Operation>();
  readonly #ledger: Ledger;
  readonly #time: VirtualTime;

  constructor(ledger: Ledger, time: VirtualTime) {
    this.#ledger = ledger;
    this.#time = time;
  }

  get #now(): Moment {
    return { head: this.#ledger.head, atMs: this.#time.leaseMs() };
  }

  /** Does something and writes down what became of it. Rejects as it does. */
  async note<Value>(network: Network, intent: Intent, run: (label: string) => Promise<Value>): Promise<Value> {
    const label = `${intent.agentId}: ${intent.kind} ${this.operations.size}`;
    const operation: Operation = { ...intent, label, network, from: this.#now, to: undefined, outcome: undefined };
    this.operations.set(label, operation);
    try {
      const value = await run(label);
      operation.outcome = { value };
      return value;
    } catch (error) {
      operation.outcome = { error };
      throw error;
    } finally {
      operation.to = this.#now;
    }
  }
}
