/** When reads are made at once, and when they are awaited. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadPace } from "../../src/sstable/read_pace.ts";

/** A pace whose reads take as long as the test says. */
function paced(): { readonly pace: ReadPace; read(tookMs: number): void } {
  let nowMs = 1000;
  const pace = new ReadPace(() => nowMs);
  return {
    pace,
    read(tookMs) {
      const started = pace.start();
      nowMs += tookMs;
      pace.finish(started);
    },
  };
}

/** How many reads are awaited until one is made at once again. */
function awaited(pace: ReadPace): number {
  let count = 0;
  while (!pace.mayReadAtOnce()) count++;
  return count;
}

test("ReadPace lets reads run at once as long as they are fast", () => {
  const { pace, read } = paced();
  for (let i = 0; i < 1000; i++) {
    assert.ok(pace.mayReadAtOnce());
    read(0.003);
  }
});

test("ReadPace lets many reads be awaited after a slow one, and then tries again", () => {
  const { pace, read } = paced();
  assert.ok(pace.mayReadAtOnce());
  read(8);
  assert.equal(awaited(pace), 128);
  read(0.003);
  assert.equal(awaited(pace), 0);
});

test("ReadPace tries a disk that stays slow less and less often, but never stops", () => {
  const { pace, read } = paced();
  read(8);
  for (const expected of [128, 256, 512, 1024, 2048, 4096, 8192, 8192]) {
    assert.equal(awaited(pace), expected);
    read(8);
  }
  awaited(pace);
  read(0.003);
  read(8);
  assert.equal(awaited(pace), 128, "after a fast one");
});

test("ReadPace forgives a slow read among many fast ones, but not many, nor one that takes long", () => {
  const { pace, read } = paced();
  for (let i = 0; i < 10_000; i++) {
    assert.ok(pace.mayReadAtOnce(), `read ${i}`);
    read(i % 100 === 99 ? 0.2 : 0.005);
  }
  let atOnce = 0;
  while (pace.mayReadAtOnce()) {
    read(0.1);
    atOnce++;
  }
  assert.ok(atOnce > 1 && atOnce < 10, `${atOnce} reads of a disk before they are awaited`);
  awaited(pace);
  for (let i = 0; i < 1000; i++) read(0.005);
  read(1);
  assert.equal(awaited(pace), 128);
});

test("ReadPace treats a clock that went back as a slow read", () => {
  const { pace, read } = paced();
  read(-1);
  assert.equal(awaited(pace), 128);
});
