export type { ExpectedVersion } from "./arguments.ts";
export type { Clock } from "./clock.ts";
export { type AnySharedContext, type ContextLock, SharedContext } from "./context.ts";
export type { DeepReadonly, JsonObject, JsonValue } from "./data.ts";
export type { ContextDict, ManagerDict, StoredContextDict } from "./dictionary.ts";
export {
  type AnyContextError,
  ContextError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  isContextError,
} from "./errors.ts";
export { SharedContextManager, type SharedContextManagerOptions } from "./manager.ts";
