/** The kit of managers, over clients of a server. */

import { type AsyncSharedContextManager, openManager } from "shared-context-manager";
import { runWith, managerSuite } from "shared-context-manager/testing";
import { afterAll, afterEach, describe, it } from "vitest";
import { served, type Served } from "./client-support.ts";

export interface Storage {
  readonly name: string;
  /** Where it is not, the tests are skipped. */
  readonly isThere?: boolean;
  /** The URL of the store of this name. */
  url(store: string): string;
  remove(): Promise<void> | void;
}

/** Each store of the kit has a server of its own; its clients are of one store. */
export function declareClients({ name, isThere = true, ...storage }: Storage): void {
  const sites = new Map<string, Promise<Served>>();
  const servers = new Map<AsyncSharedContextManager, Served>();
  describe.skipIf(!isThere)(`over ${name}`, { timeout: 60_000 }, () => {
    afterEach(async () => {
      for (const site of sites.values()) await (await site).close();
      sites.clear();
    });
    afterAll(() => storage.remove());

    const suite = managerSuite({
      name: `a client of a server over ${name}`,
      async open(store, options) {
        const site = sites.get(store) ?? served(storage.url(store), {}, options);
        sites.set(store, site);
        const client = await openManager((await site).url);
        servers.set(client, await site);
        return client;
      },
      disconnect: (client) => servers.get(client)?.restart(),
    });
    runWith(suite, { describe, it });
  });
}
