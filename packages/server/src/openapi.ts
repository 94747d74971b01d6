/** `/openapi.json`, made of the route table: what is not in the table is not described, and the other way round. */

import { ALL_CODES, PROBLEM_TYPE } from "./problems.ts";
import type { Answer, Parameter, Route } from "./route.ts";
import { SCHEMAS } from "./schemas.ts";

/** What any request may be answered with. */
const ALWAYS: Readonly<Record<number, Answer>> = {
  400: { description: "INVALID: what was expected, what came." },
  403: { description: "FORBIDDEN: the host or the origin is not allowed." },
  500: { description: "INTERNAL, CORRUPT or MISSING_DEPENDENCY." },
  503: {
    description:
      "UNAVAILABLE: the storage does not answer, or the server is about to stop, then with Retry-After. CLOSED: its manager is closed.",
    headers: ["retry-after"],
  },
};

const WITH_TOKEN: Readonly<Record<number, Answer>> = {
  401: { description: "UNAUTHORIZED: a token is needed.", headers: ["www-authenticate"] },
  403: { description: "FORBIDDEN: the host, the origin or the rights of the token do not allow it." },
  429: { description: "RATE_LIMITED: wait for Retry-After seconds.", headers: ["retry-after"] },
};

const WRITING: Readonly<Record<number, Answer>> = {
  422: { description: "KEY_REUSED: the Idempotency-Key came with another request before." },
  504: { description: "INDETERMINATE: the write may have landed." },
};

const AGENT: Parameter = {
  in: "header",
  name: "X-Agent-Id",
  description: "Who acts, percent-encoded, where the token is not bound to an agent. By default the name of the token.",
  schema: { type: "string" },
};

const IDEMPOTENCY_KEY: Parameter = {
  in: "header",
  name: "Idempotency-Key",
  description: "Any text, new for each write: a repeated request with it gets the first answer again.",
  schema: { type: "string", maxLength: 255 },
};

const ID = {
  in: "path",
  name: "id",
  required: true,
  description:
    "The context id, percent-encoded. The ids `.` and `..` do not survive in a URL: leave the segment empty and say `?context_id=..`.",
  schema: { type: "string" },
} as const;

export function isWrite({ method }: Route): boolean {
  return method !== "GET";
}

/** Every status that a route may answer with. */
function answersOf(route: Route): Readonly<Record<number, Answer>> {
  return {
    ...ALWAYS,
    ...(route.right === null ? {} : WITH_TOKEN),
    ...(isWrite(route) ? WRITING : {}),
    ...route.answers,
  };
}

export function openApiOf(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  return {
    openapi: "3.1.0",
    info: {
      title: "Shared Context Manager",
      version,
      description: "Named, versioned state that several agents share without losing each other's work.",
    },
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
    "x-error-codes": ALL_CODES_SHOWN,
  };
}

const ALL_CODES_SHOWN = Object.fromEntries(
  Object.entries(ALL_CODES).map(([code, { meaning, retryable, httpStatus }]) => [
    code,
    { meaning, retryable, status: httpStatus },
  ]),
);

function operationOf(route: Route): object {
  const { operationId, summary, right, body } = route;
  const parameters = [
    ...(route.path.includes("{id}") ? [ID] : []),
    ...(route.parameters ?? []),
    ...(right === null ? [] : [AGENT]),
    ...(isWrite(route) ? [IDEMPOTENCY_KEY] : []),
  ];
  const content = body && contentOf(body.content);
  return {
    operationId,
    summary,
    ...(right === null ? { security: [] } : { security: [{ token: [] }], "x-right": right }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: body.optional !== true, content } }),
    responses: Object.fromEntries(
      Object.entries(answersOf(route)).map(([status, answer]) => [status, shown(Number(status), answer)]),
    ),
  };
}

function shown(status: number, { description, content, headers = [] }: Answer): object {
  const isProblem = status >= 400;
  const schemas = content ?? (isProblem ? { [PROBLEM_TYPE]: "Problem" } : undefined);
  return {
    description,
    ...(headers.length === 0
      ? {}
      : { headers: Object.fromEntries(headers.map((name) => [name, { schema: { type: "string" } }])) }),
    ...(schemas === undefined ? {} : { content: contentOf(schemas) }),
  };
}

function contentOf(schemas: Readonly<Record<string, string>>): object {
  return Object.fromEntries(
    Object.entries(schemas).map(([type, name]) => [type, { schema: { $ref: `#/components/schemas/${name}` } }]),
  );
}
