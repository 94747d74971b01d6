export type { AcquireOptions } from "./commands.ts";
export { Agent, type LockOptions } from "./agent.ts";
export type { ExpectedVersion, ForceUnlockOptions, PageOptions, WatchOptions, WriteOptions } from "./arguments.ts";
export type { BlameLine } from "./blame.ts";
export type { Change, ChangeKind, ContextFilter } from "./changes.ts";
export type { Clock } from "./clock.ts";
export { type AnySharedContext, type ContextLock, SharedContext } from "./context.ts";
export type { DeepReadonly, JsonObject, JsonValue } from "./data.ts";
export type { ContextDict, ManagerDict, StoredContextDict } from "./dictionary.ts";
export { diff, type JsonPatchOperation } from "./diff.ts";
export {
  type AnyContextError,
  ContextError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  isContextError,
  type LockHolding,
  type PathConflict,
  type Writer,
} from "./errors.ts";
export { Lease } from "./leases.ts";
export { SharedContextManager, type SharedContextManagerOptions } from "./manager.ts";
export type { ModifyOptions } from "./modify.ts";
export type { MergePatch, PatchOperation } from "./patch.ts";
export type { DataIssue, SchemaOption, StandardSchema } from "./schema.ts";
export type { ManagerStats } from "./stats.ts";
export type { Transaction } from "./transaction.ts";
export type { Predicate, WaitForOptions } from "./wait-for.ts";
export type { AsyncAcquireOptions } from "./async/acquire.ts";
export type { AsyncAgent } from "./async/agent.ts";
export type { AsyncLease } from "./async/lease.ts";
export type { AsyncSharedContextManager, ContextPage } from "./async/manager.ts";
export type { AsyncChange } from "./async/modify.ts";
export type { AsyncTransaction } from "./async/transaction.ts";
export type {
  CommitOutcome,
  Engine,
  EngineChange,
  EngineChanges,
  EngineOptions,
  EnginePage,
  EngineSupports,
  Loaded,
  LoggedChange,
  Transaction as EngineTransaction,
  Write as EngineWrite,
} from "./engine.ts";
export { managerOver, openManager, type OpenOptions } from "./open.ts";
