/** PostgreSQL: where a server answers, beside `pg` with one table and one statement for each write. */

/** @import { Choice, Contestant, EngineCase, Ground } from "./types.d.ts" */
/** @import { Client } from "pg" */

import { shuffled } from "../harness/walk.mjs";
import { twoKeys } from "../payloads.mjs";
import {
  deliveries,
  gets,
  idsOf,
  increments,
  IN_FLIGHT,
  KNOWN_AT_MOST,
  shared,
  somewhereInAPeriod,
  updates,
  updatesOfRead,
  updatesTogether,
} from "./ours.mjs";
import { updatesOfProcesses } from "./processes.mjs";
import { timedAfter } from "./timed.mjs";

const OURS = "this package";
const BARE = "bare pg";
const POOL = "bare pool of ten";
const ONE = "one at a time";
const PROCESS = "one process";
const PROCESSES = "four processes";
const NOTIFY = "bare LISTEN and NOTIFY";
const SERVER = process.env["DATABASE_URL"] ?? "postgres://postgres@127.0.0.1:5432/postgres";
const SCHEMA = `bench_${process.pid}`;
const READ = { name: "read", text: `SELECT version, value FROM ${SCHEMA}.kept WHERE id = $1` };
/** Compares and writes in one round trip: the least that is correct. */
const WRITE = {
  name: "write",
  text: `UPDATE ${SCHEMA}.kept SET version = version + 1, value = $3 WHERE id = $1 AND version = $2 RETURNING version`,
};

/** @typedef {{ connection: any, ids: string[], versions: number[], at: number }} Bare */

/** @param {Choice} choice @returns {Promise<Ground>} */
export async function postgresCases({ sizes }) {
  const driver = await connected();
  if (driver === undefined) return { cases: [], close: () => {} };
  const { client, pg } = driver;
  await client.query(`CREATE SCHEMA ${SCHEMA}`);
  await client.query(
    `CREATE TABLE ${SCHEMA}.kept (id text PRIMARY KEY, version bigint NOT NULL, value jsonb NOT NULL)`,
  );

  let stores = 0;
  const url = () => {
    const where = new URL(SERVER);
    where.search = new URLSearchParams({ schema: `${SCHEMA}_ours`, namespace: `store-${++stores}` }).toString();
    return where.href;
  };
  const one = async () => {
    const connection = new pg.Client({ connectionString: SERVER });
    await connection.connect();
    return connection;
  };
  const ten = () => Promise.resolve(new pg.Pool({ connectionString: SERVER, max: 10 }));
  const against = (/** @type {string} */ base, /** @type {number} */ atLeast) => [
    { contestant: OURS, against: base, atLeast },
  ];
  const engine = "postgres";
  const same = url();

  /** @type {EngineCase[]} */
  const cases = [
    {
      engine,
      name: "many",
      title: "update, 64 in flight",
      contexts: IN_FLIGHT,
      base: POOL,
      contestants: { [POOL]: bareTogether(ten), [OURS]: updatesTogether(url) },
      targets: against(POOL, 6),
    },
    {
      engine,
      name: "hot",
      title: "increment of one context, 64 in flight",
      contexts: 1,
      base: ONE,
      contestants: { [ONE]: increments(url, 1), [OURS]: increments(url, IN_FLIGHT) },
      targets: against(ONE, 5),
    },
    {
      engine,
      name: "processes",
      title: "update, 64 in flight in each process",
      contexts: IN_FLIGHT,
      base: PROCESS,
      contestants: { [PROCESS]: updatesOfProcesses(url, 1), [PROCESSES]: updatesOfProcesses(url, 4) },
      targets: [{ contestant: PROCESSES, against: PROCESS, atLeast: 1 }],
    },
    {
      engine,
      name: "delivery",
      title: "from commit to callback, other connection",
      contexts: 1,
      base: NOTIFY,
      contestants: { [NOTIFY]: bareNotifications(one), [OURS]: deliveries(() => same) },
      targets: against(NOTIFY, 1 / 4),
    },
  ];
  for (const contexts of sizes) {
    const store = shared(url);
    const isKnown = contexts <= KNOWN_AT_MOST;
    cases.push(
      {
        engine,
        name: "one",
        title: isKnown ? "update, one at a time" : "update of what was never read, one at a time",
        contexts,
        base: BARE,
        contestants: { [BARE]: bareUpdates(one, contexts), [OURS]: updates(store, contexts) },
        // What is not known is read first, which is a round trip more.
        targets: isKnown ? against(BARE, 0.6) : [],
      },
      {
        engine,
        name: "one",
        title: "update of what was read before, one at a time",
        contexts,
        base: BARE,
        contestants: { [BARE]: bareUpdates(one, contexts, true), [OURS]: updatesOfRead(store, contexts) },
        targets: against(BARE, 0.6),
      },
      {
        engine,
        name: "get",
        title: "get",
        contexts,
        base: BARE,
        contestants: { [BARE]: bareGets(one, contexts), [OURS]: gets(store, contexts) },
        targets: against(BARE, 0.75),
      },
    );
  }
  return { cases, close: () => cleanedUp(client) };
}

async function connected() {
  try {
    const { default: pg } = await import("pg");
    const client = new pg.Client({ connectionString: SERVER, connectionTimeoutMillis: 1_000 });
    await client.connect();
    return { pg, client };
  } catch (error) {
    console.error(`postgres: left out: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** @param {Client} client */
async function cleanedUp(client) {
  await client.query("SET client_min_messages = warning");
  await client.query(`DROP SCHEMA IF EXISTS ${SCHEMA}, ${SCHEMA}_ours CASCADE`);
  await client.end();
}

/**
 * @param {() => Promise<any>} connect
 * @param {number} contexts
 * @returns {Promise<Bare>}
 */
async function filled(connect, contexts) {
  const connection = await connect();
  const ids = idsOf(contexts);
  await connection.query(`TRUNCATE ${SCHEMA}.kept`);
  await connection.query(`INSERT INTO ${SCHEMA}.kept SELECT unnest($1::text[]), 1, $2`, [ids, twoKeys(0)]);
  return { connection, ids: shuffled(ids), versions: ids.map(() => 1), at: 0 };
}

/** @param {Bare} state */
const ended = ({ connection }) => connection.end();

/**
 * @param {Bare} state
 * @param {number} at
 * @param {number} step
 */
async function updateBare({ connection, ids, versions }, at, step) {
  const values = [ids[at], versions[at], JSON.stringify(twoKeys(step))];
  const { rows } = await connection.query({ ...WRITE, values });
  if (rows.length !== 1) throw new Error("a conflict where there is nobody else");
  versions[at] = Number(rows[0].version);
}

/** @param {Bare} state @param {number} at */
async function readBare({ connection, ids }, at) {
  const { rows } = await connection.query({ ...READ, values: [ids[at]] });
  if (rows[0].value.step === undefined) throw new Error("a value was lost");
}

/**
 * @param {() => Promise<any>} connect
 * @param {number} contexts
 * @param {boolean} isRead - whether each is read before it is updated. Only the update is timed.
 * @returns {Contestant<Bare>}
 */
function bareUpdates(connect, contexts, isRead = false) {
  return {
    setUp: () => filled(connect, contexts),
    round(state, count) {
      const next = async () => {
        state.at = (state.at + 1) % contexts;
        if (isRead) await readBare(state, state.at);
        return state.at;
      };
      return timedAfter(count, next, (at, done) => updateBare(state, at, done));
    },
    tearDown: ended,
  };
}

/** @param {() => Promise<any>} connect @returns {Contestant<Bare>} */
function bareTogether(connect) {
  return {
    setUp: () => filled(connect, IN_FLIGHT),
    step: IN_FLIGHT,
    async round(state, count) {
      await Promise.all(
        state.ids.map(async (_, at) => {
          for (let done = 0; done < count / IN_FLIGHT; done++) await updateBare(state, at, done);
        }),
      );
    },
    tearDown: ended,
  };
}

/**
 * @param {() => Promise<any>} connect
 * @param {number} contexts
 * @returns {Contestant<Bare>}
 */
function bareGets(connect, contexts) {
  return {
    setUp: () => filled(connect, contexts),
    async round(state, count) {
      for (let done = 0; done < count; done++) {
        state.at = (state.at + 1) % contexts;
        await readBare(state, state.at);
      }
    },
    tearDown: ended,
  };
}

/** @param {() => Promise<any>} connect @returns {Contestant<{ reader: any, writer: any, heard: () => void }>} */
function bareNotifications(connect) {
  return {
    async setUp() {
      const state = { reader: await connect(), writer: await connect(), heard: () => {} };
      state.reader.on("notification", () => state.heard());
      await state.reader.query(`LISTEN ${SCHEMA}`);
      return state;
    },
    async round(state, count) {
      let elapsed = 0n;
      for (let done = 0; done < count; done++) {
        await somewhereInAPeriod();
        const told = new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
          state.heard = () => resolve();
        });
        const started = process.hrtime.bigint();
        await Promise.all([state.writer.query(`NOTIFY ${SCHEMA}`), told]);
        elapsed += process.hrtime.bigint() - started;
      }
      return Number(elapsed);
    },
    async tearDown({ reader, writer }) {
      await Promise.all([reader.end(), writer.end()]);
    },
  };
}
