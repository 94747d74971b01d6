/** The part of the driver that the engine uses, so that none of its types are needed to build or to use this package. */

import { ContextError } from "../../errors.ts";

/** Rows of texts: how a program has set up the parsers of the driver makes no difference. */
export type Row = readonly (string | null)[];

export interface DriverClient {
  /** The process that the server says serves this connection; what a proxy says, is its own affair. */
  readonly processID?: number | null;
  query(statement: Statement): unknown;
  on(event: "error" | "end" | "notification", listener: (error?: unknown) => void): unknown;
}

/** The protocol, as the driver gives it to statements that are not its own. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  /** By name. */
  readonly parsedStatements: Readonly<Record<string, string>>;
  query(text: string): void;
  parse(message: { name: string; text: string }): void;
  bind(message: { statement: string; values: readonly unknown[] }): void;
  execute(message: object): void;
  sync(): void;
}

/**
 * A statement that speaks the protocol itself, as those of `pg-cursor` do. It does not ask what the columns are, since all
 * of them are texts, and it makes no object of a result (measured: a read takes 0.87 to 0.93 of the time).
 */
export class Statement {
  /** What the server is to remember it by, as long as the connection lives; nothing for what it is to forget at once. */
  readonly name: string;
  readonly text: string;
  readonly query_timeout: number;
  callback: (error: Error | null, rows?: readonly Row[]) => void;
  readonly #values: readonly (string | null)[];
  readonly #rows: Row[] = [];

  constructor({ name = "", text, values }: Asked, timeoutMs: number, callback: Statement["callback"]) {
    this.name = name;
    this.text = text;
    this.query_timeout = timeoutMs;
    this.callback = callback;
    this.#values = values.map(asText);
  }

  submit(wire: Wire): null {
    if (this.name === "" && this.#values.length === 0) {
      // So there may be several in one text.
      wire.query(this.text);
      return null;
    }
    const { name, text } = this;
    wire.stream.cork();
    if (wire.parsedStatements[name] === undefined) wire.parse({ name, text });
    wire.bind({ statement: name, values: this.#values });
    wire.execute({});
    wire.sync();
    wire.stream.uncork();
    return null;
  }

  handleDataRow({ fields }: { readonly fields: Row }): void {
    this.#rows.push(fields);
  }

  handleError(error: Error): void {
    this.callback(error);
  }

  handleReadyForQuery(): void {
    this.callback(null, this.#rows);
  }

  handleRowDescription(): void {}
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
}

export interface Asked {
  readonly name?: string | undefined;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** @returns the rows, all of their columns as texts. */
export function ask(client: DriverClient, asked: Asked, timeoutMs: number): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    client.query(
      new Statement(asked, timeoutMs, (error, rows = []) => {
        if (error === null) resolve(rows);
        else reject(error);
      }),
    );
  });
}

/** As the server reads it. */
function asText(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return value == null ? null : `{${(value as readonly unknown[]).map(inArray).join(",")}}`;
}

function inArray(value: unknown): string {
  if (typeof value !== "string") return asText(value) ?? "NULL";
  // Most have nothing to replace, and to look with an expression takes 15 times as long.
  const isPlain = !value.includes('"') && !value.includes("\\");
  return `"${isPlain ? value : value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

export interface ListenerClient extends DriverClient {
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
}

export interface PooledClient extends DriverClient {
  release(destroy?: boolean): void;
}

export interface DriverPool {
  connect(): Promise<PooledClient>;
  on(event: "connect", listener: (client: PooledClient) => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  end(): Promise<unknown>;
}

export interface Driver {
  readonly Pool: new (settings: object) => DriverPool;
  readonly Client: new (settings: object) => ListenerClient;
}

const DRIVER_VERSIONS = "^8.23";

export async function loadDriver(): Promise<Driver> {
  try {
    // A name that the compiler does not follow: its types are not needed to build this package.
    const name: string = "pg";
    const { default: driver } = (await import(name)) as { readonly default: Driver };
    return driver;
  } catch (error) {
    const missing = new ContextError("MISSING_DEPENDENCY", { dependency: "pg", version: DRIVER_VERSIONS });
    missing.cause = error;
    throw missing;
  }
}
