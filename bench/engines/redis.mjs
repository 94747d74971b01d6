/** Redis: where a server answers, beside node-redis with one small script for each write. */

/** @import { Choice, Contestant, EngineCase, Ground } from "./types.d.ts" */

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
import { timedAfter } from "./timed.mjs";

const OURS = "this package";
const BARE = "bare script calls";
const ONE = "one at a time";
const STREAM = "bare XADD and XREAD BLOCK";
const SERVER = process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379";
const PREFIX = `bench-${process.pid}`;
/** Compares and writes: the least that is correct. */
const WRITE = `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'value', ARGV[3])
return 1`;

/** @typedef {{ client: any, sha: string, ids: string[], versions: number[], at: number }} Bare */

/** @param {Choice} choice @returns {Promise<Ground>} */
export async function redisCases({ sizes }) {
  const connect = await connector();
  if (connect === undefined) return { cases: [], close: () => {} };

  let stores = 0;
  const url = () => `${SERVER}?namespace=${PREFIX}-${++stores}`;
  const against = (/** @type {string} */ base, /** @type {number} */ atLeast) => [
    { contestant: OURS, against: base, atLeast },
  ];
  const engine = "redis";
  const same = url();

  /** @type {EngineCase[]} */
  const cases = [
    {
      engine,
      name: "many",
      title: "update, 64 in flight",
      contexts: IN_FLIGHT,
      base: BARE,
      contestants: { [BARE]: bareTogether(connect), [OURS]: updatesTogether(url) },
      targets: against(BARE, 1.2),
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
      name: "delivery",
      title: "from commit to callback, other connection",
      contexts: 1,
      base: STREAM,
      contestants: { [STREAM]: bareStream(connect), [OURS]: deliveries(() => same) },
      targets: against(STREAM, 1 / 4),
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
        contestants: { [BARE]: bareUpdates(connect, contexts), [OURS]: updates(store, contexts) },
        // What is not known is read first, which is a round trip more.
        targets: isKnown ? against(BARE, 0.7) : [],
      },
      {
        engine,
        name: "one",
        title: "update of what was read before, one at a time",
        contexts,
        base: BARE,
        contestants: { [BARE]: bareUpdates(connect, contexts, true), [OURS]: updatesOfRead(store, contexts) },
        targets: against(BARE, 0.7),
      },
      {
        engine,
        name: "get",
        title: "get",
        contexts,
        base: BARE,
        contestants: { [BARE]: bareGets(connect, contexts), [OURS]: gets(store, contexts) },
        targets: against(BARE, 0.75),
      },
    );
  }
  return { cases, close: () => cleanedUp(connect) };
}

async function connector() {
  try {
    const { createClient } = await import("redis");
    const connect = async () => {
      const client = createClient({ url: SERVER, socket: { reconnectStrategy: false, connectTimeout: 1_000 } });
      client.on("error", () => undefined); // a command that fails says so itself
      await client.connect();
      return client;
    };
    await (await connect()).close();
    return connect;
  } catch (error) {
    console.error(`redis: left out: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** @param {() => Promise<any>} connect */
async function cleanedUp(connect) {
  const client = await connect();
  let cursor = "0";
  do {
    const [next, keys] = await client.sendCommand(["SCAN", cursor, "MATCH", `*${PREFIX}-*`, "COUNT", "1000"]);
    if (keys.length > 0) await client.sendCommand(["UNLINK", ...keys]);
    cursor = next;
  } while (cursor !== "0");
  await client.close();
}

/**
 * @param {() => Promise<any>} connect
 * @param {number} contexts
 * @returns {Promise<Bare>}
 */
async function filled(connect, contexts) {
  const client = await connect();
  const ids = shuffled(idsOf(contexts)).map((id) => `${PREFIX}-bare:${id}`);
  for (let from = 0; from < contexts; from += 1_000) {
    const some = ids.slice(from, from + 1_000);
    await Promise.all(some.map((id) => client.hSet(id, { version: "1", value: JSON.stringify(twoKeys(0)) })));
  }
  return { client, sha: await client.scriptLoad(WRITE), ids, versions: ids.map(() => 1), at: 0 };
}

/** @param {Bare} state */
const closed = ({ client }) => client.close();

/**
 * @param {Bare} state
 * @param {number} at
 * @param {number} step
 */
async function updateBare({ client, sha, ids, versions }, at, step) {
  const version = versions[at] ?? 0;
  const values = [String(version), String(version + 1), JSON.stringify(twoKeys(step))];
  if ((await client.evalSha(sha, { keys: [ids[at]], arguments: values })) !== 1) {
    throw new Error("a conflict where there is nobody else");
  }
  versions[at] = version + 1;
}

/** @param {Bare} state @param {number} at */
async function readBare({ client, ids }, at) {
  const [, value] = await client.hmGet(ids[at], ["version", "value"]);
  if (JSON.parse(value).step === undefined) throw new Error("a value was lost");
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
    tearDown: closed,
  };
}

/** The driver sends what is asked for in the same turn in one go. @param {() => Promise<any>} connect @returns {Contestant<Bare>} */
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
    tearDown: closed,
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
    tearDown: closed,
  };
}

/** @param {() => Promise<any>} connect @returns {Contestant<{ reader: any, writer: any, last: string }>} */
function bareStream(connect) {
  const key = `${PREFIX}-bare:stream`;
  return {
    setUp: async () => ({ reader: await connect(), writer: await connect(), last: "0-0" }),
    async round(state, count) {
      let elapsed = 0n;
      for (let done = 0; done < count; done++) {
        await somewhereInAPeriod();
        const told = state.reader.xRead({ key, id: state.last }, { BLOCK: 5_000 });
        const started = process.hrtime.bigint();
        [state.last] = await Promise.all([state.writer.xAdd(key, "*", { step: String(done) }), told]);
        elapsed += process.hrtime.bigint() - started;
      }
      return Number(elapsed);
    },
    async tearDown({ reader, writer }) {
      await Promise.all([reader.close(), writer.close()]);
    },
  };
}
