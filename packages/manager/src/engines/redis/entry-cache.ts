/** What has been decoded once need not be again, as long as the server gives the same text. */

import type { Entry } from "../../entry.ts";
import { Recent } from "../../recent.ts";
import { entryOf, parseStored } from "./entries.ts";

interface Cached {
  readonly numbers: string;
  readonly body: string;
  readonly entry: Entry;
}

export class EntryCache {
  readonly #entries = new Recent<Cached>();

  /** The entry that a text stands for: the same one again for the same text, which is compared as a whole. */
  read(contextId: string, text: string): Entry {
    const { numbers, body } = parseStored(contextId, text);
    const cached = this.#entries.get(contextId);
    if (cached?.numbers === numbers && cached.body === body) return cached.entry;
    const entry = entryOf(contextId, numbers, body);
    this.keep(numbers, body, entry);
    return entry;
  }

  keep(numbers: string, body: string, entry: Entry): void {
    this.#entries.set(entry.contextId, { numbers, body, entry }, body.length);
  }
}
