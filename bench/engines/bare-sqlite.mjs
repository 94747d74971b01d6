/** The least that SQLite must do to read, compare and write one JSON value: one table, prepared statements. */

/** @import { Contestant } from "./types.d.ts" */
/** @import { DatabaseSync, StatementSync } from "node:sqlite" */

import { shuffled } from "../harness/walk.mjs";
import { twoKeys } from "../payloads.mjs";
import { idsOf, IN_FLIGHT } from "./ours.mjs";

/** @typedef {{ database: DatabaseSync, ids: string[], versions: number[], at: number } & Record<"begin" | "commit" | "read" | "write", StatementSync>} Bare */

/**
 * @param {string} path
 * @param {string} synchronous
 * @param {number} contexts
 * @returns {Promise<Bare>}
 */
async function openBare(path, synchronous, contexts) {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path, { timeout: 0 });
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA cache_size = -8000`);
  database.exec("CREATE TABLE IF NOT EXISTS kept (id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
  const add = database.prepare("INSERT OR IGNORE INTO kept VALUES (?, ?)");
  database.exec("BEGIN IMMEDIATE");
  for (const [index, id] of idsOf(contexts).entries())
    add.run(id, JSON.stringify({ version: 1, data: twoKeys(index) }));
  database.exec("COMMIT");
  return {
    database,
    ids: shuffled(idsOf(contexts)),
    versions: [],
    at: 0,
    begin: database.prepare("BEGIN IMMEDIATE"),
    commit: database.prepare("COMMIT"),
    read: database.prepare("SELECT value FROM kept WHERE id = ?"),
    write: database.prepare("UPDATE kept SET value = ? WHERE id = ?"),
  };
}

/** @param {Bare} state */
const closeBare = ({ database }) => database.close();

/**
 * @param {Bare} state
 * @param {string} id
 * @returns {{ version: number, data: { step: number } }}
 */
function readBare({ read }, id) {
  return JSON.parse(/** @type {any} */ (read.get(id)).value);
}

/**
 * Read, compare, write; no other can be in between.
 *
 * @param {Bare} state
 * @param {number} at
 * @param {number} step
 */
function updateBare(state, at, step) {
  const id = state.ids[at] ?? "";
  const { version } = readBare(state, id);
  if (version !== (state.versions[at] ?? 1)) throw new Error("a conflict where there is nobody else");
  state.versions[at] = version + 1;
  state.write.run(JSON.stringify({ version: version + 1, data: twoKeys(step) }), id);
}

/**
 * @param {() => string} file
 * @param {string} synchronous
 * @param {number} contexts
 * @returns {Contestant<Bare>}
 */
export function bareUpdates(file, synchronous, contexts) {
  return {
    setUp: () => openBare(file(), synchronous, contexts),
    round(state, count) {
      for (let done = 0; done < count; done++) {
        state.begin.run();
        updateBare(state, (state.at = (state.at + 1) % contexts), done);
        state.commit.run();
      }
    },
    tearDown: closeBare,
  };
}

/**
 * @param {() => string} file
 * @param {string} synchronous
 * @returns {Contestant<Bare>}
 */
export function bareBatches(file, synchronous) {
  return {
    setUp: () => openBare(file(), synchronous, IN_FLIGHT),
    step: IN_FLIGHT,
    round(state, count) {
      for (let done = 0; done < count; done += IN_FLIGHT) {
        state.begin.run();
        for (let at = 0; at < IN_FLIGHT; at++) updateBare(state, at, done);
        state.commit.run();
      }
    },
    tearDown: closeBare,
  };
}

/**
 * @param {() => string} file
 * @param {number} contexts
 * @returns {Contestant<Bare>}
 */
export function bareGets(file, contexts) {
  return {
    setUp: () => openBare(file(), "normal", contexts),
    round(state, count) {
      let sum = 0;
      for (let done = 0; done < count; done++) {
        state.at = (state.at + 1) % contexts;
        sum += readBare(state, state.ids[state.at] ?? "").data.step;
      }
      if (!Number.isFinite(sum)) throw new Error("a value was lost");
    },
    tearDown: closeBare,
  };
}

/**
 * @param {() => string} file
 * @param {number} contexts
 * @returns {Contestant<{ reader: Bare, writer: Bare }>}
 */
export function bareGetsAfterWrites(file, contexts) {
  return {
    async setUp() {
      const path = file();
      return { reader: await openBare(path, "normal", contexts), writer: await openBare(path, "normal", contexts) };
    },
    round({ reader, writer }, count) {
      let elapsed = 0n;
      for (let done = 0; done < count; done++) {
        writer.begin.run();
        updateBare(writer, 0, done);
        writer.commit.run();
        reader.at = (reader.at + 1) % contexts;
        const started = process.hrtime.bigint();
        if (readBare(reader, reader.ids[reader.at] ?? "").data.step === undefined) throw new Error("a value was lost");
        elapsed += process.hrtime.bigint() - started;
      }
      return Number(elapsed);
    },
    tearDown({ reader, writer }) {
      reader.database.close();
      writer.database.close();
    },
  };
}
