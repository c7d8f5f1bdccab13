/**
 * A child of full_disk_test.ts, on a disk that takes no more at some point. Arguments: the act, a
 * directory on that disk, the operating system's code of its refusal.
 *
 *   all       fills the disk, makes room by removing "ballast", and recovers, for four ways of writing
 *   fill      only the first half, with the state of things on standard output
 *   recover   only the second half, with that state as the fourth argument
 *   short     writes more than there is room for by the file system of the runtime alone
 */

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type FileHandle, IoError, type Options } from "../../mod.ts";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { writeFullySync } from "../../src/platform/transfer.ts";
import { checkRecovered, fillDisk, type FilledDisk, type FillPlan } from "./full_disk.ts";

const [act, parent, code, filledText] = process.argv.slice(2) as [string, string, string, string?];
const BALLAST_BYTES = 400 * 1024;

const ways: readonly Pick<FillPlan, "isSync" | "options">[] = [
  { isSync: false, options: { walSync: "batch" } },
  { isSync: true, options: { walSync: "none" } },
  { isSync: false, options: { walSync: "interval", walSyncIntervalMs: 5 } },
  { isSync: true, options: { walSync: "write" } },
];

function planOf(index: number, options: Options): FillPlan {
  const way = ways[index]!;
  return {
    directory: join(parent, `store ${index}`),
    options: { ...options, ...way.options },
    isSync: way.isSync,
    code,
  };
}

const small: Options = { memtableSizeBytes: 64 * 1024, l0CompactionTrigger: 2 };
/** The log reaches the limit of one file's size, and no table does. */
const large: Options = { memtableSizeBytes: 4 * 1024 * 1024 };

/** A write that does not fit: Node and Bun return the short count; Deno continues and throws. */
function firstWrite(
  handle: FileHandle,
  bytes: Uint8Array,
  isFull: (error: unknown) => boolean,
): number {
  try {
    return handle.writeSync(bytes, 0, bytes.length, 0);
  } catch (error) {
    assert.equal(runtimeName, "deno");
    isFull(error);
    return handle.sizeSync();
  }
}

switch (act) {
  case "all": {
    const ballast = join(parent, "ballast");
    for (const index of ways.keys()) {
      const plan = planOf(index, small);
      writeFileSync(ballast, new Uint8Array(BALLAST_BYTES));
      const filled = await fillDisk(plan);
      rmSync(ballast);
      await checkRecovered(plan, filled);
      rmSync(plan.directory, { recursive: true });
      console.log(`${filled.acknowledged} batches`);
    }
    break;
  }
  case "fill": {
    const filled: FilledDisk[] = [];
    for (const index of ways.keys()) filled.push(await fillDisk(planOf(index, large)));
    console.log(JSON.stringify(filled));
    break;
  }
  case "recover": {
    const filled = JSON.parse(filledText!) as FilledDisk[];
    for (const index of ways.keys()) await checkRecovered(planOf(index, large), filled[index]!);
    console.log("recovered");
    break;
  }
  case "short": {
    const fileSystem = defaultFileSystem();
    const handle = fileSystem.createSync(join(parent, "large"));
    const bytes = new Uint8Array(8 * 1024 * 1024).fill(7);
    const isFull = (error: unknown): boolean => {
      assert.ok(error instanceof IoError, String(error));
      assert.deepEqual([error.operation, error.osCode], ["write", code]);
      assert.equal(error.path, join(parent, "large"));
      return true;
    };
    const count = firstWrite(handle, bytes, isFull);
    assert.ok(count > 0 && count < bytes.length, `a write of ${bytes.length} took ${count}`);
    assert.equal(handle.sizeSync(), count);
    assert.throws(() => handle.writeSync(bytes, count, bytes.length - count, count), isFull);
    assert.throws(() => writeFullySync(handle, bytes, 0, bytes.length, 0), isFull);
    handle.closeSync();
    fileSystem.removeSync(join(parent, "large"));
    console.log(`${count} bytes`);
    break;
  }
}
