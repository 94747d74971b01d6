/** The pages tell the truth: their code is a file that runs, their links lead somewhere, their commands exist. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { format } from "node:util";
import { describe, expect, it, vi } from "vitest";

const root = new URL("../", import.meta.url);
const examples = namesIn("examples/").filter((name) => name.endsWith(".ts"));
const pages = [
  ...pagesIn("./"),
  ...pagesUnder("docs/"),
  ...namesIn("packages/").flatMap((name) => pagesIn(`${name}/`)),
];

function read(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** What a folder holds, as paths from the root. */
function namesIn(folder: string): string[] {
  return readdirSync(new URL(folder, root)).map((name) => `${folder}${name}`.replace("./", ""));
}

function pagesIn(folder: string): string[] {
  return namesIn(folder).filter((name) => name.endsWith(".md"));
}

function pagesUnder(folder: string): string[] {
  return readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}${name.replaceAll("\\", "/")}`);
}

interface Snippet {
  /** The file in the comment on the line before the block, with the region after `#`; `""` where there is none. */
  readonly source: string;
  readonly code: string;
}

/** Fenced blocks of TypeScript or JavaScript. Prettier leaves an empty line between comment and block. */
function snippetsOf(markdown: string): Snippet[] {
  const blocks = /(?:^<!-- (\S+) -->\n+)?^ *```(?:ts|tsx|js|jsx|mjs|typescript|javascript)\b[^\n]*\n(.*?)^ *```$/gms;
  return Array.from(markdown.matchAll(blocks), ([, source = "", code = ""]) => ({ source, code }));
}

/** The code that a comment names: a whole file, or a region of it without the lines that mark it. */
function sourceOf(source: string): string {
  const [path = "", region] = source.split("#");
  const text = read(path);
  if (region === undefined) return text;
  const found = new RegExp(`^ *// #region ${region}\n(.*?)^ *// #endregion$`, "ms").exec(text);
  return found?.[1] ?? expect.fail(`${path} has no region ${region}`);
}

/** Targets of links to files, without their fragments. */
function linksOf(markdown: string): string[] {
  return Array.from(withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g), ([, target = ""]) => target)
    .filter((target) => !/^(?:[a-z]+:|#)/.test(target))
    .map((target) => target.replace(/#.*/, ""));
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^ *```.*?^ *```$/gms, "").replaceAll(/`[^`\n]*`/g, "");
}

function commandsOf(markdown: string): string[] {
  return Array.from(
    markdown.matchAll(/\bnpm (?:run ([\w:-]+)|(test|start)\b)/g),
    ([, run, short]) => run ?? short ?? "",
  );
}

/** Tests and cases of a kit that a page names: on one line a link to their file, then their names in double quotes. */
function testsNamedIn(markdown: string): { file: string; names: string[] }[] {
  return markdown.split("\n").flatMap((line) => {
    const [, ...parts] = line.split(/\]\(([^)]+\.test\.ts|[^)]*\/src\/testing\/[^)]+\.ts)\)/);
    return parts.flatMap((file, index) => {
      const names = Array.from((parts[index + 1] ?? "").matchAll(/"([^"]+)"/g), ([, name = ""]) => name);
      return index % 2 === 0 ? [{ file, names }] : [];
    });
  });
}

/** The text below each heading of a level, up to the next one. */
function sectionsOf(markdown: string, level: "##" | "###"): Map<string, string> {
  const [, ...sections] = markdown.split(new RegExp(`^${level} `, "m"));
  return new Map(
    sections.map((section) => {
      const end = section.indexOf("\n");
      return [section.slice(0, end), section.slice(end)];
    }),
  );
}

/** Each law with the text under it. */
function lawsIn(design: string): [law: string, text: string][] {
  return [...sectionsOf(sectionsOf(design, "##").get("Laws") ?? "", "###")];
}

describe.each(pages)("%s", (page) => {
  const markdown = read(page);

  it("shows the code of a file in examples/, letter for letter", () => {
    for (const { source, code } of snippetsOf(markdown)) {
      expect(source, `no <!-- examples/file.ts --> before:\n${code}`).toMatch(/^examples\/[\w-]+\.ts(#[\w-]+)?$/);
      expect(code, source).toBe(sourceOf(source));
    }
  });

  it("links to files that are there", () => {
    expect(linksOf(markdown).filter((target) => !existsSync(new URL(target, new URL(page, root))))).toEqual([]);
  });

  it("names npm scripts that are there", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: object };
    expect(commandsOf(markdown).filter((command) => !Object.hasOwn(scripts, command))).toEqual([]);
  });

  it("names tests that are there", () => {
    for (const { file, names } of testsNamedIn(markdown)) {
      const tests = readFileSync(new URL(file, new URL(page, root)), "utf8");
      expect(names, `${file} is named without a test`).not.toEqual([]);
      expect(
        names.filter((name) => !tests.includes(JSON.stringify(name))),
        file,
      ).toEqual([]);
    }
  });
});

describe.each(examples)("%s", (example) => {
  it("is shown on a page", () => {
    const shown = pages.flatMap((page) => snippetsOf(read(page)).map(({ source }) => source.split("#")[0]));
    expect(shown).toContain(example);
  });

  it("prints what its comments say", async () => {
    const promised = Array.from(read(example).matchAll(/\/\/ prints: (.*)$/gm), ([, line]) => line);
    const printed: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((...values) => {
      printed.push(...format(...values).split("\n"));
    });
    try {
      await import(/* @vite-ignore */ new URL(example, root).href);
    } finally {
      log.mockRestore();
    }
    expect(promised).not.toEqual([]);
    expect(printed).toEqual(promised);
  });
});

describe("docs/design.md", () => {
  const design = read("docs/design.md");

  it.each(lawsIn(design))("has a test under the law: %s", (_law, text) => {
    expect(testsNamedIn(text)).not.toEqual([]);
  });

  it("lists every decision, each once", () => {
    const listed = linksOf(sectionsOf(design, "##").get("Decisions") ?? "").map((target) => `docs/${target}`);
    expect(listed.toSorted()).toEqual(pages.filter((name) => name.startsWith("docs/decisions/")).toSorted());
  });
});

describe("README.md", () => {
  it("has at most 150 lines", () => {
    expect(read("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(150);
  });
});

describe("this check", () => {
  it("finds every page, and every block, link, command, test and law on it", () => {
    for (const page of [
      "README.md",
      "docs/design.md",
      "docs/decisions/short-stacks.md",
      "packages/manager/README.md",
    ]) {
      expect(pages).toContain(page);
    }
    const markdown = [
      "<!-- examples/a.ts#part -->",
      "",
      "```ts",
      "a;",
      "```",
      "```typescript",
      "b;",
      "```",
      "```sh",
      "npm run x:y && npm test",
      "```",
      "[there](docs/design.md#laws), [outside](https://example.com), `[code](no-link)`",
      '- [a](a.test.ts): "one", "two"; the kit, [b](../src/testing/b.ts): "three"',
    ].join("\n");
    expect(snippetsOf(markdown)).toEqual([
      { source: "examples/a.ts#part", code: "a;\n" },
      { source: "", code: "b;\n" },
    ]);
    expect(linksOf(markdown)).toEqual(["docs/design.md", "a.test.ts", "../src/testing/b.ts"]);
    expect(commandsOf(markdown)).toEqual(["x:y", "test"]);
    expect(testsNamedIn(markdown)).toEqual([
      { file: "a.test.ts", names: ["one", "two"] },
      { file: "../src/testing/b.ts", names: ["three"] },
    ]);
    const design = ["# Title", "## Laws", "All.", "### One", "a", "### Two", "b", "## Decisions", "c"].join("\n");
    expect(lawsIn(read("docs/design.md"))).not.toEqual([]);
    expect(lawsIn(design)).toEqual([
      ["One", "\na\n"],
      ["Two", "\nb\n"],
    ]);
  });
});
