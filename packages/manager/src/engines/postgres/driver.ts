/** The part of the driver that the engine uses, so that none of its types are needed to build or to use this package. */

import { ContextError } from "../../errors.ts";

/** Rows of texts: how a program has set up the parsers of the driver makes no difference. */
export type Row = readonly (string | null)[];

export interface DriverQuery {
  /** What the server is to remember the statement by, as long as the connection lives. */
  readonly name?: string;
  readonly text: string;
  readonly values: readonly unknown[];
  readonly rowMode: "array";
  readonly types: { getTypeParser(): (text: string) => string };
  readonly query_timeout: number;
}

export interface DriverClient {
  /** The process that the server says serves this connection; what a proxy says, is its own affair. */
  readonly processID?: number | null;
  query(query: DriverQuery): Promise<{ readonly rows: readonly Row[] }>;
  on(event: "error" | "end" | "notification", listener: (error?: unknown) => void): unknown;
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

const asText = (text: string): string => text;

const types = { getTypeParser: () => asText };

/** @param name - none for what the server is to forget at once. */
export function driverQuery(text: string, values: readonly unknown[], timeoutMs: number, name?: string): DriverQuery {
  const query = { text, values, rowMode: "array", types, query_timeout: timeoutMs } as const;
  return name === undefined ? query : { ...query, name };
}
