import { waitsThatEnd, wholeLife } from "@tinykvs/core";
import { expect, jest, test } from "bun:test";
import { newDirectory, TIMEOUT_MS } from "./store.mjs";

test("A store lives its whole life", async () => {
  await wholeLife(newDirectory());
}, TIMEOUT_MS);

test("Waits end, and a store lives, with fake timers that come after the library", async () => {
  jest.useFakeTimers();
  try {
    const now = performance.now();
    await waitsThatEnd(newDirectory());
    await wholeLife(newDirectory());
    expect(performance.now()).toBe(now);
  } finally {
    jest.useRealTimers();
  }
}, TIMEOUT_MS);
