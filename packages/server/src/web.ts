/** Web-standard requests and responses, as the handler takes them and as MCP does. */

import { type ApiRequest, type Flow, isFlow, type Reply, type Write } from "./exchange.ts";
import { targetOf } from "./target.ts";

export function fromRequest(request: Request): ApiRequest {
  const { method, url, headers, signal, body } = request;
  return {
    method,
    target: targetOf(new URL(url)),
    headers,
    signal,
    async read(take) {
      if (body === null) return;
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) take(chunk);
    },
    toRequest: () => request,
  };
}

/** @param request - what it answers: its signal aborts when nobody reads the answer any more. */
export function toResponse({ status, headers, body }: Reply, request: Request): Response {
  return new Response(isFlow(body) ? streamOf(body, request) : body, { status, headers });
}

function streamOf(flow: Flow, request: Request): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let makeRoom = (): void => undefined;
  let isRead = true;
  const stop = (): void => flow.stop();
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const write: Write = (chunk) => {
        controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : chunk);
        if ((controller.desiredSize ?? 0) > 0) return undefined;
        return new Promise((resolve) => {
          makeRoom = resolve;
        });
      };
      if (request.signal.aborted) flow.stop();
      else request.signal.addEventListener("abort", stop);
      const end = (): void => {
        // Held until here: in Node the signal of a request that nobody holds is never told of an abort.
        request.signal.removeEventListener("abort", stop);
        if (isRead) controller.close();
      };
      flow.pour(write).then(end, (error: unknown) => controller.error(error));
    },
    pull: () => makeRoom(),
    cancel() {
      isRead = false;
      flow.stop();
      makeRoom();
    },
  });
}

export async function fromResponse(response: Response): Promise<Reply> {
  const { status, body } = response;
  const headers = Object.fromEntries(response.headers);
  if (body === null) return { status, headers, body };
  if (headers["content-type"] === "text/event-stream") return { status, headers, body: flowOf(body) };
  return { status, headers, body: new Uint8Array(await response.arrayBuffer()) };
}

function flowOf(stream: ReadableStream<Uint8Array>): Flow {
  const reader = stream.getReader();
  return {
    async pour(write) {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        await write(value);
      }
    },
    stop: () => void reader.cancel().catch(() => undefined),
  };
}
