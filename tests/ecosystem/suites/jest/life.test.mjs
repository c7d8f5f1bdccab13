// Modules of Jest, which Node's --experimental-vm-modules makes in the context of the test.

import { createRequire } from "node:module";

const { newDirectory, TIMEOUT_MS } = createRequire(import.meta.url)("./store.cjs");
const { wholeLife } = await import("@tinykvs/core");

test("A store lives its whole life in a module", async () => {
  await wholeLife(newDirectory());
}, TIMEOUT_MS);
