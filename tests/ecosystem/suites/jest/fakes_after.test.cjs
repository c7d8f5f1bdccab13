const { load, newDirectory, TIMEOUT_MS } = require("./store.cjs");
const { wholeLife, waitsThatEnd } = load();

beforeEach(() => {
  jest.useFakeTimers();
});

test("Waits end with fake timers that come after the library", async () => {
  await waitsThatEnd(newDirectory());
}, TIMEOUT_MS);

test("A store lives its whole life with fake timers that come after the library", async () => {
  await wholeLife(newDirectory());
}, TIMEOUT_MS);
