/** A TCP proxy between a client and its server that fails as networks do, when it is told to. */

import { createServer, connect, type AddressInfo, type Socket } from "node:net";

/** Which request is meant, by what it has in it; requests of clients that pipeline may share a packet. */
export type Match = RegExp;

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Nothing passes any more, and nobody is told. */
  isFrozen: boolean;
  /** What the server says is not passed on: the first of it cuts the link. */
  cutsAtReply: boolean;
}

interface Trap {
  readonly match: Match;
  spring(link: Link, request: Buffer): void;
}

export interface Proxy {
  readonly port: number;
  /** How many connections there have been. */
  readonly connections: number;
  /** Added to the way of every packet, in each direction. */
  delayMs: number;
  /** Cuts all connections now. */
  cut(): void;
  /** The next such request is not forwarded, and its connection is cut. @returns when that has happened. */
  cutBefore(match: Match): Promise<void>;
  /** The next such request is forwarded; its connection is cut when the reply comes, which is lost. */
  cutAfter(match: Match): Promise<void>;
  /** The next such request is kept back, its connection is cut on the client's side alone. @returns what forwards it then. */
  keepBack(match: Match): Promise<() => Promise<void>>;
  /** All connections there are become half-open: no packet passes, none is refused. New ones work. */
  freeze(): void;
  /** Refuses new connections, and cuts those there are; or takes them again. */
  refuse(refuses: boolean): void;
  close(): Promise<void>;
}

export async function startProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const links = new Set<Link>();
  const traps = new Set<Trap>();
  let delayMs = 0;
  let refuses = false;
  let connections = 0;

  const cut = (link: Link): void => {
    links.delete(link);
    link.client.resetAndDestroy();
    link.server.destroy();
  };
  const pass = (link: Link, chunk: Buffer, to: Socket): void => {
    const write = (): void => {
      if (!link.isFrozen && to.writable) to.write(chunk);
    };
    if (delayMs > 0) setTimeout(write, delayMs);
    else write();
  };
  const server = createServer({ noDelay: true }, (client) => {
    if (refuses) {
      client.resetAndDestroy();
      return;
    }
    connections += 1;
    const upstream = connect({ ...target, noDelay: true });
    const link: Link = { client, server: upstream, isFrozen: false, cutsAtReply: false };
    links.add(link);
    client.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      const trap = [...traps].find(({ match }) => match.test(text));
      if (trap === undefined) return pass(link, chunk, upstream);
      traps.delete(trap);
      return trap.spring(link, chunk);
    });
    upstream.on("data", (chunk: Buffer) => {
      if (link.cutsAtReply) cut(link);
      else pass(link, chunk, client);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => undefined);
      one.on("close", () => {
        if (link.isFrozen || !links.has(link)) return;
        links.delete(link);
        other.destroy();
      });
    }
  });
  const trap = <Result>(match: Match, spring: (link: Link, request: Buffer) => Result): Promise<Result> =>
    new Promise((resolve) => {
      traps.add({ match, spring: (link, request) => resolve(spring(link, request)) });
    });

  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    get connections() {
      return connections;
    },
    get delayMs() {
      return delayMs;
    },
    set delayMs(ms) {
      delayMs = ms;
    },
    cut: () => links.forEach(cut),
    cutBefore: (match) => trap(match, cut),
    cutAfter: (match) =>
      trap(match, (link, request) => {
        link.cutsAtReply = true;
        link.server.write(request);
      }),
    keepBack: (match) =>
      trap(match, (link, request) => {
        links.delete(link);
        link.client.resetAndDestroy();
        // Until the server has answered, or has closed the connection itself.
        return () =>
          new Promise<void>((resolve) => {
            link.server.once("data", () => resolve());
            link.server.once("close", () => resolve());
            link.server.write(request);
          }).finally(() => link.server.destroy());
      }),
    freeze: () => {
      for (const link of links) link.isFrozen = true;
      links.clear();
    },
    refuse: (isRefusing) => {
      refuses = isRefusing;
      if (refuses) links.forEach(cut);
    },
    close: async () => {
      links.forEach(cut);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
