/** Commands on the server itself: serve, token, doctor. */

import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { openManager } from "shared-context-manager";
import { MCP_PATH } from "../mcp/mount.ts";
import { type Right, RIGHTS } from "../rights.ts";
import { DEFAULT_PORT, serve } from "../serve.ts";
import { hashOf, newToken, readTokens, type TokenRecord, tokensOf, writeTokens } from "../tokens.ts";
import type { Command, Input } from "./command.ts";
import { defaultTokens, isServer } from "./connect.ts";
import { diagnose } from "./doctor.ts";
import { EXIT } from "./exit-codes.ts";
import { readWhole } from "./options.ts";
import { type Output, UsageError } from "./output.ts";

const TOKENS = {
  type: "string",
  value: "FILE",
  help: "the tokens that are known: .shared-context/tokens.json",
} as const;

export const serverCommands: readonly Command[] = [
  {
    name: "serve",
    usage: "serve [--host HOST] [--port PORT] [--token TOKEN | --tokens FILE]",
    help: "Serves the store over HTTP until it is stopped.",
    options: {
      host: { type: "string", value: "HOST", help: "127.0.0.1; any other needs --token or --tokens" },
      port: { type: "string", value: "PORT", help: "7411; 0 picks a free one" },
      token: {
        type: "string",
        value: "TOKEN",
        help: "the token to ask for (at least 16 characters); a new one by default",
      },
      tokens: TOKENS,
      "allow-host": { type: "string", value: "NAMES", help: "other names of this server, with commas between them" },
      "allow-origin": {
        type: "string",
        value: "ORIGINS",
        help: "sites whose pages may use it, with commas between them",
      },
      "max-body": { type: "string", value: "BYTES", help: "1048576" },
      rate: { type: "string", value: "N", help: "requests a second for each token: 2000" },
    },
    examples: [
      "shared-context serve",
      "shared-context serve --port 0 --json",
      "shared-context serve --host 0.0.0.0 --tokens tokens.json --allow-host contexts.example.com",
    ],
    takes: [0, 0],
    run: runServer,
  },
  {
    name: "token",
    usage: "token add NAME [--rights read|write|admin] [--agent ID] | token ls | token rm NAME",
    help: "Keeps the tokens file of serve. A token is shown once, when it is added.",
    options: {
      tokens: TOKENS,
      rights: { type: "string", value: "RIGHT", help: "read, write (default) or admin" },
      agent: { type: "string", value: "ID", help: "the only agent it may act for" },
    },
    examples: ["shared-context token add ci --rights write --agent ci-bot", "shared-context token ls"],
    takes: [1, 2],
    run: keepTokens,
  },
  {
    name: "doctor",
    usage: "doctor",
    help: "Checks Node, the drivers, the store, its versions and stuck locks.",
    examples: ["shared-context doctor", "shared-context doctor --store http://127.0.0.1:7411 --json"],
    takes: [0, 0],
    async run(input, output, connection) {
      const checks = await diagnose(input.store, connection);
      for (const check of checks) {
        const { level, subject, detail } = check;
        output.result(check, () => [`${level.padEnd(4)} ${subject}: ${detail}`]);
      }
      return checks.some(({ level }) => level === "bad") ? EXIT.failed : EXIT.done;
    },
  },
];

const SHORTEST_TOKEN = 16;

interface Admission {
  readonly records: readonly TokenRecord[];
  /** To be shown, when this process has made it or was given it. */
  readonly token: string | undefined;
  /** This process has made it. */
  readonly isNew: boolean;
}

function admission(input: Input): Admission {
  const given = input.token;
  const path = tokensPath(input);
  const kept = input.text("tokens") !== undefined || existsSync(path) ? knownTokens(path) : [];
  if (given !== undefined) checkToken(given);
  const isNew = given === undefined && kept.length === 0;
  const token = isNew ? newToken() : given;
  if (token === undefined) return { records: kept, token, isNew };
  const own: TokenRecord = { name: "admin", agentId: null, rights: "admin", hash: hashOf(token) };
  return { records: [...kept, own], token, isNew };
}

/** @throws UsageError, which does not tell the token. */
function checkToken(token: string): void {
  const said = "--token, or SHARED_CONTEXT_TOKEN: expected";
  if (token.length < SHORTEST_TOKEN) {
    throw new UsageError(`${said} at least ${SHORTEST_TOKEN} characters; leave it out for a good one`);
  }
  if (!/^[\x21-\x7E]+$/.test(token)) {
    throw new UsageError(`${said} letters, digits and signs of ASCII without spaces, which a header can carry`);
  }
}

function tokensPath(input: Input): string {
  return input.text("tokens") ?? defaultTokens(input.cwd);
}

async function runServer(input: Input, output: Output): Promise<number> {
  if (isServer(input.store))
    throw new UsageError("--store: expected a store URL such as sqlite:contexts.db; this is a server");
  const host = input.text("host") ?? "127.0.0.1";
  const { records, token, isNew } = admission(input);
  const isOpen = host !== "127.0.0.1" && host !== "localhost" && host !== "::1";
  // One that was made up just now is no decision of anybody to open the server to others.
  if (isOpen && isNew) {
    throw new UsageError(`--host ${host}: others can reach this address; say who may with --token or --tokens`);
  }
  const port = readWhole(input, "port", { most: 65_535 }) ?? DEFAULT_PORT;
  const manager = await openManager(input.store);
  try {
    await using server = await serve({
      manager,
      tokens: tokensOf(records),
      host,
      port,
      hosts: listIn(input, "allow-host", asHost),
      origins: listIn(input, "allow-origin", asOrigin),
      limits: { maxBodyBytes: readWhole(input, "max-body", { most: 1024 ** 3 }) ?? 1024 ** 2 },
      requestsPerSecond: readWhole(input, "rate", { least: 1, most: 1e9 }) ?? 2_000,
      onError: (error) => output.failure(error),
    }).catch((error: unknown) => {
      throw cannotListen(error, host, port);
    });
    tellReady(output, server.url, token, input.store);
    await aborted(input.signal);
    output.note("stopping: what is being answered is finished first");
  } finally {
    await manager.close();
  }
  return EXIT.done;
}

function tellReady(output: Output, url: string, token: string | undefined, store: string): void {
  const mcp = `${url}${MCP_PATH}`;
  if (output.json) {
    output.data(JSON.stringify({ url, token: token ?? null, mcp }));
    return;
  }
  const shown = token ?? "one of the tokens file";
  output.data(`url    ${output.bold(url)}`);
  output.data(`token  ${shown}`);
  const bearer = `Bearer ${token ?? "TOKEN"}`;
  output.note(`store  ${redacted(store)}`);
  output.note(`page   ${url}/ shows what the agents do`);
  output.note(`try    curl -H "Authorization: ${bearer}" ${url}/v1/contexts`);
  output.note("mcp    for the settings of an MCP client:");
  for (const line of snippet(mcp, bearer).split("\n")) output.note(line);
  output.note("stop   Ctrl-C");
}

/** What a client of MCP reads from its settings. */
function snippet(url: string, bearer: string): string {
  const server = { type: "http", url, headers: { Authorization: bearer } };
  return JSON.stringify({ mcpServers: { "shared-context": server } }, null, 2);
}

/** A URL without its password, in which there may be an `@` too. */
function redacted(store: string): string {
  return store.replace(/\/\/[^/?#]*@/, "//***@");
}

function cannotListen(error: unknown, host: string, port: number): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    return new UsageError(
      `--port ${port}: something listens on ${host}:${port} already; stop it, or choose another port: 0 picks a free one`,
    );
  }
  if (syscall === undefined) return error;
  return new UsageError(`--host ${host} --port ${port}: expected an address of this machine to listen on; ${message}`);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}

/** @param read - `undefined` for what cannot be meant. */
function listIn(input: Input, option: string, { expected, read }: Kind): string[] {
  const parts = (input.text(option) ?? "").split(",").filter((part) => part !== "");
  return parts.map((part) => {
    const value = read(part);
    if (value !== undefined) return value;
    throw new UsageError(`--${option}: expected ${expected}; received ${JSON.stringify(part)}`);
  });
}

interface Kind {
  readonly expected: string;
  readonly read: (text: string) => string | undefined;
}

/** As the header Host names it when its port is left out. */
const asHost: Kind = {
  expected: "names of hosts such as contexts.example.com, without http:// and port",
  read: (text) => {
    const hostname = URL.parse(`http://${text}`)?.hostname;
    return hostname === text.toLowerCase() ? hostname : undefined;
  },
};

/** As the header Origin names it. That of an extension of a browser is none to `URL`. */
const asOrigin: Kind = {
  expected: "origins such as https://example.com, without a path",
  read: (text) => {
    const { origin } = URL.parse(text) ?? {};
    const isOrigin = origin === "null" ? /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]+$/.test(text) : origin === text;
    return isOrigin ? text : undefined;
  },
};

/** @throws UsageError: what cannot be read is an argument that names the wrong file. */
function knownTokens(path: string): TokenRecord[] {
  try {
    return readTokens(path);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

// oxlint-disable-next-line typescript/require-await -- a command gives a promise, this one has nothing to wait for
async function keepTokens(input: Input, output: Output): Promise<number> {
  const [verb, name] = input.positionals;
  const path = tokensPath(input);
  const kept = existsSync(path) ? knownTokens(path) : [];
  if (verb === "ls") {
    for (const { hash: _, ...token } of kept) {
      output.result(token, () => [token.name, token.rights, token.agentId ?? "any agent"]);
    }
    return EXIT.done;
  }
  if (name === undefined || name === "" || (verb !== "add" && verb !== "rm")) {
    throw new UsageError("expected token add NAME, token rm NAME, or token ls");
  }
  const others = kept.filter((token) => token.name !== name);
  if (verb === "rm") {
    if (others.length === kept.length) throw new UsageError(`no token is named ${name}: see token ls`);
    writeTokens(path, others);
    output.note(`removed ${name}: restart the server`);
    return EXIT.done;
  }
  if (others.length < kept.length) throw new UsageError(`a token is named ${name} already: remove it first`);
  const rights = RIGHTS.find((right) => right === (input.text("rights") ?? "write"));
  if (rights === undefined) throw new UsageError(`--rights: expected one of ${RIGHTS.join(", ")}`);
  const agentId = input.text("agent") ?? null;
  if (agentId === "") throw new UsageError("--agent: expected the id of an agent; leave it out for a token of any");
  return addToken(path, others, { name, agentId, rights }, output);
}

function addToken(
  path: string,
  others: readonly TokenRecord[],
  identity: { name: string; agentId: string | null; rights: Right },
  output: Output,
): number {
  const token = newToken();
  mkdirSync(dirname(path), { recursive: true });
  writeTokens(path, [...others, { ...identity, hash: hashOf(token) }]);
  output.result({ ...identity, token }, () => token);
  output.note(`kept in ${path} as a hash: this is the only time that the token is shown; restart the server`);
  return EXIT.done;
}
