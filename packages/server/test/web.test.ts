/** Streams as web-standard responses: whoever has sent the request ends them by its signal. */

import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { openApi, requestOf } from "./support.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function readToTheEnd(response: Response): Promise<string> {
  return response.text().catch(() => "aborted");
}

it("ends when its signal aborts, also when nobody holds the request any more", async () => {
  await using api = await openApi();
  const caller = new AbortController();
  const response = await api.handler(requestOf("GET", "/v1/changes", { signal: caller.signal }));
  const end = readToTheEnd(response);
  for (let round = 0; round < 5; round++) {
    await pause(5);
    collect();
  }
  caller.abort();
  expect(await end).toContain(": connected");
});

it("ends when its signal has aborted before it began", async () => {
  await using api = await openApi();
  const caller = new AbortController();
  const request = requestOf("GET", "/v1/changes", { signal: caller.signal });
  const coming = api.handler(request);
  caller.abort();
  const response = await coming;
  expect(await readToTheEnd(response)).toBeDefined();
});
