/** Where on the page one is: after the `#`, so that no server hears of it. */

export type Place =
  { readonly view: "contexts" | "activity" } | { readonly view: "context"; readonly contextId: string };

export function readPlace(hash: string): Place {
  if (hash === "#/activity") return { view: "activity" };
  const [, text] = /^#\/context\/(.*)$/s.exec(hash) ?? [];
  if (text === undefined) return { view: "contexts" };
  try {
    return { view: "context", contextId: decodeURIComponent(text) };
  } catch {
    return { view: "contexts" };
  }
}

export function hashOf(place: Place): string {
  if (place.view === "context") return `#/context/${encodeURIComponent(place.contextId)}`;
  return place.view === "activity" ? "#/activity" : "#/";
}

/** The path of a context in the API. What a URL would resolve away goes into the query. */
export function apiPath(contextId: string, below = "", query: Readonly<Record<string, string>> = {}): string {
  const isLost = contextId === "" || contextId === "." || contextId === "..";
  const all = new URLSearchParams({ ...(isLost ? { context_id: contextId } : {}), ...query }).toString();
  return `/v1/contexts/${isLost ? "" : encodeURIComponent(contextId)}${below}${all === "" ? "" : `?${all}`}`;
}
