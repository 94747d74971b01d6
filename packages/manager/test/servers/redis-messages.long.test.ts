/** The connection that messages of Redis are heard on, apart from the one that commands go by. */

import { createClient } from "redis";
import { openManager } from "shared-context-manager";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ownRedis } from "./own-redis.ts";

const server = await ownRedis("redis-messages.long.test.ts");
afterAll(() => server?.remove());

describe.skipIf(server === undefined)("messages of redis", { timeout: 60_000 }, () => {
  const url = server?.url("messages") ?? "";
  let operator: ReturnType<typeof createClient>;

  beforeEach(async () => {
    operator = createClient({ url });
    operator.on("error", () => undefined);
    await operator.connect();
  });
  afterEach(() => operator.destroy());

  it("are heard also by who reads pages that are larger than a subscriber may be owed", async () => {
    await operator.configSet("client-output-buffer-limit", "pubsub 1mb 1mb 1");
    await using manager = await openManager(url);
    const heard: string[] = [];
    manager.subscribe(undefined, ({ contextId }) => heard.push(contextId ?? ""));
    await vi.waitFor(async () => expect(await operator.pubSubChannels("*")).toHaveLength(1));

    const data = { text: "x".repeat(200_000) };
    const ids = Array.from({ length: 40 }, (_, index) => `id-${index}`);
    await Promise.all(ids.map((id) => manager.create(id, data)));
    expect(await manager.listContexts()).toEqual(ids);
    expect((await manager.watch(undefined, { after: 0 }).next()).value).toMatchObject({ contextId: "id-0" });
    await vi.waitFor(() => expect(heard).toEqual(ids));

    await using other = await openManager(url);
    await other.create("last", {});
    await vi.waitFor(() => expect(heard.at(-1)).toBe("last"));
  });

  it("are heard again when their connection was cut", async () => {
    await using manager = await openManager(url);
    manager.subscribe(undefined, () => undefined);
    for (let cuts = 0; cuts < 3; cuts++) {
      await vi.waitFor(async () => expect(await operator.pubSubChannels("*")).toHaveLength(1));
      await operator.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
    }
    await vi.waitFor(async () => expect(await operator.pubSubChannels("*")).toHaveLength(1));
  });
});
