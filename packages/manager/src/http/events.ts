/** Server-sent events, as they arrive. */

export interface ServerEvent {
  readonly name: string;
  /** The id of the latest event that had one; `undefined` when none had. */
  readonly id: string | undefined;
  readonly data: string;
}

/** @param onBytes - called whenever something arrives, comments too. */
export async function* eventsIn(
  stream: ReadableStream<Uint8Array>,
  onBytes: () => void = () => undefined,
): AsyncGenerator<ServerEvent, undefined> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let rest = "";
  let id: string | undefined;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      onBytes();
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = eventOf(block, id);
        ({ id } = event);
        if (event.data !== "") yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function eventOf(block: string, lastId: string | undefined): ServerEvent {
  let name = "message";
  let id = lastId;
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === "event") name = value;
    else if (field === "id") id = value;
    else if (field === "data") data.push(value);
  }
  return { name, id, data: data.join("\n") };
}
