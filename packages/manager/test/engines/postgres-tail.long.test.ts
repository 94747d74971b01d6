/** What is in the log alone, until the tables follow: it is read and compared as if it were in the tables. */

import pg from "pg";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { type Engine, type EngineOptions, placeholder, type Transaction } from "../../src/engine.ts";
import { MemoryEngine } from "../../src/engines/memory.ts";
import type * as postgres from "../../src/engines/postgres.ts";
import type * as tables from "../../src/engines/postgres/migrations/0001-initial.ts";
import type * as lines from "../../src/engines/postgres/migrations/0003-batches.ts";
import type { Entry } from "../../src/entry.ts";
import {
  checks,
  clearing,
  commitOne,
  content,
  creates,
  deletes,
  entryOf,
  kindsOf,
  listed,
  loadOne,
  logSince,
  nextOf,
  replaces,
  transactionOf,
} from "../../src/testing/entries.ts";
import { type Random, randomFrom } from "../../src/testing/random.ts";
import { findServer } from "./postgres-server.ts";
import { moduleOf } from "./support.ts";

const { initial } = await moduleOf<typeof tables>("engines/postgres/migrations/0001-initial");
const { batches } = await moduleOf<typeof lines>("engines/postgres/migrations/0003-batches");
const { openPostgres } = await moduleOf<typeof postgres>("engines/postgres");

const IDS = ["a", "b", "c", "d \"\\,{}' d"];
const found = await findServer("postgres-tail.long.test.ts");

describe.skipIf(found === undefined)("what is in the log alone", { timeout: 60_000 }, () => {
  if (found === undefined) return;
  const server = found;
  const opened: Engine[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((engine) => engine.close()));
  });
  afterAll(() => server.close());

  let schemas = 0;
  const newSchema = (): string => `${server.schema}_${++schemas}`;

  async function open(schema: string, options: Partial<EngineOptions> = {}): Promise<Engine> {
    const url = new URL(server.url("", { schema, pool: 2 }));
    const all = { historyLimit: 64, changeLogLimit: 10_000, ...options };
    const engine = await openPostgres(url.href.replace(/\?.*/, ""), url.searchParams, all);
    opened.push(engine);
    return engine;
  }

  /** A function of the database is another one from now on. */
  async function change(schema: string, name: string, from: string, to: string): Promise<void> {
    const [row] = await server.query(
      `SELECT pg_get_functiondef(oid) AS text FROM pg_proc WHERE proname = $1 AND pronamespace = $2::regnamespace`,
      [name, schema],
    );
    const text = row?.["text"] as string;
    expect(text).toContain(from);
    await server.query(text.replaceAll(from, () => to));
  }

  const tidy = (schema: string, history = 64, log = 10_000) =>
    server.query(`SELECT "${schema}".tidy(1, $1, $2)`, [Math.min(history, 1e9), log]);

  const counters = async (schema: string): Promise<Record<string, number>> => {
    const [row] = await server.query(`SELECT head::integer, folded::integer, unfolded FROM "${schema}".namespaces`);
    return row as Record<string, number>;
  };

  describe("is told as if it were in the tables, whenever they follow", () => {
    const SEEDS = [1, 2, 3];

    /** What both tell; of history and log as much as both keep. */
    async function told(engine: Engine, { historyLimit }: EngineOptions): Promise<unknown> {
      const { entries, head } = await engine.load(IDS);
      const histories = await Promise.all(IDS.map((id) => engine.history(id)));
      return {
        head,
        entries: entries.map(content),
        listed: (await listed(engine, "", 2)).map(content),
        histories: histories.map((history) => history.slice(-historyLimit || history.length).map(content)),
        log: (await logSince(engine, Math.max(0, head - 20))).map((one) => ({
          ...one,
          entry: content(one.entry ?? undefined),
        })),
      };
    }

    /** One after the other: what is asked for at the same time is read by one statement. */
    async function toldOneByOne(engine: Engine): Promise<unknown[]> {
      const entries: unknown[] = [];
      for (const id of IDS) entries.push(content(await loadOne(engine, id)));
      return entries;
    }

    /** Some transactions, each on the result of the one before, if it is about the same context. */
    function batchOf(random: Random, present: ReadonlyMap<string, Entry>): Transaction[] {
      const state = new Map(present);
      return Array.from({ length: 1 + random.below(6) }, (_, index) => {
        if (random.below(60) === 0) {
          state.clear();
          return clearing();
        }
        const id = random.pick(IDS);
        const entry = state.get(id);
        const act = 1 + random.below(12);
        if (entry === undefined) {
          const next = entryOf(id, {}, index);
          state.set(id, next);
          return transactionOf(creates(next));
        }
        if (act === 1) {
          state.delete(id);
          return transactionOf(deletes(id, entry.revision));
        }
        if (act === 2) return transactionOf(checks(id, entry.revision));
        const next = nextOf(entry, {}, index);
        state.set(id, next);
        const one = transactionOf(replaces(next, act === 3 ? 999_999 : entry.revision, act > 5));
        if (act === 3) state.set(id, entry);
        // A renewal is stored and told to nobody.
        return act === 4 ? { ...one, changes: [] } : one;
      });
    }

    async function expectSame(schema: string, options: EngineOptions, seed: number): Promise<void> {
      const random = randomFrom(seed);
      const engine = await open(schema, options);
      const stranger = await open(schema, options);
      const reference = new MemoryEngine(systemClock, options);
      for (let round = 0; round < 60; round++) {
        const { entries } = await reference.load(IDS);
        const present = new Map(entries.flatMap((entry) => (entry === undefined ? [] : [[entry.contextId, entry]])));
        const batch = batchOf(random, present);
        const [outcomes, others] = [await engine.commit(structuredClone(batch)), await reference.commit(batch)];
        expect(kindsOf(outcomes)).toEqual(kindsOf(others));
        if (random.below(4) === 0) await tidy(schema, options.historyLimit, options.changeLogLimit);
        if (random.below(3) === 0) expect(await told(engine, options)).toEqual(await told(reference, options));
        if (random.below(3) === 0) expect(await toldOneByOne(stranger)).toEqual(await toldOneByOne(reference));
      }
      expect(await told(engine, options)).toEqual(await told(reference, options));
    }

    it.each([0, 3, 64, Infinity])("with a history of %s", async (historyLimit) => {
      const options = { historyLimit, changeLogLimit: 10_000 };
      for (const seed of SEEDS) await expect(expectSame(newSchema(), options, seed)).resolves.toBeUndefined();
    });

    it("with a short log, of which nothing goes that the tables do not have", async () => {
      const schema = newSchema();
      const engine = await open(schema, { historyLimit: 3, changeLogLimit: 0 });
      await commitOne(engine, creates(entryOf("a")), creates(entryOf("b")));
      for (let n = 0; n < 300; n++) {
        const { entries } = await engine.load(["a", "b"]);
        const a = nextOf(entries[0] as Entry);
        await commitOne(engine, replaces(a, (entries[0] as Entry).revision));
      }
      await tidy(schema, 3, 0);
      const [row] = await server.query(`SELECT count(*)::integer AS n FROM "${schema}".log`);
      expect(row?.["n"]).toBeLessThan(300);
      expect(await loadOne(engine, "a")).toMatchObject({ version: "301" });
      expect((await engine.history("a")).map(({ version }) => version)).toEqual(["298", "299", "300"]);
    });

    it.each([
      ["reads the table alone", "present", "greatest(k.revision, c.revision)", "c.revision"],
      ["lists the table alone", "page", "n.newer ? c.id", "false"],
      ["folds to the wrong revision", "fold", "SET folded = p_through", "SET folded = p_through + 1"],
      [
        "keeps in history what a renewal has replaced",
        "fold",
        "FILTER (WHERE u.is_kept)",
        "FILTER (WHERE u.is_kept IS NOT NULL)",
      ],
      ["loses of history what the table had", "fold", "bool_or(u.keeps) FILTER (WHERE u.is_first)", "false"],
      ["deletes what is still to be folded", "commit", "IF takes OR", "IF"],
      ["leaves the versions of those in between", "fold", "news.revisions <> '{}'", "false"],
    ])("mutant: a database that %s is found out", async (_breaks, name, from, to) => {
      const options = { historyLimit: 64, changeLogLimit: 10_000 };
      const differs = async (seed: number): Promise<boolean> => {
        const schema = newSchema();
        await open(schema, options);
        await change(schema, name, from, to);
        return expectSame(schema, options, seed).then(
          () => false,
          (error: unknown) => {
            if (error instanceof Error && error.name === "AssertionError") return true;
            throw error;
          },
        );
      };
      const found = [];
      for (const seed of SEEDS) found.push(await differs(seed));
      expect(found).toContain(true);
    });
  });

  describe("is compared with what a client knows", () => {
    /** What becomes of an update by one who has written the context last, as far as it knows. */
    async function updatedAfter(
      schema: string,
      meanwhile: (other: Engine, entry: Entry) => Promise<unknown>,
      mutate?: () => Promise<void>,
    ): Promise<string> {
      const [engine, other] = [await open(schema), await open(schema)];
      await mutate?.();
      await commitOne(engine, creates(entryOf("a")), creates(entryOf("b")));
      const first = nextOf((await loadOne(engine, "a")) as Entry);
      await commitOne(engine, replaces(first, (await loadOne(engine, "a"))?.revision ?? 0));
      await meanwhile(other, first);
      // Two, as a batch: one alone has a statement of its own.
      const next = nextOf(first);
      const again = nextOf(next, {}, 1);
      const [outcome] = await engine.commit([
        transactionOf(replaces(next, first.revision)),
        transactionOf(replaces(again, placeholder(0))),
      ]);
      return outcome?.kind ?? "";
    }
    const replace = (other: Engine, entry: Entry) => commitOne(other, replaces(nextOf(entry), entry.revision));
    const replaceB = async (other: Engine) => {
      const b = (await loadOne(other, "b")) as Entry;
      await commitOne(other, replaces(nextOf(b), b.revision));
    };
    const bornAgain = async (other: Engine, entry: Entry) => {
      await commitOne(other, deletes("a", entry.revision));
      await commitOne(other, creates(entryOf("a")));
    };
    /** The server has lost the last commit, and somebody else has written under its revision. */
    const lost = (schema: string) => async (other: Engine, entry: Entry) => {
      await server.query(`DELETE FROM "${schema}".log WHERE revision = ${entry.revision};
        UPDATE "${schema}".namespaces SET head = head - 1, unfolded = unfolded - 1`);
      await replaceB(other);
    };

    it("and fits where others have written something else", async () => {
      expect(await updatedAfter(newSchema(), replaceB)).toBe("ok");
    });

    it("and is a mismatch where another has replaced it, folded or not", async () => {
      expect(await updatedAfter(newSchema(), replace)).toBe("mismatch");
      const schema = newSchema();
      const folded = (other: Engine, entry: Entry) => replace(other, entry).then(() => tidy(schema));
      expect(await updatedAfter(schema, folded)).toBe("mismatch");
    });

    it("mutant: would overwrite another's update if what came after were not looked at", async () => {
      const schema = newSchema();
      const mutate = () => change(schema, "commit", "n.head > p_known", "false");
      expect(await updatedAfter(schema, replace, mutate)).toBe("ok");
    });

    it("and is a mismatch where it has been deleted and created again", async () => {
      expect(await updatedAfter(newSchema(), bornAgain)).toBe("mismatch");
    });

    it("mutant: would overwrite another context if nothing told that one has gone", async () => {
      const schema = newSchema();
      const mutate = async () => {
        await change(schema, "commit", "AND p_known > s.gone", "");
        await change(schema, "commit", "p_known >= s.folded", "true");
      };
      expect(await updatedAfter(schema, bornAgain, mutate)).toBe("ok");
    });

    it("and is a mismatch where the server has lost what it knows, and given out the revision again", async () => {
      const schema = newSchema();
      expect(await updatedAfter(schema, lost(schema))).toBe("mismatch");
    });

    it("mutant: would build on what was lost if rows of the log had no mark", async () => {
      const schema = newSchema();
      const mutate = () => change(schema, "commit", "AND l.mark = p_known_mark", "");
      expect(await updatedAfter(schema, lost(schema), mutate)).toBe("ok");
    });
  });

  describe("is compared with what a client knows of several contexts", () => {
    /** Updates of two, by who has written one before another did and the other one after, and whose last commit is lost. */
    async function updatedAfterLoss(mutate?: (schema: string) => Promise<void>): Promise<string[]> {
      const schema = newSchema();
      const [engine, other] = [await open(schema), await open(schema)];
      await mutate?.(schema);
      await commitOne(engine, ...["a", "b", "c"].map((id) => creates(entryOf(id))));
      const [a, b, c] = (await engine.load(["a", "b", "c"])).entries as [Entry, Entry, Entry];
      const [nextA, nextB, nextC] = [nextOf(a), nextOf(b), nextOf(c)];
      await commitOne(engine, replaces(nextA, a.revision));
      await commitOne(other, replaces(nextC, c.revision));
      await commitOne(engine, replaces(nextB, b.revision));
      await server.query(`DELETE FROM "${schema}".log WHERE revision = ${nextB.revision};
        UPDATE "${schema}".namespaces SET head = head - 1, unfolded = unfolded - 1`);
      return kindsOf(
        await engine.commit([
          transactionOf(replaces(nextOf(nextA), nextA.revision)),
          transactionOf(replaces(nextOf(nextB, {}, 1), nextB.revision)),
        ]),
      );
    }

    it("and is a mismatch where what was written after the others is lost", async () => {
      expect(await updatedAfterLoss()).toEqual(["ok", "mismatch"]);
    });

    it("mutant: would build on what was lost if it were not looked for", async () => {
      expect(await updatedAfterLoss((schema) => change(schema, "commit", "= n.later", ">= 0"))).toEqual(["ok", "ok"]);
    });
  });

  it("is gone, where one batch has created and deleted it, for the one who has written it too", async () => {
    const engine = await open(newSchema());
    const outcomes = await engine.commit([
      transactionOf(creates(entryOf("a"))),
      transactionOf(deletes("a", placeholder(0))),
    ]);
    expect(kindsOf(outcomes)).toEqual(["ok", "ok"]);
    expect(await loadOne(engine, "a")).toBeUndefined();
  });

  it("is brought into the tables by commits where nobody else gets to it", async () => {
    const schema = newSchema();
    const engine = await open(schema);
    await commitOne(engine, creates(entryOf("a")));
    let entry = (await loadOne(engine, "a")) as Entry;
    const update = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        const next = nextOf(entry);
        await commitOne(engine, replaces(next, entry.revision));
        entry = next;
      }
    };
    // Who holds this lock is at it, for all that others know.
    const holder = new pg.Client({ connectionString: server.directUrl });
    await holder.connect();
    await holder.query(`SELECT pg_advisory_lock(tableoid::integer, -ns) FROM "${schema}".namespaces`);
    await update(270);
    expect((await counters(schema))["unfolded"]).toBe(270);
    expect(await loadOne(engine, "a")).toMatchObject({ version: "271" });
    await holder.end();
    await server.query(`SELECT pg_advisory_lock(tableoid::integer, -ns), pg_advisory_unlock(tableoid::integer, -ns)
      FROM "${schema}".namespaces`);
    await change(schema, "tidy", "IF pg_try", "IF false AND pg_try");
    await update(1);
    expect((await counters(schema))["unfolded"]).toBe(1);
    expect((await engine.history("a")).map(({ version }) => Number(version))).toEqual(
      Array.from({ length: 64 }, (_, n) => 208 + n),
    );
  });

  it("is followed by the tables once for so many commits, whatever comes meanwhile", async () => {
    const schema = newSchema();
    const engine = await open(schema);
    await server.query(`CREATE SEQUENCE "${schema}".calls`);
    await change(schema, "tidy", "IF pg_try", `PERFORM nextval('"${schema}".calls'); IF false AND pg_try`);
    await commitOne(engine, creates(entryOf("a")));
    let entry = (await loadOne(engine, "a")) as Entry;
    for (let n = 0; n < 200; n++) {
      const next = nextOf(entry);
      await commitOne(engine, replaces(next, entry.revision));
      entry = next;
    }
    await expect
      .poll(async () => (await server.query(`SELECT last_value::integer AS n FROM "${schema}".calls`))[0]?.["n"])
      .toBe(3);
  });

  it("is followed by the tables at once where it is about very many contexts, since each would be looked for in all of it", async () => {
    const schema = newSchema();
    const ids = Array.from({ length: 1_000 }, (_, n) => `context-${n}`);
    const creator = await open(schema);
    await creator.commit([transactionOf(...ids.map((id) => creates(entryOf(id))))]);
    await expect.poll(() => counters(schema)).toMatchObject({ head: 1, folded: 1 });
    await creator.close(); // or it might still be at it
    const engine = await open(schema);
    const { entries } = await engine.load(ids);
    await engine.commit([transactionOf(...entries.map((entry) => replaces(nextOf(entry as Entry), 1)))]);
    await expect.poll(() => counters(schema)).toEqual({ head: 2, folded: 2, unfolded: 0 });
    expect((await listed(engine, "", 1_000)).every(({ revision }) => revision === 2)).toBe(true);
  });

  it("is compressed, where the server can do so fast", async () => {
    const schema = newSchema();
    const engine = await open(schema);
    const ids = Array.from({ length: 64 }, (_, n) => `context-${n}`);
    await engine.commit(
      ids.map((id, index) => transactionOf(creates(entryOf(id, { data: { text: "x".repeat(100) } }, index)))),
    );
    const [row] = await server.query(
      `SELECT length(lines) AS length, pg_column_size(lines) AS size,
        EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) AS can
        FROM "${schema}".log`,
    );
    const { length, size, can } = row as { length: number; size: number; can: boolean };
    if (can) expect(size).toBeLessThan(length / 2);
    else expect(size).toBe(length);
    expect(await logSince(engine, 0)).toHaveLength(64);
  });

  it("follows upon what the layout before this one held", async () => {
    const schema = newSchema();
    const text = (version: number): string =>
      JSON.stringify([String(version), { n: version }, 1, 2, null, null, -1, 1]);
    const item = (version: number): string =>
      `${JSON.stringify([`op-${version}`, ["updated", "a", null, null, 1]])}\n${text(version)}`;
    await server.query(`CREATE SCHEMA "${schema}"; ${initial(`"${schema}"`)}${batches(`"${schema}"`)}
      CREATE TABLE "${schema}".layout (migrations integer NOT NULL); INSERT INTO "${schema}".layout VALUES (3);
      INSERT INTO "${schema}".namespaces (name, head, trimmed, contexts) VALUES ('', 5, 2, 1)`);
    await server.query(
      `WITH c AS (INSERT INTO "${schema}".contexts (ns, id, revision, entry, first, next) VALUES (1, 'a', 5, $5, 2, 5)),
        v AS (INSERT INTO "${schema}".versions VALUES (1, 1, 1, 1, $1), (1, 1, 2, 2, $2), (1, 1, 3, 3, $3), (1, 1, 4, 4, $4))
      INSERT INTO "${schema}".log (ns, revision, first, lines) VALUES (1, 3, 3, $6), (1, 4, 4, $7), (1, 5, 5, $8)`,
      [1, 2, 3, 4, 5].map(text).concat([3, 4, 5].map(item)),
    );
    const engine = await open(schema);
    const versionsOf = async () => (await engine.history("a")).map(({ version, revision }) => [version, revision]);
    const entry = (await loadOne(engine, "a")) as Entry;
    expect(entry).toMatchObject({ version: "5", revision: 5, data: { n: 5 } });
    expect(await versionsOf()).toEqual([2, 3, 4].map((n) => [String(n), n]));
    await commitOne(engine, replaces(nextOf(entry), 5));
    for (let time = 0; time < 2; time++) {
      expect(await loadOne(engine, "a")).toMatchObject({ version: "6", revision: 6 });
      expect(await versionsOf()).toEqual([2, 3, 4, 5].map((n) => [String(n), n]));
      expect((await logSince(engine, 2)).map(({ revision, entry: told }) => [revision, told?.version])).toEqual(
        [3, 4, 5, 6].map((n) => [n, String(n)]),
      );
      await tidy(schema);
    }
    expect(await counters(schema)).toMatchObject({ head: 6, folded: 6, unfolded: 0 });
  });

  it.each([
    `SELECT "@".commit(1, 'x', 64, 100, 1, 0, false, '["x"]', '', '{}', '{}', '', '{}', '{}', '{}', '{}', '{}', '{}')`,
    `UPDATE "@".contexts SET revision = 9, entry = '{}' WHERE ns = 1`,
    `INSERT INTO "@".versions (ns, seq, number, revision, entry) VALUES (1, 1, 1, 1, '{}')`,
    `INSERT INTO "@".log (ns, revision, first, lines) VALUES (1, 9, 9, '["x"]')`,
    `SELECT entry FROM "@".contexts`,
    `SELECT * FROM "@".load(1, '{a}', '{0}')`,
  ])("is nothing that an older version would get wrong: it cannot say %s", async (statement) => {
    const schema = newSchema();
    const engine = await open(schema);
    await commitOne(engine, creates(entryOf("a")));
    await expect(server.query(statement.replaceAll("@", schema))).rejects.toThrow(/does not exist|violates not-null/);
  });
});
