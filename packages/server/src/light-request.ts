/** Requests to the API as they come from `node:http`: a `Request` of its own costs more than most answers do. */

export interface Received {
  readonly method: string;
  readonly url: URL;
  /** By names in lower case, as `node:http` has them. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly body: AsyncIterable<Uint8Array> | null;
  /** Made when somebody asks for it. */
  readonly signal: () => AbortSignal;
}

/** What the routes read of a request, and no more. */
class LightRequest implements Pick<Request, "method" | "url" | "signal"> {
  readonly method: string;
  readonly url: string;
  readonly headers: Pick<Headers, "get" | "has">;
  readonly body: AsyncIterable<Uint8Array> | null;
  readonly parsedUrl: URL;
  readonly #makeSignal: () => AbortSignal;
  #signal: AbortSignal | undefined;

  constructor({ method, url, fields, body, signal }: Received) {
    this.method = method;
    this.url = url.href;
    this.parsedUrl = url;
    this.body = body;
    this.#makeSignal = signal;
    const has = (name: string): boolean => Object.hasOwn(fields, name.toLowerCase());
    const get = (name: string): string | null => (has(name) ? String(fields[name.toLowerCase()]) : null);
    this.headers = { get, has };
  }

  get signal(): AbortSignal {
    return (this.#signal ??= this.#makeSignal());
  }
}

export function lightRequest(received: Received): Request {
  return new LightRequest(received) as unknown as Request;
}

/** The URL of a request, parsed once. */
export function urlOf(request: Request): URL {
  return request instanceof LightRequest ? (request as LightRequest).parsedUrl : new URL(request.url);
}
