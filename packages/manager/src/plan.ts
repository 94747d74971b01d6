import type { Act } from "./changes.ts";
import { type Entry, isAnother, setVersion } from "./entry.ts";

/** What a plan has found of one context, and what it leaves. Where both are the same, it has only read. */
export interface Step {
  readonly contextId: string;
  readonly found: Entry | undefined;
  readonly next: Entry | undefined;
  readonly act: Act | undefined;
}

/**
 * What rules make of several contexts, to be committed as one: all of it, under one revision, or nothing. What it
 * has only read is checked too, or two plans could each write what the other has read (write skew).
 */
export class Plan {
  readonly #load: (contextId: string) => Entry | undefined;
  /** In the order in which it came upon them. */
  readonly steps: Step[] = [];
  /** Where the step of a context is, for plans of many: for a few, a map costs more than to look at each. */
  #places: Map<string, number> | undefined;
  /** How many contexts more there will be. */
  growth = 0;
  /** How many of its writes were put together with what others had changed. */
  merges = 0;

  constructor(load: (contextId: string) => Entry | undefined) {
    this.#load = load;
  }

  /** The contexts that it deletes, also where it creates them again. */
  get gone(): string[] {
    const gone = this.steps.filter(
      ({ found, next }) => found !== undefined && (next === undefined || isAnother(found, next)),
    );
    return gone.map(({ contextId }) => contextId);
  }

  /** A context as this plan leaves it so far. */
  read(contextId: string): Entry | undefined {
    const place = this.#placeOf(contextId);
    if (place >= 0) return this.steps[place]?.next;
    const found = this.#load(contextId);
    this.#places?.set(contextId, this.steps.length);
    this.steps.push({ contextId, found, next: found, act: undefined });
    return found;
  }

  write(contextId: string, next: Entry | undefined, act?: Act): void {
    const before = this.read(contextId);
    const place = this.#placeOf(contextId);
    const { found, act: earlier } = this.steps[place] as Step;
    if (next !== undefined) setVersion(next, found);
    this.growth += Number(next !== undefined) - Number(before !== undefined);
    // What was said about a deletion stays when the context is created again.
    this.steps[place] = { contextId, found, next, act: act ?? earlier };
  }

  /** -1 for none. */
  #placeOf(contextId: string): number {
    if (this.#places === undefined) {
      for (let place = 0; place < this.steps.length; place++)
        if (this.steps[place]?.contextId === contextId) return place;
      if (this.steps.length < FEW) return -1;
      this.#places = new Map(this.steps.map((step, place) => [step.contextId, place]));
    }
    return this.#places.get(contextId) ?? -1;
  }
}

const FEW = 8;
