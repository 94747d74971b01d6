import { describe, expect, it } from "vitest";
import { Loader } from "../src/engines/postgres/loader.ts";
import type { Row } from "../src/engines/postgres/driver.ts";
import { creates, entryOf, nextOf, replaces, transactionOf } from "../src/testing/entries.ts";
import { Lines } from "../src/engines/lines.ts";
import type { Entry } from "../src/entry.ts";

describe("the row of the log as of which a process knows a context", () => {
  const stamp = (revision: number) => ({ revision, mark: 1_000 + revision });
  const at = (id: string, revision: number): Entry => ({ ...entryOf(id), revision, incarnation: revision });
  const written = (entry: Entry, expect: number) => [transactionOf(replaces(entry, expect))];

  /** One that is answered when it is told to be, and that finds each context at a revision. */
  function reading(head: number, revision: number) {
    let answer = (): void => undefined;
    const told = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const loader = new Loader(async (ids) => {
      await told;
      return ids.map((id): Row => [`${head}`, "2", "0", id, `${revision}`, textOf(at(id, revision))]);
    });
    return { loader, answer };
  }

  async function loaded(head: number, revision: number): Promise<Loader> {
    const { loader, answer } = reading(head, revision);
    const found = loader.load(["a"]);
    answer();
    await found;
    return loader;
  }

  it("is none for what it has only read", async () => {
    const loader = await loaded(5, 3);
    expect(loader.stampOf([{ id: "a", expect: 3 }])).toBeUndefined();
  });

  it("is its last one, as long as nobody else writes", async () => {
    const loader = await loaded(5, 3);
    loader.committed(5, stamp(6), written(at("b", 6), 4));
    expect(loader.stampOf([{ id: "a", expect: 3 }])).toEqual(stamp(6));
    loader.committed(6, stamp(7), written(at("b", 7), 6));
    expect(loader.stampOf([{ id: "a", expect: 3 }])).toEqual(stamp(7));
    expect(loader.stampOf([{ id: "a", expect: 2 }])).toBeUndefined();
  });

  it("is the one that has made it so, where somebody else has written since", () => {
    const loader = new Loader(() => Promise.resolve([]));
    loader.committed(5, stamp(6), written(at("a", 6), 4));
    loader.committed(7, stamp(8), written(at("b", 8), 3));
    expect(loader.stampOf([{ id: "a", expect: 6 }])).toEqual(stamp(6));
    expect(loader.stampOf([{ id: "b", expect: 8 }])).toEqual(stamp(8));
    expect(loader.stampOf(["a", "b"].map((id, index) => ({ id, expect: 6 + 2 * index })))).toEqual(stamp(6));
  });

  it("is none for what was read before somebody else has written", async () => {
    const loader = await loaded(5, 3);
    loader.committed(6, stamp(7), written(at("b", 7), 4));
    expect(loader.stampOf([{ id: "a", expect: 3 }])).toBeUndefined();
  });

  it("is none for what a read tells that was overtaken by a commit of its own", async () => {
    const { loader, answer } = reading(5, 3);
    loader.committed(4, stamp(5), written(at("b", 5), 4));
    const found = loader.load(["a"]);
    loader.committed(5, stamp(6), [transactionOf(creates(at("c", 6)))]);
    loader.committed(6, stamp(7), written(nextOf(at("a", 3)), 3));
    answer();
    await found;
    expect(loader.stampOf([{ id: "a", expect: 3 }])).toBeUndefined();
  });
});

function textOf(entry: Entry): string {
  const lines = new Lines([], []);
  return lines.texts[lines.lineOf(entry)] as string;
}
