const { load, newDirectory, TIMEOUT_MS } = require("./store.cjs");

test("Waits end and a store lives with clocks that stand still", async () => {
  const mocks = [
    jest.spyOn(performance, "now").mockReturnValue(7),
    jest.spyOn(Date, "now").mockReturnValue(7),
    jest.spyOn(process, "hrtime").mockReturnValue([7, 7]),
  ];
  const perf = require("node:perf_hooks").performance;
  mocks.push(jest.spyOn(perf, "now").mockReturnValue(7));
  try {
    const { waitsThatEnd, wholeLife } = load();
    await waitsThatEnd(newDirectory());
    await wholeLife(newDirectory());
  } finally {
    for (const mock of mocks) mock.mockRestore();
  }
}, TIMEOUT_MS);
