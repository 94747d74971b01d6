/** Which route a request is for. */

import { invalid } from "./input.ts";
import { HttpError } from "./problems.ts";
import type { Route } from "./route.ts";
import type { Target } from "./target.ts";

export interface Matched {
  readonly route: Route;
  readonly contextId: string;
}

/** What a path leads to, segment by segment. */
interface Place {
  readonly places: Map<string, Place>;
  readonly routes: Map<string, Route>;
}

const ID = "{id}";

export class Matcher {
  readonly #root = newPlace();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      let place = this.#root;
      for (const segment of route.path.split("/")) {
        const next = place.places.get(segment) ?? newPlace();
        place.places.set(segment, next);
        place = next;
      }
      place.routes.set(route.method, route);
    }
  }

  /** The methods that a path takes; none where there is nothing. */
  methodsOf(target: Target): string[] {
    const methods = [...(this.#find(target)?.routes.keys() ?? [])];
    return methods.includes("GET") ? [...methods, "HEAD"] : methods;
  }

  /** @throws HttpError NO_ROUTE, METHOD_NOT_ALLOWED; ContextError INVALID for an id that is not percent-encoded. */
  match(method: string, target: Target): Matched {
    const found = this.#find(target);
    if (found === undefined) {
      throw new HttpError("NO_ROUTE", "there is nothing at this path: see /openapi.json for what there is", {
        path: target.pathname.slice(0, 200),
      });
    }
    const route = found.routes.get(method === "HEAD" ? "GET" : method);
    if (route === undefined) {
      const allowed = this.methodsOf(target).join(", ");
      throw new HttpError(
        "METHOD_NOT_ALLOWED",
        `this path takes ${allowed}; received ${method.slice(0, 20)}`,
        { allowed },
        { allow: allowed },
      );
    }
    return { route, contextId: found.id === undefined ? "" : readId(found.id, target) };
  }

  /** Where a path has an id, there is nothing else that it could have. */
  #find({ segments }: Target): { routes: Place["routes"]; id: string | undefined } | undefined {
    let place = this.#root;
    let id: string | undefined;
    for (const segment of segments) {
      let next = place.places.get(segment);
      if (next === undefined) {
        next = place.places.get(ID);
        if (next === undefined) return undefined;
        id = segment;
      }
      place = next;
    }
    return place.routes.size === 0 ? undefined : { routes: place.routes, id };
  }
}

function newPlace(): Place {
  return { places: new Map(), routes: new Map() };
}

/** `.` and `..` do not survive in a URL, percent-encoded or not: an empty segment says that the id is in the query. */
function readId(segment: string, { search, searchParams }: Target): string {
  const inQuery = search === "" ? null : searchParams.get("context_id");
  if (segment === "") {
    if (inQuery !== null) return inQuery;
    throw invalid("contextId", "", "an id in the path, percent-encoded, or in ?context_id=", undefined);
  }
  if (inQuery !== null) throw invalid("query", "/context_id", "an id in the path or in the query, not both", inQuery);
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalid("contextId", "", "percent-encoded UTF-8", segment);
  }
}
