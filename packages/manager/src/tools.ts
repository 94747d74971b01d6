/**
 * Contexts as tools for language models: plain objects that the AI SDK, OpenAI Agents, Mastra and MCP servers take as
 * they are. Models forget to unlock, send stale versions and whole documents, and invent ids: the tools make the right
 * thing the only easy one.
 */

import { checkId } from "./arguments.ts";
import { isPlainObject, type JsonObject } from "./data.ts";
import { describe } from "./describe.ts";
import { invalid } from "./errors.ts";
import { definitions } from "./tools/definitions.ts";
import { list, read } from "./tools/reading.ts";
import { type Outcome, refusalOf, refuseArgument } from "./tools/refusals.ts";
import { Session } from "./tools/session.ts";
import type { Arguments, ContextTool, ContextToolsOptions, ToolResult, ToolsOwner } from "./tools/types.ts";
import { claim, history, release, wait } from "./tools/waiting.ts";
import { create, write } from "./tools/writing.ts";

export type { JsonSchema, SchemaIssue, ToolSchema } from "./tools/json-schema.ts";
export type {
  ContextTool,
  ContextToolsOptions,
  ToolAnnotations,
  ToolResult,
  ToolsAgent,
  ToolsLease,
  ToolsManager,
  ToolsOwner,
  ToolsSnapshot,
  ToolsWriter,
} from "./tools/types.ts";

/** The names of the tools; the last two are there with the option `claims`. */
export type ContextToolName =
  | "context_list"
  | "context_create"
  | "context_read"
  | "context_write"
  | "context_wait"
  | "context_history"
  | "context_claim"
  | "context_release";

type Always = Exclude<ContextToolName, "context_claim" | "context_release">;

/** The tools by their names: `Object.values` of it is a list of them. */
export type ContextTools = Readonly<Record<Always, ContextTool>> & {
  readonly context_claim?: ContextTool;
  readonly context_release?: ContextTool;
};

type Run = (session: Session, input: Arguments, signal: AbortSignal | undefined) => Promise<Outcome>;

const RUNS: Readonly<Record<ContextToolName, Run>> = {
  context_list: list,
  context_create: create,
  context_read: read,
  context_write: write,
  context_wait: wait,
  context_history: history,
  context_claim: claim,
  context_release: release,
};

/**
 * Tools with which a model works on the contexts of a manager, in the name of one agent. The manager, and not only its
 * agent, is needed: an agent reads nothing. Make one set for each agent, and keep it for as long as the
 * agent works: it holds the claims and remembers what the model has seen.
 *
 * @param owner - any manager of this package, and whose tools they are.
 * @throws {@link ContextError} INVALID.
 * @example
 * ```ts
 * const tools = contextTools({ manager, agentId: "planner" });
 * await generateText({ model, tools, prompt: "Read the plan and take the next step." });
 * ```
 */
export function contextTools(owner: ToolsOwner, options: ContextToolsOptions = {}): ContextTools {
  checkOwner(owner);
  checkNumbers(options);
  const session = new Session(owner, options);
  const tools = definitions(session.options.claims).map((definition): [string, ContextTool] => {
    const run = RUNS[definition.name as ContextToolName];
    const execute = async (input: unknown, call?: unknown): Promise<ToolResult> => {
      const outcome = await outcomeOf(session, definition, run, input, signalOf(call));
      return { ...outcome, notices: await session.notices() };
    };
    return [definition.name, Object.freeze({ ...definition, execute })];
  });
  return Object.freeze(Object.fromEntries(tools)) as unknown as ContextTools;
}

async function outcomeOf(
  session: Session,
  { inputSchema }: Pick<ContextTool, "inputSchema">,
  run: Run,
  input: unknown,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const { value, issues } = inputSchema["~standard"].validate(input);
  if (value === undefined) return refuseArgument((issues ?? []).map(({ message }) => message).join("; "));
  try {
    await session.renewClaims();
    return await run(session, value as unknown as Arguments, signal);
  } catch (error) {
    return refusalOf(error, session);
  }
}

/** Frameworks hand over what they know of a call, among it a signal, under one name or another. */
function signalOf(call: unknown): AbortSignal | undefined {
  if (typeof call !== "object" || call === null) return undefined;
  const { abortSignal, signal } = call as { abortSignal?: unknown; signal?: unknown };
  return [abortSignal, signal].find((one) => one instanceof AbortSignal);
}

function checkOwner(owner: unknown): void {
  const { manager, agentId } = (typeof owner === "object" && owner !== null ? owner : {}) as JsonObject;
  const isManager = typeof (manager as Partial<ToolsOwner["manager"]> | undefined | null)?.agent === "function";
  if (!isManager) throw invalid("owner", "/manager", "a manager", describe(manager));
  checkId("agentId", agentId);
}

const LEAST: Readonly<Record<"claimTtlMs" | "maxClaimMs" | "maxTokens" | "maxConflicts", number>> = {
  claimTtlMs: 1,
  maxClaimMs: 0,
  maxTokens: 300,
  maxConflicts: 1,
};

function checkNumbers(options: ContextToolsOptions): void {
  if (!isPlainObject(options)) throw invalid("options", "", "an object", describe(options));
  for (const [name, least] of Object.entries(LEAST)) {
    const value = options[name];
    if (value === undefined || (typeof value === "number" && value >= least)) continue;
    throw invalid("options", `/${name}`, `a number from ${least} up`, describe(value));
  }
}
