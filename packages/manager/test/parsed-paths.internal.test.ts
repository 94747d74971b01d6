/** Paths are parsed as if each were the first. A failure prints seed and path; replay with FC_SEED. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { ParsedPaths } from "../src/parsed-paths.ts";
import { parsePath } from "../src/pointer.ts";

const seed = process.env["FC_SEED"];
const text = fc.string({ unit: fc.constantFrom("/", "~", "0", "1", "2", "a", "é"), maxLength: 12 });

/** RFC 6901, section 3 and 4, another way. */
function tokensOf(path: string): string[] | undefined {
  const [first, ...tokens] = path.split("/");
  if (first !== "" || tokens.some((token) => /~([^01]|$)/.test(token))) return undefined;
  return tokens.map((token) => token.replaceAll(/~[01]/g, (escape) => (escape === "~1" ? "/" : "~")));
}

it("a path is what RFC 6901 says, also when it was parsed before, and only so many are kept", () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 60 }), (texts) => {
      const paths = new ParsedPaths(2, 8);
      for (const one of texts) {
        expect(parsePath(one)).toEqual(tokensOf(one));
        expect([paths.parse(one), paths.parse(one)]).toEqual([tokensOf(one), tokensOf(one)]);
        expect(paths.size).toBeLessThanOrEqual(2);
      }
    }),
    { numRuns: 200, ...(seed && { seed: Number(seed) }) },
  );
});

it("what is parsed once is parsed no more", () => {
  const paths = new ParsedPaths();
  expect(paths.parse("/tasks/id=3/owner")).toBe(paths.parse("/tasks/id=3/owner"));
  expect(paths.parse(`/${"x".repeat(200)}`)).not.toBe(paths.parse(`/${"x".repeat(200)}`));
});

it("paths that nobody asks for any more make room", () => {
  const paths = new ParsedPaths(2);
  for (const path of ["/a", "/b"]) paths.parse(path);
  expect(paths.parse("/c")).not.toBe(paths.parse("/c"));
  for (let time = 0; time < 100; time++) paths.parse("/c");
  expect(paths.parse("/c")).toBe(paths.parse("/c"));
});
