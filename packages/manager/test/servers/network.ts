/** A network namespace with one cable to this one, which can be pulled. Needs root, iproute2, and to be let. */

import { execFileSync } from "node:child_process";
import { programNamed, whenThisEnds } from "./own-server.ts";

export interface Network {
  /** Where servers on this side listen for the other one. */
  readonly host: string;
  /** What runs a command on the other side. */
  readonly command: readonly string[];
  plug(isPlugged: boolean): void;
  remove(): void;
}

/** Addresses that are reserved for tests of networks; each run takes four of them. */
const [FIRST, SECOND] = [198, 18];

export function createNetwork(): Network | string {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const ip = programNamed("ip");
  if (ip === undefined) return "iproute2 is not installed";
  const run = (...args: string[]): void => void execFileSync(ip, args, { stdio: ["ignore", "ignore", "pipe"] });

  const name = `scm${Math.random().toString(36).slice(2, 10)}`;
  const [near, far] = [`${name}a`, `${name}b`];
  const number = Math.floor(Math.random() * 0x4000) * 4;
  const address = (last: number): string => [FIRST, SECOND, number >> 8, (number & 0xff) + last].join(".");
  const callOff = whenThisEnds('"$0" link del "$1"; "$0" netns del "$2"', ip, near, name);
  const remove = (): void => {
    callOff();
    for (const args of [
      ["link", "del", near],
      ["netns", "del", name],
    ]) {
      try {
        run(...args);
      } catch {
        // It was not made.
      }
    }
  };
  try {
    run("netns", "add", name);
    run("link", "add", near, "type", "veth", "peer", "name", far, "netns", name);
    run("address", "add", `${address(1)}/30`, "dev", near);
    run("link", "set", near, "up");
    run("-n", name, "address", "add", `${address(2)}/30`, "dev", far);
    run("-n", name, "link", "set", far, "up");
    run("netns", "exec", name, "true");
  } catch (error) {
    remove();
    return `there can be no network namespaces here: ${String(error).split("\n").join(" ")}`;
  }
  return {
    host: address(1),
    command: [ip, "netns", "exec", name],
    plug: (isPlugged) => run("link", "set", near, isPlugged ? "up" : "down"),
    remove,
  };
}
