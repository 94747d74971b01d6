/** A manager over a server: `http:` and `https:`. */

import { admission } from "../admission.ts";
import type { Clock } from "../clock.ts";
import { DEEP } from "../data.ts";
import { invalid } from "../errors.ts";
import { Connection } from "./connection.ts";
import { HttpStore } from "./store.ts";

export interface ServerOptions {
  readonly token: string | undefined;
  readonly agentId: string | undefined;
}

/** @param url - without its query. @throws ContextError INVALID, UNAVAILABLE, UNSUPPORTED. */
export async function openServer(url: string, { token, agentId }: ServerOptions, clock: Clock): Promise<HttpStore> {
  const expected = "http://host:port, or https://, without a password: that is the option token";
  if (!URL.canParse(url)) throw invalid("url", "", expected, "something else");
  const { username, password, origin, pathname } = new URL(url);
  if (username !== "" || password !== "") throw invalid("url", "", expected, "one with a name or a password");
  const connection = new Connection({ url: `${origin}${pathname.replace(/\/+$/, "")}`, token, agentId });
  const store = new HttpStore({ connection, clock, admission: admission(DEEP) });
  await store.look([]); // whether it answers, and knows the token
  return store;
}
