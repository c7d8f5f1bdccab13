/** `bench`: what it reports, and that it leaves nothing. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { run } from "./support/cli.ts";
import { temporaryFolder } from "./support/temporary.ts";

const WORKLOADS: readonly (readonly [name: string, operations: number])[] = [
  ["load in batches, sequential", 60],
  ["put, random", 60],
  ["get, random", 60],
  ["get, missing", 60],
  ["scan", 60],
  ["put, durable, one by one", 60],
  ["put, durable, 64 at a time", 480],
];

test("bench reports every workload with its operations, and removes its store", async () => {
  using folder = temporaryFolder();
  const options = ["--entries", "60", "--value-bytes", "30", "--directory", folder.path];
  const ran = await run(["bench", ...options, "--compression", "snappy"]);
  assert.deepEqual([ran.code, ran.err], [0, ""]);
  const rows = ran.out.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rows.map((row) => [row.workload, row.operations]), WORKLOADS);
  for (const { operations, seconds, perSecond } of rows) {
    assert.ok(seconds > 0 && perSecond > 0);
    // Both are rounded: the seconds to whole microseconds.
    const off = Math.abs(perSecond * seconds / operations - 1);
    assert.ok(off < 0.01 + 1e-6 / seconds, JSON.stringify(rows));
  }
  assert.deepEqual(readdirSync(folder.path), []);
  const shown = await run(["bench", ...options], { terminal: true, columns: 100 });
  assert.match(shown.out, /60 entries of 30 B, zstd, in .*; [\d.]+ k?B on disk/);
});

test("bench refuses what it cannot measure, and removes its store if it is interrupted", async () => {
  using folder = temporaryFolder();
  const at = ["--directory", folder.path];
  for (
    const [words, code] of [
      [["--entries", "0", ...at], 2],
      [["--entries", "many", ...at], 2],
      [["--value-bytes", "-1", ...at], 2],
      [["--compression", "lzma", ...at], 2],
      [["--directory", folder.at("none")], 5],
    ] as const
  ) {
    const ran = await run(["bench", ...words]);
    assert.equal(ran.code, code, `${words.join(" ")}: ${ran.err}`);
    assert.equal(ran.out, "");
  }
  let press = (): void => {};
  const ran = await run(["bench", "--entries", "100000", ...at], {
    onStart: (interrupt) => press = interrupt,
    onOutput: () => press(),
  });
  assert.equal(ran.code, 130, ran.err);
  assert.deepEqual(readdirSync(folder.path), []);
});
