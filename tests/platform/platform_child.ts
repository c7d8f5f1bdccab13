/**
 * What the platform tests run in child processes, on every runtime and under Deno with no
 * permission beyond one directory. The first argument names the act, the second the directory; the
 * outcome goes to stdout, one line each. It uses only console.log and stdin besides the adapter
 * under test.
 */

import process from "node:process";
import { IoError, LockedError } from "../../src/errors.ts";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";
import { readFully, readWholeFileSync, writeFullySync } from "../../src/platform/transfer.ts";

const fileSystem = defaultFileSystem();
const act = process.argv[2]!;
const directory = process.argv[3]!;
const at = (name: string): string => fileSystem.joinPath(directory, name);

switch (act) {
  case "modes": {
    fileSystem.makeDirectorySync(at("parent/child"));
    fileSystem.createSync(at("file")).closeSync();
    fileSystem.lockSync(directory);
    console.log("held");
    break;
  }
  case "try": {
    console.log(attempt());
    break;
  }
  case "hold": {
    const outcome = attempt();
    // The lock must not go with the garbage, although nobody here refers to it any more.
    for (let i = 0; i < 200; i++) new Uint8Array(1 << 20).fill(i);
    (globalThis as { Bun?: { gc(full: boolean): void } }).Bun?.gc(true);
    console.log(outcome);
    process.stdin.resume();
    break;
  }
  case "race": {
    for (let won = 0; won < Number(process.argv[4]); won++) {
      let lock;
      while (lock === undefined) {
        try {
          lock = fileSystem.lockSync(directory);
        } catch (error) {
          if (!(error instanceof LockedError)) throw error;
        }
      }
      // Only one may be here: the marker is exclusive and the count is read, then written.
      const marker = fileSystem.createSync(at("inside"));
      const count = Number(new TextDecoder().decode(readWholeFileSync(fileSystem, at("count"), 9)));
      const text = new TextEncoder().encode(String(count + 1));
      writeFullySync(marker, text, 0, text.length, 0);
      marker.closeSync();
      fileSystem.renameSync(at("inside"), at("count"));
      lock.releaseSync();
    }
    console.log("done");
    break;
  }
  case "everything": {
    const store = fileSystem.resolvePath(at("store"));
    const file = fileSystem.joinPath(store, "file");
    const renamed = fileSystem.joinPath(store, "renamed");
    fileSystem.makeDirectorySync(store);
    const lock = fileSystem.lockSync(store);
    try {
      fileSystem.lockSync(store);
      console.log("locked twice");
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
    }
    const handle = fileSystem.createSync(file);
    writeFullySync(handle, Uint8Array.of(1, 2, 3), 0, 3, 0);
    handle.syncSync();
    await handle.sync?.();
    const into = new Uint8Array(3);
    await readFully(handle, into, 0, 3, 0);
    handle.closeSync();
    fileSystem.renameSync(file, renamed);
    fileSystem.syncDirectorySync(store);
    await fileSystem.syncDirectory?.(store);
    const whole = readWholeFileSync(fileSystem, renamed, 3);
    console.log(`${into.join()} ${whole.join()} ${fileSystem.listSync(store).sort().join()}`);
    fileSystem.removeSync(renamed);
    lock.releaseSync();
    console.log(fileSystem.listSync(store).join());
    try {
      fileSystem.openReadSync("/etc/hostname").closeSync();
      console.log("read outside");
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      console.log(`${error.osCode} ${error.message}`);
    }
    break;
  }
}

/** Takes the lock and keeps it; answers "held" or why not. */
function attempt(): string {
  try {
    fileSystem.lockSync(directory);
    return "held";
  } catch (error) {
    if (error instanceof LockedError) return error.holder;
    throw error;
  }
}
