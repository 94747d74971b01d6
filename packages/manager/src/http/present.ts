/** How things are on a server, all of it as of one revision: what an event stream begins with. */

import type { ChangeRecord, ContextFilter } from "../changes.ts";
import type { Records } from "../cursor.ts";
import { ContextError } from "../errors.ts";
import { changeFromBody, fieldsOf, numberOf } from "./bodies.ts";
import type { Connection } from "./connection.ts";
import { eventsIn } from "./events.ts";
import { LONGEST_SILENCE_MS, problemError, streamCall } from "./feed.ts";

/** @throws ContextError UNAVAILABLE when the stream is cut off twice. */
export async function presentOn(connection: Connection, filter: ContextFilter | undefined): Promise<Records> {
  const present = (await readPresent(connection, filter)) ?? (await readPresent(connection, filter));
  if (present !== undefined) return present;
  throw new ContextError("UNAVAILABLE", { reason: "the server broke off while it told how things are" });
}

/** `undefined` when it was cut off. */
async function readPresent(connection: Connection, filter: ContextFilter | undefined): Promise<Records | undefined> {
  const controller = new AbortController();
  const quit = (): void => controller.abort();
  let silence = setTimeout(quit, LONGEST_SILENCE_MS);
  const onBytes = (): void => {
    clearTimeout(silence);
    silence = setTimeout(quit, LONGEST_SILENCE_MS);
  };
  const records: ChangeRecord[] = [];
  try {
    const stream = await connection.open(streamCall(filter), controller.signal);
    for await (const { name, data } of eventsIn(stream, onBytes)) {
      if (name === "message") records.push(changeFromBody(JSON.parse(data)));
      else if (name === "ready")
        return { records, through: numberOf(fieldsOf(JSON.parse(data), "a place"), "revision"), hasMore: true };
      else throw problemError(data);
    }
    return undefined;
  } catch (error) {
    if (error instanceof ContextError) throw error;
    return undefined; // a stream that breaks off
  } finally {
    clearTimeout(silence);
    controller.abort();
  }
}
