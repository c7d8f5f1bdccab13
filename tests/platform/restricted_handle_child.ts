/**
 * A child of restricted_handle_test.ts, under Node: random writes and syncs of a RestrictedHandle,
 * beside a model of what a power loss must leave. The model sees the calls of the system: a write
 * through a descriptor with O_DSYNC makes its own bytes durable, a datasync all that were there
 * when it began.
 */

import assert from "node:assert/strict";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import * as path from "node:path";
import process from "node:process";
import { Random } from "../support/random.ts";

const SIZE = 5 << 18;
const [seed, directory] = [Number(process.argv[2]), process.argv[3]!];

/**
 * What the file holds, and for each byte which step wrote it, and up to which step it is durable.
 */
const content = new Uint8Array(SIZE);
let written = new Uint32Array(SIZE);
const durable = new Uint32Array(SIZE);
const withDsync = new Set<number>();
let fails = false;
let calls = 0;
let step = 1;

const { openSync, writeSync } = fs;
fs.openSync = ((...args: Parameters<typeof openSync>) => {
  const descriptor = openSync(...args);
  const hasIt = typeof args[1] === "number" && (args[1] & fs.constants.O_DSYNC) !== 0;
  if (hasIt) withDsync.add(descriptor);
  else withDsync.delete(descriptor);
  return descriptor;
}) as typeof openSync;
fs.writeSync = ((fd: number, from: Uint8Array, offset: number, length: number, at: number) => {
  if (!withDsync.has(fd)) return writeSync(fd, from, offset, length, at);
  if (fails) throw Object.assign(new Error("EIO: i/o error, write"), { code: "EIO" });
  // Short, as a write may be.
  const count = writeSync(fd, from, offset, calls++ % 3 === 0 ? length + 1 >> 1 : length, at);
  assert.ok(content.subarray(at, at + count).every((byte, i) => byte === from[offset + i]));
  durable.fill(step, at, at + count);
  return count;
}) as typeof writeSync;
const probe = await fs.promises.open(directory, "r");
const prototype = Object.getPrototypeOf(probe) as typeof probe;
await probe.close();
const { datasync } = prototype;
prototype.datasync = async function (this: typeof probe): Promise<void> {
  const { dev, ino } = await this.stat();
  const own = fs.statSync(file);
  assert.deepEqual([dev, ino], [own.dev, own.ino]);
  if (fails) throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
  const before = written.slice();
  await datasync.call(this);
  before.forEach((made, i) => durable[i] = Math.max(durable[i]!, made));
};
syncBuiltinESMExports();

// After the lines above.
const { restrictedFileSystem } = await import("../../src/platform/restricted_file_system.ts");
const file = path.join(directory, `file ${seed}`);
const handle = restrictedFileSystem().createSync(file);
const random = new Random(seed);
let end = 0;

function requireDurable(expected: Uint32Array): void {
  assert.ok(expected.every((made, i) => durable[i]! >= made));
}

const syncs: Promise<void>[] = [];
for (; step <= 40; step++) {
  const length = 1 + random.below(random.below(15) === 0 ? 1_200_000 : 3_000);
  const at = Math.min(random.below(4) === 0 ? random.below(end + 1) : end, SIZE - length);
  const bytes = new Uint8Array(length).fill(1 + random.below(255));
  let done = 0;
  while (done < length) done += handle.writeSync(bytes, done, length - done, at + done);
  content.set(bytes, at);
  written = written.slice().fill(step, at, at + length);
  end = Math.max(end, at + length);
  const expected = written;
  switch (random.below(6)) {
    case 0:
      handle.syncSync();
      requireDurable(expected);
      break;
    case 1:
      syncs.push(handle.sync!().then(() => requireDurable(expected)));
      break;
    case 2:
      await Promise.all(syncs.splice(0));
      break;
    case 3: {
      // A sync that fails leaves its bytes to the next one.
      fails = true;
      await Promise.allSettled(syncs.splice(0));
      const failure = await handle.sync!().catch((error) => error);
      assert.equal(failure.osCode, "EIO");
      assert.throws(() => handle.syncSync(), { osCode: "EIO" });
      fails = false;
    }
  }
}
await Promise.all(syncs);
handle.syncSync();
requireDurable(written);
handle.closeSync();
console.log("durable");
process.exit(0);
