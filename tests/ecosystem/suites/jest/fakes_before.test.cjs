jest.useFakeTimers();
const { load, newDirectory, TIMEOUT_MS } = require("./store.cjs");

test("Waits end with fake timers that were there before the library", async () => {
  await load().waitsThatEnd(newDirectory());
}, TIMEOUT_MS);

test(
  "A store lives its whole life with fake timers that were there before the library",
  async () => {
    await load().wholeLife(newDirectory());
  },
  TIMEOUT_MS,
);
