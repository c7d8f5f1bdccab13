/**
 * The fault file system does what the head of fault_file_system.ts says: short scripts, one rule
 * each.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileHandle } from "../../src/platform/file_system.ts";
import { readWholeFileSync, writeFullySync } from "../../src/platform/transfer.ts";
import { type CrashKind, FaultFileSystem, type Operation } from "../support/fault_file_system.ts";
import { FaultScheduler, UnsettledError } from "../support/fault_scheduler.ts";

/** A file system with the durable, empty directory "/d". */
function made(queue?: FaultScheduler): FaultFileSystem {
  const fileSystem = new FaultFileSystem(1, queue);
  fileSystem.makeDirectorySync("/d");
  fileSystem.syncDirectorySync("/");
  return fileSystem;
}

function append(handle: FileHandle, text: string): void {
  const bytes = new TextEncoder().encode(text);
  writeFullySync(handle, bytes, 0, bytes.length, handle.sizeSync());
}

/** Name and content of every file in "/d", or undefined if that is gone. */
function shown(fileSystem: FaultFileSystem): Record<string, string> | undefined {
  if (fileSystem.statSync("/d") === undefined) return undefined;
  const files: Record<string, string> = {};
  for (const name of fileSystem.listSync("/d").sort()) {
    files[name] = new TextDecoder().decode(readWholeFileSync(fileSystem, `/d/${name}`, 2 ** 20));
  }
  return files;
}

function after(
  fileSystem: FaultFileSystem,
  kind: CrashKind,
  seed = 1,
): Record<string, string> | undefined {
  return shown(fileSystem.crash(kind, seed).build(1));
}

/** Every state that `kind` leaves with the first seeds, as JSON, sorted. */
function outcomes(fileSystem: FaultFileSystem, kind: CrashKind): string[] {
  const found = new Set<string>();
  for (let seed = 0; seed < 300; seed++) found.add(JSON.stringify(after(fileSystem, kind, seed)));
  return [...found].sort();
}

test("A strict crash keeps synced content under synced names and nothing else", () => {
  const fileSystem = made();
  const handle = fileSystem.createSync("/d/a");
  append(handle, "one");
  assert.deepEqual(after(fileSystem, "strict"), {});
  handle.syncSync();
  assert.deepEqual(after(fileSystem, "strict"), {}, "a file's sync does not cover its name");
  fileSystem.syncDirectorySync("/d");
  assert.deepEqual(after(fileSystem, "strict"), { a: "one" });
  append(handle, "two");
  assert.deepEqual(after(fileSystem, "strict"), { a: "one" });
  assert.deepEqual(after(fileSystem, "all"), { a: "onetwo" });
  fileSystem.createSync("/d/b");
  fileSystem.syncDirectorySync("/d");
  assert.deepEqual(after(fileSystem, "strict"), { a: "one", b: "" }, "nor the other way round");
});

test("A strict crash loses a directory whose own name was not synced", () => {
  const fileSystem = new FaultFileSystem(1);
  fileSystem.makeDirectorySync("/d");
  fileSystem.createSync("/d/a");
  fileSystem.syncDirectorySync("/d");
  assert.equal(after(fileSystem, "strict"), undefined);
});

test("A killed process leaves everything visible and still pending", () => {
  const fileSystem = made();
  const handle = fileSystem.createSync("/d/a");
  append(handle, "one");
  const killed = fileSystem.crash("process", 1).build(1);
  assert.deepEqual(shown(killed), { a: "one" });
  assert.deepEqual(after(killed, "strict"), {});
  killed.syncDirectorySync("/d");
  assert.deepEqual(after(killed, "strict"), { a: "" });
});

test("States of a crash are independent of what happens later, here and in each other", () => {
  const fileSystem = made();
  const handle = fileSystem.createSync("/d/a");
  append(handle, "one");
  const image = fileSystem.crash("process", 1);
  append(handle, "two");
  const first = image.build(1);
  first.renameSync("/d/a", "/d/b");
  append(first.createSync("/d/a"), "other");
  assert.deepEqual(shown(image.build(2)), { a: "one" });
  assert.deepEqual(shown(first), { a: "other", b: "one" });
  assert.deepEqual(shown(fileSystem), { a: "onetwo" });
});

test("Equal states have equal keys, and others differ", () => {
  const fileSystem = made();
  const handle = fileSystem.createSync("/d/a");
  const key = (kind: CrashKind): string => fileSystem.crash(kind, 1).key;
  append(handle, "one");
  assert.notEqual(key("strict"), key("all"));
  assert.notEqual(key("process"), key("all"));
  handle.syncSync();
  fileSystem.syncDirectorySync("/d");
  const synced = key("strict");
  assert.equal(key("all"), synced);
  append(handle, "two");
  assert.equal(key("strict"), synced);
  fileSystem.renameSync("/d/a", "/d/b");
  fileSystem.syncDirectorySync("/d");
  assert.notEqual(key("strict"), synced, "a name is part of the state");
});

test("A prefix crash cuts the last write at any byte and leaves no hole", () => {
  const fileSystem = made();
  const handle = fileSystem.createSync("/d/a");
  fileSystem.syncDirectorySync("/d");
  append(handle, "abc");
  append(handle, "def");
  const expected = ["", "a", "ab", "abc", "abcd", "abcde", "abcdef"];
  assert.deepEqual(
    outcomes(fileSystem, "prefix"),
    expected.map((a) => JSON.stringify({ a })).sort(),
  );
});

test("A sector crash drops sectors by themselves and never durable bytes", () => {
  const fileSystem = made();
  const handle = fileSystem.createSync("/d/a");
  fileSystem.syncDirectorySync("/d");
  append(handle, "x".repeat(600));
  handle.syncSync();
  append(handle, "y".repeat(2000));
  let hasHole = false;
  for (let seed = 0; seed < 200; seed++) {
    const { a } = after(fileSystem, "sector-512", seed)!;
    assert.ok(a!.length >= 600 && a!.startsWith("x".repeat(600)), `seed ${seed}`);
    hasHole ||= /y\0+y/.test(a!);
  }
  assert.ok(hasHole, "no state had a dropped sector between two kept ones");
});

test("A size-first crash shows the new size with zeros in it", () => {
  const fileSystem = made();
  const handle = fileSystem.createSync("/d/a");
  append(handle, "one");
  handle.syncSync();
  fileSystem.syncDirectorySync("/d");
  append(handle, "two");
  assert.deepEqual(after(fileSystem, "size-first"), { a: "one\0\0\0" });
});

test("A stale crash shows content of deleted files in new blocks of a file, and nowhere else", () => {
  const fileSystem = made();
  const old = "o".repeat(500) + "p".repeat(500);
  append(fileSystem.createSync("/d/old"), old);
  const handle = fileSystem.createSync("/d/a");
  append(handle, "d".repeat(100));
  handle.syncSync();
  fileSystem.syncDirectorySync("/d");
  append(handle, "n".repeat(1000));
  const own = "d".repeat(100) + "n".repeat(412);
  const files = (): string[] =>
    outcomes(fileSystem, "stale").map((state) => (JSON.parse(state) as { a: string }).a);
  assert.deepEqual(files(), ["d".repeat(100) + "n".repeat(1000)], "nothing was deleted yet");
  fileSystem.removeSync("/d/old");
  assert.ok(files().every((file) => file.length === 1100 && file.startsWith(own)));
  assert.ok(files().some((file) => file.slice(512, 1000) === "p".repeat(488)), "at its own place");
  assert.ok(files().some((file) => file.slice(512, 1012) === "o".repeat(500)), "at another place");
});

test("A stale crash shows content that an earlier power loss removed, also under the same name", () => {
  const fileSystem = made();
  append(fileSystem.createSync("/d/a"), "lost");
  const crashed = fileSystem.crash("strict", 1).build(1);
  assert.deepEqual(shown(crashed), {});
  append(crashed.createSync("/d/a"), "next");
  assert.ok(outcomes(crashed, "stale").includes('{"a":"lost"}'));
});

test("A rename is atomic, and may be undone until the directory is synced", () => {
  const fileSystem = made();
  append(fileSystem.createSync("/d/a"), "old");
  append(fileSystem.createSync("/d/b"), "new");
  for (const name of ["a", "b"]) {
    const handle = fileSystem.openReadSync(`/d/${name}`);
    handle.syncSync();
    handle.closeSync();
  }
  fileSystem.syncDirectorySync("/d");
  fileSystem.renameSync("/d/b", "/d/a");
  for (const kind of ["prefix", "reorder"] as const) {
    assert.deepEqual(outcomes(fileSystem, kind), ['{"a":"new"}', '{"a":"old","b":"new"}'], kind);
  }
  fileSystem.syncDirectorySync("/d");
  assert.deepEqual(outcomes(fileSystem, "reorder"), ['{"a":"new"}']);
});

test("A reorder crash keeps a removal although it loses an earlier creation", () => {
  const fileSystem = made();
  fileSystem.createSync("/d/a");
  fileSystem.syncDirectorySync("/d");
  fileSystem.createSync("/d/b");
  fileSystem.removeSync("/d/a");
  assert.deepEqual(outcomes(fileSystem, "reorder"), [
    '{"a":"","b":""}',
    '{"a":""}',
    '{"b":""}',
    "{}",
  ]);
});

test("Names-late keeps content without names, names-early names without content", () => {
  const fileSystem = made();
  const old = fileSystem.createSync("/d/a");
  fileSystem.syncDirectorySync("/d");
  append(old, "one");
  append(fileSystem.createSync("/d/b"), "two");
  assert.deepEqual(after(fileSystem, "names-late"), { a: "one" });
  assert.deepEqual(after(fileSystem, "names-early"), { a: "", b: "" });
});

test("A removed file is read through its handle; opening it again is a violation", () => {
  const fileSystem = made();
  append(fileSystem.createSync("/d/a"), "one");
  const handle = fileSystem.openReadSync("/d/a");
  fileSystem.removeSync("/d/a");
  assert.equal(handle.readSync(new Uint8Array(1), 0, 1, 0), 1);
  assert.deepEqual(fileSystem.violations, []);
  assert.throws(() => fileSystem.openReadSync("/d/a"), { osCode: "ENOENT" });
  handle.closeSync();
  assert.throws(() => handle.readSync(new Uint8Array(1), 0, 1, 0), { osCode: "EBADF" });
  assert.equal(fileSystem.violations.length, 2);
});

test("Transfers fall short at random, and a lock holds within one file system only", () => {
  const fileSystem = made();
  const handle = fileSystem.createSync("/d/a");
  const counts = new Set<number>();
  for (let i = 0; i < 50; i++) counts.add(handle.writeSync(new Uint8Array(100), 0, 100, 0));
  assert.ok(counts.has(100) && counts.size > 3);
  const lock = fileSystem.lockSync("/d");
  assert.throws(() => fileSystem.lockSync("/d"), { code: "LOCKED" });
  fileSystem.crash("process", 1).build(1).lockSync("/d");
  lock.releaseSync();
  fileSystem.lockSync("/d");
});

test("An asynchronous sync covers what was written before the call, when the queue says so", async () => {
  const scheduler = new FaultScheduler(1);
  const fileSystem = made(scheduler);
  const handle = fileSystem.createSync("/d/a");
  fileSystem.syncDirectorySync("/d");
  append(handle, "one");
  const phases: string[] = [];
  fileSystem.onOperation = ({ operation, phase }) => {
    if (operation !== "sync") return;
    phases.push(`${phase} ${after(fileSystem, "strict")?.["a"]}`);
  };
  const sync = handle.sync!();
  append(handle, "two");
  handle.closeSync();
  assert.equal(fileSystem.openHandles, 1, "a call is in flight");
  await scheduler.drive(sync);
  assert.deepEqual(phases, ["before ", "after one", "settle one"]);
  assert.equal(fileSystem.openHandles, 0);
});

test("A call that nothing can settle is noticed", async () => {
  const scheduler = new FaultScheduler(1);
  await assert.rejects(scheduler.drive(new Promise(() => {})), UnsettledError);
});

test("Faults strike before, after or in the middle of an effect", () => {
  const fileSystem = made();
  const handle = fileSystem.createSync("/d/a");
  fileSystem.syncDirectorySync("/d");
  let seen: Operation | undefined;
  const fail = (mode: "before" | "after" | "short" | "partial" | "drop" | "revert"): void => {
    fileSystem.faultFor = (operation) => {
      seen = operation;
      fileSystem.faultFor = undefined;
      return { mode, code: "EIO" };
    };
  };
  const bytes = new TextEncoder().encode("abcd");
  const error = { name: "IoError", osCode: "EIO", path: "/d/a" };
  fail("before");
  assert.throws(() => handle.writeSync(bytes, 0, 4, 0), error);
  assert.equal(handle.sizeSync(), 0);
  assert.equal(seen?.operation, "write");
  fail("short");
  assert.equal(handle.writeSync(bytes, 0, 4, 0), 2);
  fail("partial");
  assert.throws(() => handle.writeSync(bytes, 2, 2, 2), error);
  assert.deepEqual(after(fileSystem, "all"), { a: "abc" });
  fail("after");
  assert.throws(() => handle.syncSync(), error);
  assert.deepEqual(after(fileSystem, "strict"), { a: "abc" });
});

test("A sync that fails with drop never makes the bytes durable, and with revert shows the old ones", () => {
  for (const mode of ["drop", "revert"] as const) {
    const fileSystem = made();
    const handle = fileSystem.createSync("/d/a");
    fileSystem.syncDirectorySync("/d");
    append(handle, "one");
    handle.syncSync();
    append(handle, "two");
    fileSystem.faultFor = () => ({ mode, code: "EIO" });
    assert.throws(() => handle.syncSync(), { osCode: "EIO" });
    fileSystem.faultFor = undefined;
    assert.deepEqual(shown(fileSystem), { a: mode === "drop" ? "onetwo" : "one" });
    handle.syncSync();
    assert.deepEqual(after(fileSystem, "strict"), { a: "one" });
    append(handle, "three");
    handle.syncSync();
    const lost = mode === "drop" ? "\0\0\0" : "";
    assert.deepEqual(after(fileSystem, "strict"), { a: `one${lost}three` });
  }
});

test("A torn crash cuts the very last write at the given byte", () => {
  const fileSystem = made();
  append(fileSystem.createSync("/d/a"), "one");
  const handle = fileSystem.createSync("/d/b");
  let shortest = "";
  for (const part of ["ab", "cdef"]) append(handle, part);
  const whole = fileSystem.tornBytes;
  assert.ok(whole >= 1 && whole <= 4);
  for (let cut = 0; cut <= whole; cut++) {
    const { a, b } = after(fileSystem, "torn", cut)!;
    assert.equal(a, "one");
    assert.equal(b, "abcdef".slice(0, 6 - whole + cut));
    if (cut === 0) shortest = b!;
  }
  assert.equal(shortest.length, 6 - whole);
});

test("A write can be watched between its sectors", () => {
  const fileSystem = made();
  const handle = fileSystem.createSync("/d/a");
  fileSystem.syncDirectorySync("/d");
  const sizes: number[] = [];
  let count = 0;
  fileSystem.onOperation = ({ phase }) => {
    if (phase === "during") sizes.push(after(fileSystem, "process")!["a"]!.length);
  };
  while (count < 2000) count = handle.writeSync(new Uint8Array(2000), 0, 2000, 0);
  assert.ok(sizes.length >= 2 && sizes.every((size) => size % 512 === 0), String(sizes));
  fileSystem.onOperation = undefined;
  assert.equal(handle.sizeSync(), 2000);
});

test("Windows keeps names with the next sync of a file, and open files where they are", () => {
  const fileSystem = new FaultFileSystem(1, undefined, "windows");
  fileSystem.makeDirectorySync("/d");
  const handle = fileSystem.createSync("/d/a");
  append(handle, "one");
  fileSystem.syncDirectorySync("/d");
  assert.equal(after(fileSystem, "strict"), undefined, "a directory can't be synced");
  handle.syncSync();
  assert.deepEqual(after(fileSystem, "strict"), { a: "one" });
  const other = fileSystem.createSync("/d/b");
  assert.throws(() => fileSystem.removeSync("/d/a"), { osCode: "EBUSY" });
  other.closeSync();
  assert.throws(() => fileSystem.renameSync("/d/b", "/d/a"), { osCode: "EBUSY" });
  handle.closeSync();
  fileSystem.renameSync("/d/b", "/d/a");
  fileSystem.removeSync("/d/a");
  assert.deepEqual(after(fileSystem, "strict"), { a: "one" });
});
