import { expect, it } from "vitest";
import { filesInCycles, filesUnder, importsOf } from "../../../test/helpers/imports.ts";

const files = filesUnder(new URL("../src/", import.meta.url));

it("imports nothing of the library but its public entries, and no sources of another package", () => {
  const outside = files
    .flatMap(importsOf)
    .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"));
  const library = outside.filter((specifier) => specifier.startsWith("shared-context-manager"));
  expect([...new Set(library)].filter((name) => !/^shared-context-manager(\/(serving|tools))?$/.test(name))).toEqual(
    [],
  );
  expect(files.flatMap(importsOf).filter((specifier) => specifier.includes("manager/src"))).toEqual([]);
});

it("has no import cycle", () => {
  expect(filesInCycles(files)).toEqual([]);
});
