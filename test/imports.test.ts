import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { filesInCycles, filesUnder, importsIn, importsOf, loadedBy } from "./helpers/imports.ts";

const manager = new URL("../packages/manager/", import.meta.url);
const files = filesUnder(new URL("src/", manager));
const index = new URL("src/index.ts", manager).href;
const rules = new URL("src/rules.ts", manager).href;

describe("the package shared-context-manager", () => {
  it("has rules that load nothing but entries, errors and data helpers", () => {
    const types = ["entry", "errors", "rejection"];
    const helpers = [
      "data",
      "describe",
      "elements",
      "equal",
      "fault",
      "format-time",
      "increments",
      "merge",
      "pointer",
      "writers",
    ];
    const patches = ["patch", "steps", "draft", "touched", "edited", "known-lists"];
    const inner = ["rules", ...types, ...helpers, ...patches].map((name) => new URL(`src/${name}.ts`, manager).href);
    expect([...loadedBy(rules)].filter((file) => !inner.includes(file))).toEqual([]);
  });

  it("loads files of its own only: no other package, nothing of Node", () => {
    const loaded = [...loadedBy(index)];
    expect(loaded).toContain(rules);
    expect(loaded.flatMap(importsOf).filter((specifier) => !specifier.startsWith("."))).toEqual([]);
  });

  it("has no import cycle", () => {
    expect(filesInCycles(files)).toEqual([]);
  });

  it("has no dependencies", () => {
    const manifest = JSON.parse(readFileSync(new URL("package.json", manager), "utf8")) as object;
    expect(Object.keys(manifest).filter((key) => /dependencies/i.test(key))).toEqual([]);
  });
});

it("every static import that runs is seen, and no other", () => {
  const text = `
    import type { A } from "./a.ts";
    export type { B } from "./b.ts";
    const late = import("./late.ts");
    import "./1.ts";
    import two, { type Two } from "./2.ts";
    import {
      three,
    } from "./3.ts";
    export * from "./4.ts";
    export { five } from "node:five";
  `.replaceAll(/^ {4}/gm, "");
  expect(importsIn(text)).toEqual(["./1.ts", "./2.ts", "./3.ts", "./4.ts", "node:five"]);
});
