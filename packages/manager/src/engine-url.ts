/**
 * What the URL of a storage or a server says. What is wrong with one is told without it: there may be a password inside,
 * also in what looks like its path or its parameters, when what is special in the password is not escaped.
 */

import { describe } from "./describe.ts";
import { invalid } from "./errors.ts";

export interface EngineUrl {
  readonly scheme: string;
  readonly path: string;
  readonly parameters: URLSearchParams;
}

/** @throws ContextError INVALID. */
export function parseUrl(url: unknown): EngineUrl {
  const expected = "a URL such as sqlite:contexts.db, without NUL";
  if (typeof url !== "string") throw invalid("url", "", expected, describe(url));
  const [, scheme, path = "", query = ""] = /^([A-Za-z][A-Za-z0-9+.-]*):([^?]*)(?:\?(.*))?$/s.exec(url) ?? [];
  if (scheme === undefined) throw invalid("url", "", expected, "one without a scheme before a colon");
  if (url.includes("\0")) throw invalid("url", "", expected, "one with NUL");
  return { scheme: scheme.toLowerCase(), path, parameters: new URLSearchParams(query) };
}

/** These may be any text, so an `@` in them says nothing. */
const ANY_TEXT: readonly string[] = ["namespace", "schema"];

/**
 * That a URL names a host, and that user and password end before it. Where an `@` comes after what would be the host, that
 * is a part of the password.
 *
 * @throws ContextError INVALID.
 */
export function checkHost({ scheme, path, parameters }: EngineUrl): void {
  const special = "with / ? # @ in user and password written %2F %3F %23 %40";
  const expected = `a URL that begins ${scheme}://host or ${scheme}://user:password@host, ${special}`;
  if (!path.startsWith("//")) throw invalid("url", "", expected, "one without //");
  const [, afterHost = ""] = /^\/\/[^/#]*(.*)$/s.exec(path) ?? [];
  const isInParameters = [...parameters].some(
    ([name, value]) => name.includes("@") || (value.includes("@") && !ANY_TEXT.includes(name)),
  );
  if (isInParameters || afterHost.includes("@")) throw invalid("url", "", expected, "one with an @ after its host");
}

/** @throws ContextError INVALID. */
export function checkParameters({ parameters }: EngineUrl, known: readonly string[]): void {
  for (const name of parameters.keys()) {
    if (!known.includes(name)) {
      const expected = known.length === 0 ? "no parameters" : `one of ${known.join(", ")}`;
      throw invalid("url", `?${name}`, expected, describe(name));
    }
    const { length } = parameters.getAll(name);
    if (length > 1) throw invalid("url", `?${name}`, "one value", `${length} of them`);
  }
  if (parameters.get("namespace")?.includes("\0") === true) {
    throw invalid("url", "?namespace", "a name without NUL", "one with NUL");
  }
}
