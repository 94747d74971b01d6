/** Which jobs go into a round, whatever is under way. A failure prints seed and path; replay with FC_SEED. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backlog } from "../src/async/backlog.ts";
import type { Job, Queued } from "../src/async/planning.ts";

const ROUNDS = 2;

interface Asked {
  readonly ids: readonly string[];
  readonly counts?: boolean;
  readonly clears?: boolean;
}

let asked = 0;

/** Its operation id is when it was asked for. */
function queuedFor({ ids, counts = false, clears = false }: Asked): Queued {
  const job: Job<unknown> = { contextIds: ids, counts, clears, plan: () => undefined };
  return { job, opId: String(++asked), resolve: () => undefined, reject: () => undefined, attempts: 0, cuts: 0 };
}

const backlogWith = (...all: readonly Asked[]): Backlog => {
  const backlog = new Backlog(ROUNDS);
  for (const one of all) backlog.add(queuedFor(one));
  return backlog;
};
const idsIn = (batch: readonly Queued[] | undefined): string[] => (batch ?? []).flatMap(({ job }) => job.contextIds);
const each = (count: number): Asked[] => Array.from({ length: count }, (_, index) => ({ ids: [`c${index}`] }));

describe("of what waits", () => {
  it("half goes, so that the other half is planned while that is under way", () => {
    const backlog = backlogWith(...each(64));
    expect([backlog.next(), backlog.next(), backlog.next()].map((batch) => batch?.length)).toEqual([32, 32, undefined]);
  });

  it("all goes where there is only one round at a time, up to 128", () => {
    const backlog = new Backlog(1);
    for (const one of each(130)) backlog.add(queuedFor(one));
    const batch = backlog.next()!;
    expect([batch.length, backlog.next()]).toEqual([128, undefined]);
    backlog.over(batch, []);
    expect(backlog.next()).toHaveLength(2);
  });

  it("all goes where it is little", () => {
    expect(backlogWith(...each(16)).next()).toHaveLength(16);
  });

  it("all goes that is about one context: each builds on the one before it", () => {
    const backlog = backlogWith(...Array.from({ length: 64 }, () => ({ ids: ["hot"] })));
    expect(backlog.next()).toHaveLength(64);
  });

  it("the larger half of what came late goes with less than that under way", () => {
    const backlog = backlogWith({ ids: ["first"] });
    backlog.next();
    for (const one of each(63)) backlog.add(queuedFor(one));
    expect(backlog.next()).toHaveLength(32);
  });

  it("nothing goes past who waits for one of its contexts", () => {
    const backlog = backlogWith({ ids: ["a"] });
    backlog.next();
    for (const ids of [["a", "b"], ["b"], ["c"]]) backlog.add(queuedFor({ ids }));
    expect(idsIn(backlog.next())).toEqual(["c"]);
  });

  it("what needs to know of all contexts waits for all, and all wait for it", () => {
    const backlog = backlogWith({ ids: ["a"] });
    const first = backlog.next()!;
    backlog.add(queuedFor({ ids: ["b"], counts: true }));
    backlog.add(queuedFor({ ids: ["c"] }));
    expect(backlog.next()).toBeUndefined();
    backlog.over(first, []);
    expect(idsIn(backlog.next())).toEqual(["b", "c"]);
    backlog.add(queuedFor({ ids: ["d"] }));
    expect(backlog.next()).toBeUndefined();
  });
});

/** Throws at the first thing that is out of order. */
class Observer {
  readonly #backlog: Backlog;
  readonly #unfinished = new Map<string, Asked>();
  readonly underWay: (readonly Queued[])[] = [];

  constructor(backlog: Backlog) {
    this.#backlog = backlog;
  }

  ask(one: Asked): void {
    const queued = queuedFor(one);
    this.#unfinished.set(queued.opId, one);
    this.#backlog.add(queued);
  }

  begin(): boolean {
    const batch = this.#backlog.next();
    if (batch === undefined) return false;
    const others = new Set(this.underWay.flat().map(({ opId }) => opId));
    const gone = new Set<string>();
    for (const { opId } of batch) {
      const own = this.#unfinished.get(opId)!;
      for (const [before, other] of this.#unfinished) {
        if (!isInTheWay(own, other) || gone.has(before)) continue;
        if (others.has(before)) throw new Error(`${opId} goes while ${before} is under way`);
        if (Number(before) < Number(opId)) throw new Error(`${opId} goes before ${before}`);
      }
      gone.add(opId);
    }
    this.underWay.push(batch);
    if (this.underWay.length > ROUNDS) throw new Error("too many rounds");
    return true;
  }

  /** @param wins - of those under way, which are done. */
  end(at: number, wins: (queued: Queued) => boolean): void {
    const [batch = []] = this.underWay.splice(at % this.underWay.length, 1);
    const again = batch.filter((queued) => !wins(queued));
    for (const { opId } of batch) if (!again.some((one) => one.opId === opId)) this.#unfinished.delete(opId);
    this.#backlog.over(batch, again);
  }

  endAll(): void {
    while (this.#unfinished.size > 0) {
      while (this.begin());
      if (this.underWay.length === 0) throw new Error("some never go");
      this.end(0, () => true);
    }
  }
}

function isInTheWay(one: Asked, other: Asked): boolean {
  if (one === other) return false;
  return [one, other].some(({ counts, clears }) => counts ?? clears) || one.ids.some((id) => other.ids.includes(id));
}

const IDS = Array.from({ length: 20 }, (_, index) => `c${index}`);
const jobs = fc.record(
  {
    ids: fc.uniqueArray(fc.constantFrom(...IDS), { minLength: 1, maxLength: 2 }),
    counts: fc.nat(40).map((chance) => chance === 17),
  },
  { requiredKeys: ["ids"] },
) as fc.Arbitrary<Asked>;
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ ask: fc.array(jobs, { minLength: 1, maxLength: 10 }) }) },
    { weight: 5, arbitrary: fc.constant("begin" as const) },
    { weight: 3, arbitrary: fc.record({ at: fc.nat(1), wins: fc.nat() }) },
  ),
  { minLength: 20, maxLength: 40 },
);

function storm(make: () => Backlog): number {
  const seed = process.env["FC_SEED"];
  let atOnce = 0;
  fc.assert(
    fc.property(steps, (all) => {
      const observer = new Observer(make());
      for (const step of all) {
        if (step === "begin") observer.begin();
        else if ("ask" in step) for (const one of step.ask) observer.ask(one);
        else if (observer.underWay.length > 0) observer.end(step.at, ({ opId }) => Number(opId) % 3 !== step.wins % 3);
        if (observer.underWay.length > 1) atOnce += 1;
      }
      observer.endAll();
    }),
    { numRuns: 500, ...(seed && { seed: Number(seed) }) },
  );
  return atOnce;
}

const mutants: Record<string, new (rounds: number) => Backlog> = {
  "what is under way is in nobody's way": class extends Backlog {
    override next(): readonly Queued[] | undefined {
      const batch = super.next();
      if (batch !== undefined) super.over(batch, []);
      return batch;
    }
    override over(_batch: readonly Queued[], again: readonly Queued[]): void {
      super.over([], again);
    }
  },
  "what is planned again goes behind what came later": class extends Backlog {
    override over(batch: readonly Queued[], again: readonly Queued[]): void {
      super.over(batch, []);
      for (const queued of again) this.add(queued);
    }
  },
  "only the first context of a job is looked at": class extends Backlog {
    override add(queued: Queued): void {
      super.add({ ...queued, job: { ...queued.job, contextIds: queued.job.contextIds.slice(0, 1) } });
    }
  },
  "what counts contexts goes like any other": class extends Backlog {
    override add(queued: Queued): void {
      super.add({ ...queued, job: { ...queued.job, counts: false } });
    }
  },
  "the last that came goes first": class extends Backlog {
    override next(): readonly Queued[] | undefined {
      return (super.next() as Queued[] | undefined)?.reverse();
    }
  },
  "there are as many rounds as there is work": class extends Backlog {
    constructor() {
      super(Infinity);
    }
  },
};

describe("whatever is asked for, and however rounds end", () => {
  it("what is about one context goes in order, and never in two rounds at once", () => {
    expect(storm(() => new Backlog(ROUNDS))).toBeGreaterThan(1_000);
  });

  it.each(Object.keys(mutants))("would be caught if %s", (name) => {
    expect(() => storm(() => new mutants[name]!(ROUNDS))).toThrow(/Property failed/);
  });
});
