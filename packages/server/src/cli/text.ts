/** Text that comes as bytes. */

import { UsageError } from "./output.ts";

/**
 * Piece by piece. What is no UTF-8 would be stored as something else.
 *
 * @throws UsageError.
 */
async function* textIn(chunks: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decoded = (chunk?: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw new UsageError(`${where}: expected UTF-8; received bytes that are not: convert it first`);
    }
  };
  for await (const chunk of chunks) yield decoded(chunk);
  yield decoded();
}

/** To its end. @throws UsageError. */
export async function wholeText(chunks: AsyncIterable<Uint8Array>, where: string): Promise<string> {
  let whole = "";
  for await (const text of textIn(chunks, where)) whole += text;
  return whole;
}

/** Line by line. @throws UsageError. */
export async function* linesIn(chunks: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<string> {
  let rest = "";
  for await (const text of textIn(chunks, where)) {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  yield rest;
}
