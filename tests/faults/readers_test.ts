/**
 * Readers beside a writer that flushes, compacts and deletes all the time, in processes of every
 * two runtimes, and in the writer's own. Each open shows a whole state that includes everything
 * that was acknowledged before, and keeps showing it (readers_child.ts checks that).
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../src/platform/natives.ts";
import { reportFigure } from "../support/figures.ts";
import { LineChild } from "../support/line_child.ts";
import { runtimeNames } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const script = fileURLToPath(new URL("readers_child.ts", import.meta.url));
const ROUNDS = Math.max(3, Math.round(8 * Number(process.env["TINYKVS_TEST_SCALE"] ?? 1)));
/** A round begins when the writer has done this number of batches more. */
const BATCHES_A_ROUND = 60;

/** Reads the writer's lines, and lets others wait for a number of batches. */
class Progress {
  acknowledged = 0;
  opens: number | undefined;
  failure: unknown;
  readonly #writer: LineChild;
  #wake: (() => void)[] = [];

  constructor(writer: LineChild) {
    this.#writer = writer;
    void this.#follow();
  }

  /** Resolves with the last batch, when there were `count`, or the writer has ended. */
  async until(count: number): Promise<number> {
    while (this.acknowledged < count && this.opens === undefined && this.failure === undefined) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    if (this.failure !== undefined) throw this.failure;
    return this.acknowledged;
  }

  async #follow(): Promise<void> {
    try {
      while (this.opens === undefined) {
        const line = await this.#writer.answer<number | { opens: number }>();
        if (typeof line === "number") this.acknowledged = line;
        else this.opens = line.opens;
        for (const wake of this.#wake.splice(0)) wake();
      }
    } catch (error) {
      this.failure = error;
      for (const wake of this.#wake.splice(0)) wake();
    }
  }
}

test(`Readers of every runtime beside a writer on ${runtimeName} see whole states`, async () => {
  const directory = temporaryDirectory("readers");
  const writer = new LineChild(runtimeName, script, directory.path, undefined, [
    "writer",
    directory.path,
  ]);
  const readers = runtimeNames.map((name) =>
    new LineChild(name, script, directory.path, undefined, ["reader", directory.path])
  );
  try {
    const progress = new Progress(writer);
    let opens = 0;
    await Promise.all(readers.map(async (reader) => {
      for (let round = 1; round <= ROUNDS; round++) {
        const acknowledged = await progress.until(round * BATCHES_A_ROUND);
        const count = await reader.ask<number>(String(acknowledged));
        opens += count;
      }
    }));
    writer.send("stop");
    await progress.until(Infinity);
    assert.equal(opens, ROUNDS * runtimeNames.length * 3);
    assert.ok(progress.opens! >= ROUNDS - 1, `${progress.opens} opens by the writer`);
    reportFigure("read only opens", opens + progress.opens!);
  } finally {
    for (const child of [writer, ...readers]) await child.kill();
    directory.dispose();
  }
});
