/** The lock across processes of every pair of runtimes, across workers, and over bad files. */

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setImmediate } from "node:timers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { IoError, LockedError } from "../../src/errors.ts";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { runtimeCommand, runtimeNames, thisRuntime } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const child = fileURLToPath(new URL("./platform_child.ts", import.meta.url));

/** Runs the test's body on a fresh directory. */
async function onDirectory(body: (directory: string) => unknown): Promise<void> {
  const { path, dispose } = temporaryDirectory("lock");
  try {
    await body(path);
  } finally {
    dispose();
  }
}

/** Only the directory itself is allowed under Deno: the lock must not need more. */
function command(
  name: "node" | "deno" | "bun",
  directory: string,
  act: string,
  ...rest: string[]
): { command: string; args: string[] } {
  return runtimeCommand(name, child, [act, directory, ...rest], [
    `--allow-read=${directory}`,
    `--allow-write=${directory}`,
  ]);
}

function tryLock(name: "node" | "deno" | "bun", directory: string): string {
  const { command: file, args } = command(name, directory, "try");
  return execFileSync(file, args, { encoding: "utf8" }).trimEnd();
}

/** Runs `body` while a child of the runtime holds the lock, and kills the child at its end. */
async function whileHeldBy(
  name: "node" | "deno" | "bun",
  directory: string,
  body: (holder: ChildProcess) => void,
): Promise<void> {
  const { command: file, args } = command(name, directory, "hold");
  const holder = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(holder, "exit");
  try {
    const [data] = await once(holder.stdout!, "data") as [Uint8Array];
    assert.equal(new TextDecoder().decode(data), "held\n");
    body(holder);
  } finally {
    holder.kill("SIGKILL");
    await exit;
  }
}

for (const holding of thisRuntime) {
  for (const trying of runtimeNames) {
    test(`lock held by a ${holding} process keeps ${trying} out until the holder is killed`, () =>
      onDirectory(async (directory) => {
        await whileHeldBy(holding, directory, (holder) => {
          const told = tryLock(trying, directory);
          assert.ok(told.startsWith(`another handle (${holding} `), told);
          assert.ok(told.includes(`, pid ${holder.pid}, since `), told);
        });
        assert.equal(tryLock(trying, directory), "held");
      }));
  }
}

for (const holding of thisRuntime) {
  test(`lock of a ${holding} process is free for this one after the process ended`, () =>
    onDirectory(async (directory) => {
      await whileHeldBy(holding, directory, () => {
        assert.throws(() => defaultFileSystem().lockSync(directory), LockedError);
      });
      defaultFileSystem().lockSync(directory).releaseSync();
    }));
}

test("lock attempts that fail in this process leave the lock of this process alone", () =>
  onDirectory((directory) => {
    const lock = defaultFileSystem().lockSync(directory);
    for (let i = 0; i < 3; i++) {
      assert.throws(() => defaultFileSystem().lockSync(directory), LockedError);
    }
    for (const name of runtimeNames) {
      assert.ok(tryLock(name, directory).includes(`(${runtimeName} `), `${name} got in`);
    }
    lock.releaseSync();
    assert.equal(tryLock("node", directory), "held");
  }));

test("lock says that this process itself is the holder", () =>
  onDirectory((directory) => {
    const lock = defaultFileSystem().lockSync(directory);
    fs.symlinkSync(directory, `${directory}-link`);
    try {
      for (const path of [directory, `${directory}-link`]) {
        assert.throws(() => defaultFileSystem().lockSync(path), (error) => {
          assert.ok(error instanceof LockedError);
          assert.ok(error.holder.startsWith(`this process (${runtimeName} `), error.holder);
          assert.ok(error.holder.includes(`, pid ${process.pid}, since `), error.holder);
          return true;
        });
      }
    } finally {
      fs.unlinkSync(`${directory}-link`);
      lock.releaseSync();
    }
  }));

test("lock of 20 contending processes has one holder at a time", () =>
  onDirectory(async (directory) => {
    fs.writeFileSync(join(directory, "count"), "0");
    const rounds = 3;
    const contenders = Array.from({ length: 20 }, (_, index) => {
      const { command: file, args } = command(
        runtimeNames[index % 3]!,
        directory,
        "race",
        String(rounds),
      );
      return spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
    });
    const codes = await Promise.all(contenders.map(async (contender) => {
      contender.stdout.resume();
      return (await once(contender, "exit"))[0] as number;
    }));
    assert.deepEqual(codes, codes.map(() => 0));
    assert.equal(fs.readFileSync(join(directory, "count"), "utf8"), String(20 * rounds));
    assert.deepEqual(fs.readdirSync(directory).sort(), ["LOCK", "count"]);
  }));

/** Starts a worker that tries the lock; resolves with what it says. */
async function startWorker(directory: string): Promise<[Worker, string]> {
  const worker = new Worker(new URL("./lock_worker.ts", import.meta.url), {
    workerData: directory,
  });
  const [message] = await once(worker, "message") as [string];
  return [worker, message];
}

test("lock held by the main thread keeps a worker of the same process out", () =>
  onDirectory(async (directory) => {
    const lock = defaultFileSystem().lockSync(directory);
    const [worker, message] = await startWorker(directory);
    await worker.terminate();
    assert.match(message, /^this process, in another thread \(/);
    // The worker's failed attempt must not have dropped the process's lock.
    assert.match(tryLock("node", directory), /^another handle \(/);
    lock.releaseSync();
  }));

test("lock held by a worker keeps the main thread out until it is released", () =>
  onDirectory(async (directory) => {
    const [worker, message] = await startWorker(directory);
    assert.equal(message, "held");
    assert.throws(
      () => defaultFileSystem().lockSync(directory),
      /by this process, in another thread \(/,
    );
    assert.match(tryLock("node", directory), /^another handle \(/);
    const released = once(worker, "message");
    worker.postMessage("release");
    assert.deepEqual(await released, ["released"]);
    defaultFileSystem().lockSync(directory).releaseSync();
    await worker.terminate();
  }));

test("lock leaves an empty LOCK file and no holder's file behind", () =>
  onDirectory((directory) => {
    const lock = defaultFileSystem().lockSync(directory);
    assert.deepEqual(fs.readdirSync(directory).sort(), ["LOCK", "LOCK.holder"]);
    const holder = JSON.parse(fs.readFileSync(join(directory, "LOCK.holder"), "utf8"));
    assert.deepEqual(Object.keys(holder), [
      ...["runtime", "version", "pid", "token", "since"],
      ...["started", "pidNamespace", "boot", "machine", "directory", "lockFile"],
    ]);
    assert.match(holder.token, /^[0-9a-f]{32}$/);
    lock.releaseSync();
    assert.deepEqual(fs.readdirSync(directory), ["LOCK"]);
    assert.equal(fs.statSync(join(directory, "LOCK")).size, 0);
  }));

test("lock takes over the files that a killed holder left", () =>
  onDirectory((directory) => {
    fs.writeFileSync(join(directory, "LOCK"), "");
    fs.writeFileSync(join(directory, "LOCK.holder"), "old");
    fs.writeFileSync(join(directory, "LOCK.holder.tmp"), "older");
    const lock = defaultFileSystem().lockSync(directory);
    assert.equal(
      JSON.parse(fs.readFileSync(join(directory, "LOCK.holder"), "utf8")).pid,
      process.pid,
    );
    lock.releaseSync();
    assert.deepEqual(fs.readdirSync(directory), ["LOCK"]);
  }));

test("lock lets the event loop turn while it waits for a holder's answer", () =>
  onDirectory(async (directory) => {
    // Nobody can tell whose this is.
    fs.writeFileSync(join(directory, "LOCK.holder"), "{}");
    let turns = 0;
    let isOver = false;
    const turn = (): void => {
      turns++;
      if (!isOver) setImmediate(turn);
    };
    setImmediate(turn);
    const taking = defaultFileSystem().lock!(directory);
    assert.throws(() => defaultFileSystem().lockSync(directory), /by this process \(/);
    const lock = await taking;
    isOver = true;
    assert.ok(turns > 50, `${turns} turns`);
    lock.releaseSync();
  }));

test("lock that is held by another copy of the library in this process is not free", () =>
  onDirectory(async (directory) => {
    const path = "../../src/platform/directory_lock.ts?copy";
    const copy = await import(path) as typeof import("../../src/platform/directory_lock.ts");
    const lock = copy.lockDirectorySync(directory);
    assert.throws(() => defaultFileSystem().lockSync(directory), /by this process \(/);
    lock.releaseSync();
    defaultFileSystem().lockSync(directory).releaseSync();
  }));

test("lock is not lost by a new mode or a new link of its record", () =>
  onDirectory((directory) => {
    const record = join(directory, "LOCK.holder");
    const lock = defaultFileSystem().lockSync(directory);
    fs.chmodSync(record, 0o640);
    lock.verifySync();
    fs.linkSync(record, join(directory, "link"));
    lock.verifySync();
    lock.releaseSync();
    assert.deepEqual(fs.readdirSync(directory).sort(), ["LOCK", "link"]);
  }));

test("lock reports an unknown holder if the holder's file is damaged", () =>
  onDirectory(async (directory) => {
    await whileHeldBy("node", directory, () => damageHolder(directory));
  }));

function damageHolder(directory: string): void {
  const file = join(directory, "LOCK.holder");
  const intact = fs.readFileSync(file, "utf8");
  const escape = intact.replace(/"version":"[^"]*"/, '"version":"\\u001b[31m"');
  assert.notEqual(escape, intact);
  for (const damaged of ["", "{", "null", "[]", '{"pid":1}', escape, " ".repeat(5000) + intact]) {
    fs.writeFileSync(file, damaged);
    assertUnknownHolder(directory);
  }
  fs.unlinkSync(file);
  assertUnknownHolder(directory);
  fs.mkdirSync(file);
  assertUnknownHolder(directory);
}

function assertUnknownHolder(directory: string): void {
  assert.throws(() => defaultFileSystem().lockSync(directory), {
    name: "LockedError",
    path: directory,
    holder: "another handle (unknown)",
  });
}

const planted: Record<string, (path: string) => void> = {
  "a symbolic link": (path) => fs.symlinkSync("elsewhere", path),
  "a directory": (path) => fs.mkdirSync(path),
};
for (const [kind, plant] of Object.entries(planted)) {
  test(`lock refuses a LOCK that is ${kind}`, () =>
    onDirectory((directory) => {
      const path = join(directory, "LOCK");
      plant(path);
      assert.throws(() => defaultFileSystem().lockSync(directory), {
        name: "IoError",
        operation: "lock",
        path,
        message: `Cannot lock "${path}": it is ${kind}, expected a regular file`,
      });
      assert.deepEqual(fs.readdirSync(directory), ["LOCK"]);
    }));
}

test("lock refuses a LOCK with foreign content and leaves it as it is", () =>
  onDirectory((directory) => {
    const path = join(directory, "LOCK");
    fs.writeFileSync(path, "4711\n");
    assert.throws(() => defaultFileSystem().lockSync(directory), IoError);
    assert.equal(fs.readFileSync(path, "utf8"), "4711\n");
    fs.unlinkSync(path);
    defaultFileSystem().lockSync(directory).releaseSync();
  }));
