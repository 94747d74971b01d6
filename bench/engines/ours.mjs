/** What a manager over any engine does in the cases. The bare contestants do the same in the words of their driver. */

/** @import { AsyncSharedContextManager } from "shared-context-manager" */
/** @import { Contestant } from "./types.d.ts" */

import { openManager } from "shared-context-manager";
import { shuffled } from "../harness/walk.mjs";
import { twoKeys } from "../payloads.mjs";
import { timedAfter } from "./timed.mjs";

export const IN_FLIGHT = 64;
/** Of so many contexts, all are known from the beginning. */
export const KNOWN_AT_MOST = 10_000;
const FILLED_AT_ONCE = 500;

/** @typedef {{ manager: AsyncSharedContextManager<any>, ids: string[], versions: string[], at: number }} Opened */
/** @typedef {() => string | Promise<string>} Url */

/** @param {number} contexts */
export function idsOf(contexts) {
  return Array.from({ length: contexts }, (_, index) => `context-${index}`);
}

/**
 * A manager with so many contexts, made in the order of their numbers where there are none yet, to be walked in a random
 * one.
 *
 * @param {string} url
 * @param {number} contexts
 * @returns {Promise<Opened>}
 */
export async function opened(url, contexts) {
  /** @type {AsyncSharedContextManager<any>} */
  const manager = await openManager(url);
  const ids = idsOf(contexts);
  const missing = (await manager.size()) === 0 ? ids : [];
  for (let from = 0; from < missing.length; from += FILLED_AT_ONCE) {
    const some = missing.slice(from, from + FILLED_AT_ONCE);
    await Promise.all(some.map((id, index) => manager.create(id, twoKeys(from + index))));
  }
  // As those that are just made; of more, most are met for the first time.
  if (contexts <= KNOWN_AT_MOST) await Promise.all(ids.map((id) => manager.get(id)));
  return { manager, ids: shuffled(ids), versions: ids.map(() => "1"), at: 0 };
}

/**
 * The same store each time, so that it is filled once. What is updated there is so by the first who opens it.
 *
 * @param {Url} url
 * @returns {Url}
 */
export function shared(url) {
  /** @type {ReturnType<Url> | undefined} */
  let one;
  return () => (one ??= url());
}

/** @param {Opened} state */
function next(state) {
  state.at = (state.at + 1) % state.ids.length;
  return state.at;
}

/** @param {Opened} state */
const closed = ({ manager }) => manager.close();

/**
 * @param {Opened} state
 * @param {number} at
 * @param {number} step
 */
async function update(state, at, step) {
  const { version } = await state.manager.update(state.ids[at] ?? "", twoKeys(step), state.versions[at] ?? "");
  state.versions[at] = version;
}

/** @param {Url} url @param {number} contexts @returns {Contestant<Opened>} */
export function updates(url, contexts) {
  return {
    setUp: async () => opened(await url(), contexts),
    async round(state, count) {
      for (let done = 0; done < count; done++) await update(state, next(state), done);
    },
    tearDown: closed,
  };
}

/**
 * What is updated was read before, as by whoever thinks about it in between. Only the update is timed.
 *
 * @param {Url} url
 * @param {number} contexts
 * @returns {Contestant<Opened>}
 */
export function updatesOfRead(url, contexts) {
  return {
    setUp: async () => opened(await url(), contexts),
    round(state, count) {
      const read = async () => {
        const at = next(state);
        const context = await state.manager.get(state.ids[at] ?? "");
        state.versions[at] = context?.version ?? "";
        return at;
      };
      return timedAfter(count, read, (at, done) => update(state, at, done));
    },
    tearDown: closed,
  };
}

/** @param {Url} url @returns {Contestant<Opened>} */
export function updatesTogether(url) {
  return {
    setUp: async () => opened(await url(), IN_FLIGHT),
    step: IN_FLIGHT,
    async round(state, count) {
      const each = count / IN_FLIGHT;
      await Promise.all(
        state.ids.map(async (_, at) => {
          for (let done = 0; done < each; done++) await update(state, at, done);
        }),
      );
    },
    tearDown: closed,
  };
}

/**
 * An increment of one context, so many at a time.
 *
 * @param {Url} url
 * @param {number} inFlight
 * @returns {Contestant<Opened>}
 */
export function increments(url, inFlight) {
  const operations = [/** @type {const} */ ({ op: "increment", path: "/step", value: 1 })];
  return {
    setUp: async () => opened(await url(), 1),
    step: inFlight,
    async round({ manager, ids }, count) {
      const agent = manager.agent("counter");
      const each = count / inFlight;
      await Promise.all(
        Array.from({ length: inFlight }, async () => {
          for (let done = 0; done < each; done++) await agent.patch(ids[0] ?? "", operations);
        }),
      );
    },
    tearDown: closed,
  };
}

/** @param {Url} url @param {number} contexts @returns {Contestant<Opened>} */
export function gets(url, contexts) {
  return {
    setUp: async () => opened(await url(), contexts),
    async round(state, count) {
      let sum = 0;
      for (let done = 0; done < count; done++) {
        const context = await state.manager.get(state.ids[next(state)] ?? "");
        sum += context?.data.step;
      }
      if (!Number.isFinite(sum)) throw new Error("a context was lost");
    },
    tearDown: closed,
  };
}

/**
 * A read each time after somebody else has written; only the read is timed.
 *
 * @param {Url} url
 * @param {number} contexts
 * @param {() => Promise<{ write(): unknown, close(): unknown }>} another
 * @returns {Contestant<Opened & { other: { write(): unknown, close(): unknown } }>}
 */
export function getsAfterWrites(url, contexts, another) {
  return {
    setUp: async () => ({ ...(await opened(await url(), contexts)), other: await another() }),
    async round(state, count) {
      let elapsed = 0n;
      for (let done = 0; done < count; done++) {
        await state.other.write();
        const id = state.ids[next(state)] ?? "";
        const started = process.hrtime.bigint();
        const context = await state.manager.get(id);
        if (context?.data.step === undefined) throw new Error("a context was lost");
        elapsed += process.hrtime.bigint() - started;
      }
      return Number(elapsed);
    },
    async tearDown({ manager, other }) {
      await other.close();
      await manager.close();
    },
  };
}

/**
 * From the end of a commit through one connection to the call of a subscriber on another.
 *
 * @param {Url} url
 * @returns {Contestant<Opened & { reader: AsyncSharedContextManager<any>, heard: { resolve: () => void } }>}
 */
export function deliveries(url) {
  return {
    async setUp() {
      const writer = await opened(await url(), 1);
      const reader = await openManager(await url());
      const heard = { resolve: () => {} };
      reader.subscribe(writer.ids[0], () => heard.resolve());
      return { ...writer, reader, heard };
    },
    async round(state, count) {
      let elapsed = 0n;
      for (let done = 0; done < count; done++) {
        await somewhereInAPeriod();
        const told = new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
          state.heard.resolve = () => resolve();
        });
        await update(state, 0, done);
        const started = process.hrtime.bigint();
        await told;
        elapsed += process.hrtime.bigint() - started;
      }
      return Number(elapsed);
    },
    async tearDown({ manager, reader }) {
      await reader.close();
      await manager.close();
    },
  };
}

/** Who always writes just after a poll waits longest, just before it not at all: at any time of it, as in life. */
export function somewhereInAPeriod() {
  return new Promise((resolve) => {
    setTimeout(resolve, 3 + 6 * Math.random());
  });
}
