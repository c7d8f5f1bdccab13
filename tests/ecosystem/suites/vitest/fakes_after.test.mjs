import { beforeEach, test, vi } from "vitest";
import { load, newDirectory, TIMEOUT_MS } from "./store.mjs";

const { waitsThatEnd, wholeLife } = await load();

beforeEach(() => {
  vi.useFakeTimers();
});

test("Waits end with fake timers that come after the library", {
  timeout: TIMEOUT_MS,
}, async () => {
  await waitsThatEnd(newDirectory());
});

test("A store lives its whole life with fake timers that come after the library", {
  timeout: TIMEOUT_MS,
}, async () => {
  await wholeLife(newDirectory());
});
