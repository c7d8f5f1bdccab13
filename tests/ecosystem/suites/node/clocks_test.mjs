// Runs under Node and Deno. The mocks of `node:test` replace the functions of `node:timers` too: Node those
// of `require`, Deno all of them, from inside.

import { mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import process from "node:process";
import { mock, test } from "node:test";
import { waitsThatEnd, wholeLife } from "../node_modules/@tinykvs/core/index.mjs";

const newDirectory = () => mkdtempSync(path.join(process.env.TINYKVS_STORES, "store "));

test("Waits end, and a store lives, with mocked timers that come after the library", async () => {
  mock.timers.enable();
  try {
    await waitsThatEnd(newDirectory());
    await wholeLife(newDirectory());
  } finally {
    mock.timers.reset();
  }
});

test("Waits end, and a store lives, with mocked timers that were there before the library", async () => {
  mock.timers.enable();
  try {
    const library = createRequire(import.meta.url)("../node_modules/@tinykvs/copy/index.cjs");
    await library.waitsThatEnd(newDirectory());
    await library.wholeLife(newDirectory());
  } finally {
    mock.timers.reset();
  }
});

test("Waits end, and a store lives, with replaced globals and clocks that stand still", async () => {
  const names = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "clearTimeout"];
  const real = names.map((name) => globalThis[name]);
  const { now } = Date;
  for (const name of names) globalThis[name] = () => ({ ref() {}, unref() {} });
  Date.now = () => 7;
  performance.now = () => 7;
  process.hrtime = () => [7, 7];
  try {
    const library = createRequire(import.meta.url)("../node_modules/@tinykvs/copy/index.cjs");
    for (const { waitsThatEnd: waits, wholeLife: life } of [library, { waitsThatEnd, wholeLife }]) {
      await waits(newDirectory());
      await life(newDirectory());
    }
  } finally {
    names.forEach((name, at) => globalThis[name] = real[at]);
    Date.now = now;
    delete performance.now;
  }
});
