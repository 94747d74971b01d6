/** What has been decoded once need not be again, as long as the server gives the same text. */

import type { Entry } from "../../entry.ts";
import { Recent } from "../../recent.ts";
import { decodeStored } from "../lines.ts";
import { parseStored } from "./entries.ts";

interface Cached {
  readonly revision: number;
  readonly body: string;
  readonly entry: Entry;
}

export class EntryCache {
  readonly #entries = new Recent<Cached>();

  /** The entry that a text stands for: the same one again for the same text, which is compared as a whole. */
  read(contextId: string, text: string): Entry {
    const { revision, body } = parseStored(contextId, text);
    const cached = this.#entries.get(contextId);
    if (cached?.revision === revision && cached.body === body) return cached.entry;
    const entry = decodeStored(contextId, body, revision);
    this.keep(body, entry);
    return entry;
  }

  keep(body: string, entry: Entry): void {
    this.#entries.set(entry.contextId, { revision: entry.revision, body, entry }, body.length);
  }
}
