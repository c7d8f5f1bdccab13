import { jest, test } from "bun:test";
import { newDirectory, TIMEOUT_MS } from "./store.mjs";

jest.useFakeTimers();
const { waitsThatEnd, wholeLife } = await import("@tinykvs/copy");

test(
  "Waits end, and a store lives, with fake timers that were there before the library",
  async () => {
    await waitsThatEnd(newDirectory());
    await wholeLife(newDirectory());
    jest.useRealTimers();
  },
  TIMEOUT_MS,
);
