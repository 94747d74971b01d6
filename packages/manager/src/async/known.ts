/** What this process has last seen of contexts, to plan on without asking: the commit says whether it is still so. */

import type { Clock } from "../clock.ts";
import type { Loaded } from "../engine.ts";
import type { Entry, Time } from "../entry.ts";
import { Recent } from "../recent.ts";
import { roughSize } from "../size.ts";

interface Sighting {
  readonly entry: Entry | undefined;
  /** Nobody else has written it between the last two times that it was seen. */
  readonly isCalm: boolean;
}

export class Known {
  readonly #clock: Clock;
  readonly #sightings = new Recent<Sighting>();
  /** How far the wall clock of the engine is ahead of this process's. */
  #aheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Wall time as the engine would tell it. Lease time it does not tell: no lock has lapsed. Who is refused because
   * of that asks.
   */
  get time(): Time {
    return { wallMs: this.#clock.wallMs() + this.#aheadMs, leaseMs: -Infinity };
  }

  /** What was there when it was last seen. */
  seen(id: string): Entry | undefined {
    return this.#sightings.get(id)?.entry;
  }

  /** An entry worth planning on: where others write too, it would be wrong as often as right. */
  calm(id: string): Entry | undefined {
    const sighting = this.#sightings.get(id);
    return sighting?.isCalm === true ? sighting.entry : undefined;
  }

  loaded(ids: readonly string[], { entries, time }: Loaded): void {
    this.#aheadMs = time.wallMs - this.#clock.wallMs();
    for (const [index, id] of ids.entries()) {
      const entry = entries[index];
      const before = this.#sightings.get(id);
      if (entry !== undefined && before?.entry === entry && before.isCalm) continue;
      this.#remember(id, { entry, isCalm: before === undefined || before.entry?.revision === entry?.revision });
    }
  }

  /** This process has written it. */
  committed(id: string, entry: Entry | undefined): void {
    this.#remember(id, { entry, isCalm: this.#sightings.get(id)?.isCalm ?? true });
  }

  /** It may be otherwise by now. */
  doubt(id: string): void {
    const sighting = this.#sightings.get(id);
    if (sighting !== undefined) this.#remember(id, { ...sighting, isCalm: false });
  }

  clear(): void {
    this.#sightings.clear();
  }

  #remember(id: string, sighting: Sighting): void {
    this.#sightings.set(id, sighting, sighting.entry === undefined ? 0 : roughSize(sighting.entry.data));
  }
}
