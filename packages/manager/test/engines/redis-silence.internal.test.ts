/** What has had no answer for too long, on a clock that the tests move. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Silence } from "../../src/engines/redis/silence.ts";

const LONGEST_MS = 1_000;

let noticed = 0;
let silence: Silence;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  noticed = 0;
  silence = new Silence(LONGEST_MS, () => (noticed += 1));
});

afterEach(() => {
  vi.useRealTimers();
});

describe("a connection's silence", () => {
  test("is noticed when something has had no answer for so long", () => {
    silence.sent();
    vi.advanceTimersByTime(LONGEST_MS - 1);
    expect(noticed).toBe(0);
    vi.advanceTimersByTime(1);
    expect(noticed).toBe(1);
  });

  test("is counted from when that was sent, not from when something before it was", () => {
    silence.sent();
    vi.advanceTimersByTime(600);
    silence.sent();
    silence.answered();
    vi.advanceTimersByTime(999);
    expect(noticed).toBe(0);
    vi.advanceTimersByTime(1);
    expect(noticed).toBe(1);
  });

  test("is noticed although later commands keep coming", () => {
    silence.sent();
    for (let passed = 0; passed < LONGEST_MS; passed += 100) {
      silence.sent();
      vi.advanceTimersByTime(100);
    }
    expect(noticed).toBe(1);
  });

  test("is none where nothing is under way, and leaves no timer behind", () => {
    silence.sent();
    silence.answered();
    vi.advanceTimersByTime(3 * LONGEST_MS);
    expect(noticed).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    silence.sent();
    silence.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
