/**
 * Which keyed writes the change log has: what a server has forgotten by a restart, or another one on the same store has
 * done. It is read as far as it goes when the first key is looked for, and from there on.
 */

import type { AsyncSharedContextManager } from "shared-context-manager";
import { type OperationChange, operationsSince } from "shared-context-manager/serving";

/** The operation of a key, as the change log has it. */
export interface Operation {
  readonly fingerprint: string;
  /** What it has changed. */
  readonly changes: readonly OperationChange["change"][];
}

interface Place {
  readonly fingerprint: string;
  readonly revision: number;
}

const CHANGES_AT_ONCE = 1_000;
/** So many revisions back a repeated request is known again. */
const REVISIONS_BACK = 10_000;
const PREFIX = "key:";

/** What the change log calls a write: by whose key it is which, and by what was asked for. */
export function operationIdOf(name: string, fingerprint: string): string {
  return `${PREFIX}${name}:${fingerprint}`;
}

export class OperationLog {
  readonly #manager: AsyncSharedContextManager;
  readonly #places = new Map<string, Place>();
  #after: number | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(manager: AsyncSharedContextManager) {
    this.#manager = manager;
  }

  /** @param name - the key and whose it is, as in the operation id. */
  async find(name: string): Promise<Operation | undefined> {
    // One after the other, and never on the strength of what was read before the question.
    const reading = this.#reading.catch(() => undefined).then(() => this.#catchUp());
    this.#reading = reading;
    await reading;
    const place = this.#places.get(name);
    if (place === undefined) return undefined;
    const { fingerprint, revision } = place;
    const { operations } = await operationsSince(this.#manager, revision - 1, 1);
    const own = operations.filter(({ operationId }) => operationId === operationIdOf(name, fingerprint));
    return own.length === 0 ? undefined : { fingerprint, changes: own.map(({ change }) => change) };
  }

  async #catchUp(): Promise<void> {
    this.#after ??= Math.max(0, (await this.#manager.stats()).revision - REVISIONS_BACK);
    for (;;) {
      const { operations, head } = await operationsSince(this.#manager, this.#after, CHANGES_AT_ONCE);
      for (const { operationId, change } of operations) this.#note(operationId, change.revision);
      const next: number = operations.at(-1)?.change.revision ?? head;
      if (next <= this.#after) return;
      this.#after = next;
      if (next >= head) return;
    }
  }

  #note(operationId: string, revision: number): void {
    const [, name, fingerprint] = /^key:([^:]*):([^:]*)$/.exec(operationId) ?? [];
    if (name === undefined || fingerprint === undefined) return;
    this.#places.delete(name); // the latest are last
    this.#places.set(name, { fingerprint, revision });
    const [oldest] = this.#places.keys();
    if (this.#places.size > REVISIONS_BACK && oldest !== undefined) this.#places.delete(oldest);
  }
}
