/** A manager over the engine does what the synchronous one does, and one over the reference engine. */

import type { AsyncSharedContextManager } from "../async/manager.ts";
import type { Change } from "../changes.ts";
import { SharedContextManager } from "../manager.ts";
import { openManager } from "../open.ts";
import { equal } from "./assert.ts";
import type { Claim } from "./case.ts";
import { type Ground, oneOf } from "./ground.ts";
import { briefChange, briefOf, type Command, commandFrom, play, type Player, playerOf, stateOf } from "./player.ts";

const COMMANDS = 150;
const LIMITS = { historyLimit: 4, changeLogLimit: 10_000 };

/** Plays the same commands to both, and compares what they come to and what they leave. */
async function compare(ground: Ground, one: Player, other: Player): Promise<void> {
  const played: Command[] = [];
  for (let turn = 0; turn < COMMANDS; turn++) {
    const command = commandFrom(ground.random);
    played.push(command);
    const about = (): string =>
      `command ${turn + 1}: ${played
        .slice(-6)
        .map((one) => JSON.stringify(one))
        .join("\n")}`;
    const outcome = await play(other, command);
    equal(await play(one, command), outcome, about());
    if (turn % 10 === 9) equal(await stateOf(one), await stateOf(other), `the state after ${about()}`);
    else equal(await present(one), await present(other), `the contexts after ${about()}`);
  }
  for (const { manager } of [one, other]) {
    await manager.create("the end", {});
  }
  equal(await told(one), await told(other), "what the change log tells");
}

async function present(player: Player): Promise<string[]> {
  const contexts: string[] = [];
  for await (const context of player.manager) contexts.push(briefOf(player, context));
  return contexts;
}

async function told(player: Player): Promise<string[]> {
  const lines: string[] = [];
  const changes: AsyncIterable<Change> = player.manager.watch(undefined, { after: player.start });
  for await (const change of changes) {
    lines.push(briefChange(player, change));
    if (change.contextId === "the end") break;
  }
  return lines;
}

export const model: readonly Claim<Ground>[] = [
  {
    name: "does what the synchronous manager does, whatever the commands",
    async check(ground) {
      const manager = await oneOf(ground, LIMITS);
      const sync = new SharedContextManager(LIMITS) as unknown as AsyncSharedContextManager;
      try {
        await compare(ground, await playerOf(manager), await playerOf(sync, true));
      } finally {
        await sync.close();
      }
    },
  },
  {
    name: "does what a manager over memory: does, whatever the commands",
    async check(ground) {
      const manager = await oneOf(ground, LIMITS);
      await using reference = await openManager("memory:", LIMITS);
      await compare(ground, await playerOf(manager), await playerOf(reference));
    },
  },
];
