// Who gets the next slice of the job thread: counted in slices, without a clock.

import assert from "node:assert/strict";
import { test } from "node:test";
import { JobQueue, type QueuedJob } from "../../src/worker/job_queue.ts";

interface Named extends QueuedJob {
  readonly name: string;
}

const flush = (name: string): Named => ({ name, isFlush: true });
const merge = (name: string): Named => ({ name, isFlush: false });

/** Who gets the next slices. */
function slices(queue: JobQueue<Named>, count: number): string {
  return Array.from({ length: count }, () => queue.next()?.name ?? "-").join("");
}

test("A queue of jobs is empty until one is added, and after its end", () => {
  const queue = new JobQueue<Named>();
  assert.equal(slices(queue, 2), "--");
  const job = merge("m");
  queue.add(job);
  assert.equal(slices(queue, 2), "mm");
  assert.equal(queue.find(({ name }) => name === "m"), job);
  queue.remove(job);
  assert.equal(slices(queue, 2), "--");
  assert.equal(queue.find(({ name }) => name === "m"), undefined);
});

test("Flushes go first, the oldest one to its end", () => {
  const queue = new JobQueue<Named>();
  queue.add(merge("m"));
  assert.equal(slices(queue, 2), "mm");
  const [a, b] = [flush("a"), flush("b")];
  queue.add(a);
  queue.add(b);
  assert.equal(slices(queue, 3), "aaa");
  queue.remove(a);
  assert.equal(slices(queue, 3), "bbb");
  queue.remove(b);
  assert.equal(slices(queue, 2), "mm");
});

test("A merge makes progress although flushes never end", () => {
  const queue = new JobQueue<Named>();
  queue.add(merge("m"));
  queue.add(flush("a"));
  assert.equal(slices(queue, 80).replaceAll("a", "").length, 10);
});

test("Merges take turns, two at a time, and the others wait", () => {
  const queue = new JobQueue<Named>();
  const jobs = ["a", "b", "c"].map(merge);
  for (const job of jobs) queue.add(job);
  assert.equal([...new Set(slices(queue, 40))].sort().join(""), "ab");
  queue.remove(jobs[0]!);
  assert.equal([...new Set(slices(queue, 40))].sort().join(""), "bc");
});

test("Long merges do not keep a short one from beginning", () => {
  const queue = new JobQueue<Named>();
  for (const name of ["a", "b", "c", "d"]) queue.add(merge(name));
  slices(queue, 250);
  const found = slices(queue, 40);
  for (const name of ["a", "b", "c", "d"]) {
    assert.equal(found.replaceAll(new RegExp(`[^${name}]`, "g"), "").length, 10);
  }
});

test("A waiting job can be removed before it begins", () => {
  const queue = new JobQueue<Named>();
  const jobs = ["a", "b", "c"].map(merge);
  for (const job of jobs) queue.add(job);
  const waiting = queue.find(({ name }) => name === "c");
  assert.equal(waiting, jobs[2]);
  queue.remove(waiting!);
  queue.remove(jobs[0]!);
  assert.equal(slices(queue, 4), "bbbb");
});
