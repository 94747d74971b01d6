/** Which route a request is for. */

import { invalid } from "./input.ts";
import { HttpError } from "./problems.ts";
import type { Route } from "./route.ts";

export interface Matched {
  readonly route: Route;
  readonly contextId: string;
}

interface Place {
  readonly segments: readonly string[];
  readonly routes: Map<string, Route>;
}

export class Matcher {
  readonly #places: Place[] = [];

  constructor(routes: readonly Route[]) {
    const byPath = new Map<string, Place>();
    for (const route of routes) {
      let place = byPath.get(route.path);
      if (place === undefined) {
        place = { segments: route.path.split("/"), routes: new Map() };
        byPath.set(route.path, place);
        this.#places.push(place);
      }
      place.routes.set(route.method, route);
    }
  }

  /** The methods that a path takes; none where there is nothing. */
  methodsOf(url: URL): string[] {
    const segments = url.pathname.split("/");
    const place = this.#places.find((candidate) => fits(candidate.segments, segments));
    if (place === undefined) return [];
    const methods = [...place.routes.keys()];
    return methods.includes("GET") ? [...methods, "HEAD"] : methods;
  }

  /** @throws HttpError NO_ROUTE, METHOD_NOT_ALLOWED; ContextError INVALID for an id that is not percent-encoded. */
  match(method: string, url: URL): Matched {
    const segments = url.pathname.split("/");
    const place = this.#places.find((candidate) => fits(candidate.segments, segments));
    if (place === undefined) {
      throw new HttpError("NO_ROUTE", "there is nothing at this path: see /openapi.json for what there is", {
        path: url.pathname.slice(0, 200),
      });
    }
    const route = place.routes.get(method === "HEAD" ? "GET" : method);
    if (route === undefined) {
      const allowed = this.methodsOf(url).join(", ");
      throw new HttpError(
        "METHOD_NOT_ALLOWED",
        `this path takes ${allowed}; received ${method.slice(0, 20)}`,
        { allowed },
        { allow: allowed },
      );
    }
    const at = place.segments.indexOf("{id}");
    return { route, contextId: at < 0 ? "" : readId(segments[at] ?? "", url) };
  }
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length && pattern.every((part, index) => part === "{id}" || part === segments[index])
  );
}

/** `.` and `..` do not survive in a URL, percent-encoded or not: an empty segment says that the id is in the query. */
function readId(segment: string, url: URL): string {
  const inQuery = url.search === "" ? null : url.searchParams.get("context_id");
  if (segment === "") {
    if (inQuery !== null) return inQuery;
    throw invalid("contextId", "", "an id in the path, percent-encoded, or in ?context_id=", "nothing");
  }
  if (inQuery !== null) throw invalid("query", "/context_id", "an id in the path or in the query, not both", inQuery);
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalid("contextId", "", "percent-encoded UTF-8", segment);
  }
}
