/**
 * Answers whose body is a text. A `Response` and its `Headers` cost more than all the rest of a short answer, so that one
 * is made only for those who want it.
 */

/** As much of `Headers` as the handler needs; names are in lower case. */
class PlainHeaders {
  readonly fields: Record<string, string>;

  constructor(fields: Readonly<Record<string, string>>) {
    this.fields = { ...fields };
  }

  get(name: string): string | null {
    return this.fields[name] ?? null;
  }

  set(name: string, value: string): void {
    this.fields[name] = value;
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return Object.entries(this.fields)[Symbol.iterator]();
  }
}

/** Stands for a `Response` between a route and the server. */
export class TextResponse {
  readonly status: number;
  readonly headers: PlainHeaders;
  readonly body = null;
  readonly text: string;

  constructor(text: string, status: number, headers: Readonly<Record<string, string>>) {
    this.text = text;
    this.status = status;
    this.headers = new PlainHeaders(headers);
  }
}

export function textResponse(text: string, status: number, headers: Readonly<Record<string, string>>): Response {
  return new TextResponse(text, status, headers) as unknown as Response;
}

/** The response as anybody reads it. */
export function complete(response: Response): Response {
  if (!(response instanceof TextResponse)) return response;
  const { text, status, headers } = response as TextResponse;
  return new Response(text, { status, headers: headers.fields });
}
