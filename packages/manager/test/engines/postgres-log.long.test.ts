/** Why revisions come from a counter row: the log read while two transactions commit in the other order. */

import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import type * as postgres from "../../src/engines/postgres.ts";
import type * as tables from "../../src/engines/postgres/migrations/0001-initial.ts";
import type * as lines from "../../src/engines/postgres/migrations/0003-batches.ts";
import type * as tail from "../../src/engines/postgres/migrations/0004-updates-in-the-log-alone.ts";
import type * as compressed from "../../src/engines/postgres/migrations/0005-compressed-log.ts";
import type * as functions from "../../src/engines/postgres/migrations/0006-tables-follow-less-often.ts";
import type * as texts from "../../src/engines/postgres/statements.ts";
import { creates, entryOf, transactionOf } from "../../src/testing/entries.ts";
import { findServer } from "./postgres-server.ts";
import { moduleOf } from "./support.ts";

const { openPostgres } = await moduleOf<typeof postgres>("engines/postgres");
const { initial } = await moduleOf<typeof tables>("engines/postgres/migrations/0001-initial");
const { batches } = await moduleOf<typeof lines>("engines/postgres/migrations/0003-batches");
const { updatesInTheLogAlone } = await moduleOf<typeof tail>(
  "engines/postgres/migrations/0004-updates-in-the-log-alone",
);
const { compressedLog } = await moduleOf<typeof compressed>("engines/postgres/migrations/0005-compressed-log");
const { tablesFollowLessOften } = await moduleOf<typeof functions>(
  "engines/postgres/migrations/0006-tables-follow-less-often",
);
const { statements } = await moduleOf<typeof texts>("engines/postgres/statements");

const found = await findServer("postgres-log.long.test.ts");

describe.skipIf(found === undefined)("a reader of the log, while two transactions are open", () => {
  if (found === undefined) return;
  const server = found;
  afterAll(() => server.close());

  const commit = (client: pg.Client, schema: string, op: string): Promise<unknown> =>
    client.query(
      `SELECT "${schema}".commit(1, $1, 0, 100, NULL, NULL, 1, 1, 0, false, $2, NULL, '{}', '{}', '{}', '{}', '{}', '{}',
        '{}', '{}', '{}', '{}', '{}', '{}', '{}')`,
      [op, JSON.stringify([op, ["updated", null, null, null, 0]])],
    );

  /** The operations that a reader has come by, which reads whenever something may have changed. */
  async function readDuringRace(schema: string): Promise<string[]> {
    const url = new URL(server.url("race", { schema }));
    const options = { historyLimit: 0, changeLogLimit: 100 };
    const engine = await openPostgres(url.href.replace(/\?.*/, ""), url.searchParams, options);
    const [slow, fast] = await Promise.all([connected(), connected()]);
    const seen: string[] = [];
    let after = 0;
    const read = async (): Promise<void> => {
      const page = await engine.changes({ after, limit: 100 });
      seen.push(...page.changes.map(({ opId }) => opId));
      after = page.changes.at(-1)?.revision ?? page.head;
    };
    await slow.query("BEGIN");
    await commit(slow, schema, "slow");
    const committed = commit(fast, schema, "fast");
    await Promise.race([committed, pause(1_000)]);
    await read();
    await slow.query("COMMIT");
    await committed;
    await read();
    await Promise.all([slow.end(), fast.end(), engine.close()]);
    return seen;
  }

  it("misses nothing: the second waits for the counter, and revisions become visible in their order", async () => {
    expect(await readDuringRace(server.schema)).toEqual(["slow", "fast"]);
  });

  it("would miss the first one if revisions came from a sequence", async () => {
    const schema = `${server.schema}_sequence`;
    const counter = /UPDATE \S+namespaces\s+SET head = head \+ p_count[\s\S]*?INTO may_be_void;\s+EXIT WHEN FOUND/;
    const layout = [initial, batches, updatesInTheLogAlone, compressedLog, tablesFollowLessOften]
      .map((migration) => migration(`"${schema}"`))
      .join("");
    const mutant = layout
      .replace(/PERFORM pg_advisory_xact_lock[^;]*<< 32[^;]*;/, "")
      .replace(counter, `n.head := nextval('"${schema}".revisions') - 1; EXIT`)
      .replace("n.head, n.trimmed", `(SELECT coalesce(max(l.revision), 0) FROM "${schema}".log l), n.trimmed`);
    expect(mutant).not.toMatch(counter);
    await server.query(`CREATE SCHEMA "${schema}"; CREATE SEQUENCE "${schema}".revisions; ${mutant}
      CREATE TABLE "${schema}".layout (migrations integer NOT NULL); INSERT INTO "${schema}".layout VALUES (6)`);
    expect(await readDuringRace(schema)).toEqual(["fast"]);
  });

  describe("and somebody else replaces the context while a commit waits for the counter", () => {
    /** @returns what the commit has answered, and the operations in the log. */
    async function replaceDuringRace(store: string, statement: string, knowsLast = false): Promise<[number, string[]]> {
      const schema = `${server.schema}_${store}`;
      const url = new URL(server.url("", { schema }));
      const options = { historyLimit: 8, changeLogLimit: 100 };
      const engine = await openPostgres(url.href.replace(/\?.*/, ""), url.searchParams, options);
      await engine.commit([{ ...transactionOf(creates(entryOf("a"))), opId: "first" }]);
      const [slow, fast] = await Promise.all([connected(), connected()]);
      const text = statement.replaceAll("@.", `"${schema}".`);
      const [row] = await server.query(`SELECT mark FROM "${schema}".log`);
      const known = knowsLast ? [1, row?.["mark"]] : [null, null];
      const replace = (client: pg.Client, op: string) =>
        client.query(text, [
          1,
          "a",
          1,
          1,
          JSON.stringify([op, ["updated", "a", null, null, 0]]),
          "{}",
          2,
          false,
          ...known,
        ]);
      await slow.query("BEGIN");
      await replace(slow, "slow");
      const replaced = replace(fast, "fast");
      await Promise.race([replaced, pause(1_000)]);
      await slow.query("COMMIT");
      const { rows } = await replaced;
      const { changes } = await engine.changes({ after: 0, limit: 10 });
      await Promise.all([slow.end(), fast.end(), engine.close()]);
      return [rows.length, changes.map(({ opId }) => opId)];
    }
    const { replaceOne } = statements("@");

    it("nothing has happened", async () => {
      expect(await replaceDuringRace("replaced", replaceOne)).toEqual([0, ["first", "slow"]]);
      expect(await replaceDuringRace("replaced_known", replaceOne, true)).toEqual([0, ["first", "slow"]]);
    });

    it("would be in the log all the same, if the counter were not compared with what it was", async () => {
      const mutant = replaceOne.replace(/AND n\.head = \(.*?\)/, "");
      expect(mutant).not.toBe(replaceOne);
      const both = [1, ["first", "slow", "fast"]];
      expect(await replaceDuringRace("replaced_mutant", mutant)).toEqual(both);
      expect(
        await replaceDuringRace("replaced_known_mutant", mutant.replace("n.head = $9", "$9::bigint > 0"), true),
      ).toEqual(both);
    });
  });

  describe("and a commit that waits for the counter is given up meanwhile", () => {
    /** @returns what has become of it. */
    async function giveUpDuringRace(schema: string, mutate: (text: string) => string): Promise<string> {
      const url = new URL(server.url("", { schema }));
      const options = { historyLimit: 8, changeLogLimit: 100 };
      const engine = await openPostgres(url.href.replace(/\?.*/, ""), url.searchParams, options);
      const [row] = await server.query(
        `SELECT pg_get_functiondef(oid) AS text FROM pg_proc WHERE proname = 'commit' AND pronamespace = $1::regnamespace`,
        [schema],
      );
      await server.query(mutate(row?.["text"] as string));
      const [slow, client] = await Promise.all([connected(), connected()]);
      await client.query("BEGIN");
      await client.query(statements(`"${schema}"`).giveUp, [1, "slow"]);
      const committed = commit(slow, schema, "slow").then(
        () => "done",
        (error: unknown) => String(error),
      );
      await Promise.race([committed, pause(1_000)]);
      await client.query("COMMIT");
      const outcome = await committed;
      await Promise.all([slow.end(), client.end(), engine.close()]);
      return outcome;
    }

    it("does not happen", async () => {
      expect(await giveUpDuringRace(`${server.schema}_void`, (text) => text)).toContain("was given up");
    });

    it("mutant: would, if it did not look again once it has the counter", async () => {
      const look = "RETURNING void_until > clock_timestamp() INTO may_be_void";
      const mutate = (text: string): string => {
        expect(text).toContain(look);
        return text.replace(look, "");
      };
      expect(await giveUpDuringRace(`${server.schema}_void_mutant`, mutate)).toBe("done");
    });
  });

  async function connected(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: server.directUrl });
    await client.connect();
    return client;
  }
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
