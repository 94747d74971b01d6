import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { inspector } from "../src/inspector.ts";
import { fromRequest, toResponse } from "../src/web.ts";

const FOLDER = new URL("../dist/inspector/", import.meta.url);
const SOURCES = new URL("../inspector/src/", import.meta.url);
const MOST_BYTES = 60_000;

const isBuilt = existsSync(new URL("index.html", FOLDER));
if (!isBuilt) process.stderr.write("The inspector is not built: the tests of its files are skipped\n");

function get(path: string, headers: Record<string, string> = {}, method = "GET"): Response | undefined {
  const request = new Request(`http://localhost${path}`, { method, headers });
  const reply = inspector(fromRequest(request));
  return reply && toResponse(reply, request);
}

it("leaves to the API what is not the page", () => {
  expect(get("/v1/contexts")).toBeUndefined();
  expect(get("/v1/changes?prefix=/inspector/")).toBeUndefined();
  expect(get("/", {}, "POST")).toBeUndefined();
  expect(get("/inspector/../../package.json")).toBeUndefined();
  expect(get("/inspector/%2e%2e/package.json")).toBeUndefined();
});

it("has no source that could turn data into markup or code", () => {
  for (const name of readdirSync(SOURCES).filter((file) => /\.tsx?$/.test(file))) {
    const text = readFileSync(new URL(name, SOURCES), "utf8");
    const found =
      /innerHTML|outerHTML|insertAdjacent|dangerously|document\.write|\beval\(|new Function|localStorage|https?:\/\//.exec(
        text,
      );
    expect(found?.[0], name).toBeUndefined();
    expect(text.split("\n").length, `lines of ${name}`).toBeLessThanOrEqual(300);
  }
});

describe.skipIf(!isBuilt)("the files of the page", () => {
  it("allow no inline script and no other origin, and are asked for anew", async () => {
    const response = get("/") ?? expect.fail("no page");
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
    expect(response.headers.get("cache-control")).toBe("no-cache");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    const page = await response.text();
    expect(page).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|\sstyle=/);
    const loaded = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? "");
    expect(loaded).toContain("/openapi.json");
    for (const path of loaded.filter((path) => path !== "/openapi.json")) {
      expect(path).toMatch(/^\/inspector\//);
      expect(get(path)?.status, path).toBe(200);
    }
  });

  it("have an ETag that answers 304", () => {
    const etag = get("/")?.headers.get("etag") ?? expect.fail("no ETag");
    expect(get("/", { "if-none-match": `"other", W/${etag}` })?.status).toBe(304);
    expect(get("/", { "if-none-match": '"other"' })?.status).toBe(200);
    expect(get("/?from=elsewhere", {}, "HEAD")?.body).toBeNull();
  });

  it(`are at most ${MOST_BYTES} bytes together, compressed`, () => {
    const files = readdirSync(FOLDER).map((name) => readFileSync(new URL(name, FOLDER)));
    const bytes = files.reduce((sum, file) => sum + gzipSync(file).length, 0);
    expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
  });
});
