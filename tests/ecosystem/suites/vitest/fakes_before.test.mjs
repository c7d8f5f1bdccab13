import { test, vi } from "vitest";
import { load, newDirectory, TIMEOUT_MS } from "./store.mjs";

// All that there is to fake, not only what vitest fakes by default.
vi.useFakeTimers({
  toFake: [
    "setTimeout",
    "clearTimeout",
    "setInterval",
    "clearInterval",
    "setImmediate",
    "clearImmediate",
    "Date",
    "performance",
    "hrtime",
    "queueMicrotask",
  ],
});
const { waitsThatEnd, wholeLife } = await load();

test("Waits end with fake timers that were there before the library", {
  timeout: TIMEOUT_MS,
}, async () => {
  await waitsThatEnd(newDirectory());
});

test("A store lives its whole life with fake timers that were there before the library", {
  timeout: TIMEOUT_MS,
}, async () => {
  await wholeLife(newDirectory());
});
