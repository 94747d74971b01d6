import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("the lint", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lint-"));
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: join(root, "tsconfig.base.json") }));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function lint(text: string): { status: number | null; stdout: string } {
    const file = join(folder, "fixture.ts");
    writeFileSync(file, text);
    const oxlint = ["node_modules/oxlint/bin/oxlint", "-c", ".oxlintrc.json", file];
    return spawnSync(process.execPath, oxlint, { cwd: root, encoding: "utf8" });
  }

  it("refuses a promise that nobody waits for", () => {
    const { status, stdout } = lint("export function save(write: () => Promise<void>): void {\n  write();\n}\n");
    expect(stdout).toContain("no-floating-promises");
    expect(status).toBe(1);
  });

  it("accepts the same promise when somebody does", () => {
    const { status } = lint(
      "export async function save(write: () => Promise<void>): Promise<void> {\n  await write();\n}\n",
    );
    expect(status).toBe(0);
  });
});
