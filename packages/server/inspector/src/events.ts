/** Server-sent events out of text that comes in pieces, and where to go on after the connection has broken. */

export interface ServerEvent {
  readonly name: string;
  readonly id: string | undefined;
  readonly data: string;
}

export class EventParser {
  #rest = "";
  #name = "";
  #id: string | undefined;
  #data: string[] = [];

  /** The events that end in this piece. */
  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") this.#dispatch(events);
      else this.#field(line.endsWith("\r") ? line.slice(0, -1) : line);
    }
    return events;
  }

  #dispatch(events: ServerEvent[]): void {
    if (this.#data.length > 0) events.push({ name: this.#name, id: this.#id, data: this.#data.join("\n") });
    this.#name = "";
    this.#id = undefined;
    this.#data = [];
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    else if (field === "id") this.#id = value;
    else if (field === "data") this.#data.push(value);
  }
}

/** What to do after an event: `"reload"` when something was missed and the state must be read anew. */
export type Step = "apply" | "reload" | "retry" | "ignore";

export function stepFor({ name }: ServerEvent): Step {
  if (name === "") return "apply";
  if (name === "compacted") return "reload";
  return name === "problem" ? "retry" : "ignore";
}

/** How long to wait before the next attempt: longer each time, at most ten seconds. */
export function backoffMs(attempt: number): number {
  return Math.min(10_000, 250 * 2 ** Math.min(attempt, 6));
}
