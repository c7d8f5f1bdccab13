/** The disk adapter of the runtime that runs the tests. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { bunFileSystem } from "../../src/platform/bun_file_system.ts";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";
import { denoFileSystem } from "../../src/platform/deno_file_system.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { nodeFileSystem } from "../../src/platform/node_file_system.ts";
import { restrictedFileSystem } from "../../src/platform/restricted_file_system.ts";
import { fileSystemContract } from "../contracts/file_system_contract.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const child = fileURLToPath(new URL("./platform_child.ts", import.meta.url));

fileSystemContract("disk", () => {
  const { path, dispose } = temporaryDirectory("contract");
  return { fileSystem: defaultFileSystem(), directory: path, dispose };
});

fileSystemContract("disk without fsync of descriptors", () => {
  const { path, dispose } = temporaryDirectory("contract");
  // It is Node's: Deno removes empty directories as files, which its own adapter puts right.
  const fileSystem = runtimeName === "deno" ? defaultFileSystem() : restrictedFileSystem();
  return { fileSystem, directory: path, dispose };
});

test("defaultFileSystem picks the adapter of the runtime", () => {
  assert.equal(defaultFileSystem().name, runtimeName);
  const names = [nodeFileSystem(), denoFileSystem(), bunFileSystem()].map(({ name }) => name);
  assert.deepEqual(names, ["node", "deno", "bun"]);
});

test("disk file system refuses links, pipes and sockets, and says what they are", async () => {
  const { path, dispose } = temporaryDirectory("special");
  const fileSystem = defaultFileSystem();
  const server = createServer();
  try {
    fileSystem.createSync(join(path, "target")).closeSync();
    fs.symlinkSync(join(path, "target"), join(path, "link"));
    fs.symlinkSync(join(path, "nothing"), join(path, "dangling"));
    execFileSync("mkfifo", [join(path, "pipe")]);
    await new Promise<void>((resolve) => server.listen(join(path, "socket"), resolve));
    const kinds = {
      link: "a symbolic link",
      dangling: "a symbolic link",
      pipe: "a named pipe",
      socket: "a socket",
    };
    for (const [name, kind] of Object.entries(kinds)) {
      const file = join(path, name);
      assert.deepEqual(fileSystem.statSync(file), { kind: "other", sizeBytes: 0 });
      assert.throws(() => fileSystem.openReadSync(file), {
        name: "IoError",
        operation: "open",
        path: file,
        message: `Cannot open "${file}": it is ${kind}, expected a regular file`,
      });
      assert.throws(() => fileSystem.createSync(file), { operation: "create", osCode: "EEXIST" });
    }
    assert.equal(fs.existsSync(join(path, "nothing")), false);
  } finally {
    await new Promise((resolve) => server.close(resolve));
    dispose();
  }
});

test("disk file system closes the descriptor once the last call in flight is done", async () => {
  const { path, dispose } = temporaryDirectory("descriptors");
  try {
    const openCount = (file: string): number =>
      fs.readdirSync("/proc/self/fd").filter((name) => linkTarget(name) === file).length;
    const file = join(path, "file");
    const handle = defaultFileSystem().createSync(file);
    const calls = [handle.sync!(), handle.sync!()];
    handle.closeSync();
    assert.ok(openCount(file) >= 1, "the descriptor was closed under calls in flight");
    await Promise.all(calls);
    assert.equal(openCount(file), 0);
  } finally {
    dispose();
  }
});

function linkTarget(descriptor: string): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // The descriptor that listed the directory is gone by now.
    return "";
  }
}

for (const umask of ["000", "022"]) {
  test(`disk file system makes files 0600 and directories 0700 under umask ${umask}`, () => {
    const { path, dispose } = temporaryDirectory("modes");
    try {
      const { command, args } = runtimeCommand(runtimeName, child, ["modes", path]);
      const shell = ["-c", `umask ${umask}; exec "$@"`, "sh", command, ...args];
      assert.equal(execFileSync("sh", shell, { encoding: "utf8" }), "held\n");
      const mode = (name: string): string =>
        (fs.lstatSync(join(path, name)).mode & 0o777).toString(8);
      assert.deepEqual(
        ["parent", "parent/child", "file", "LOCK", "LOCK.holder"].map(mode),
        ["700", "700", "600", "600", "600"],
      );
    } finally {
      dispose();
    }
  });
}

test("disk file system removes large files, and frees them without a turn of the event loop", () => {
  const { path, dispose } = temporaryDirectory("large");
  try {
    const fileSystem = defaultFileSystem();
    const openCount = (): number => fs.readdirSync("/proc/self/fd").length;
    const before = openCount();
    const content = new Uint8Array(1024 * 1024);
    for (let i = 0; i < 200; i++) {
      const file = join(path, String(i));
      const handle = fileSystem.createSync(file);
      handle.writeSync(content, 0, content.length, 0);
      handle.closeSync();
      fileSystem.removeSync(file);
      assert.equal(fs.existsSync(file), false);
      assert.throws(() => fileSystem.removeSync(file), { operation: "remove", osCode: "ENOENT" });
    }
    // Some are being closed at the moment; to look takes a few dozen microseconds.
    for (let looks = 0; looks < 100_000 && openCount() > before; looks++);
    assert.equal(openCount(), before);
  } finally {
    dispose();
  }
});

test("disk file system leaves the modes of existing files alone", () => {
  const { path, dispose } = temporaryDirectory("existing");
  try {
    fs.chmodSync(path, 0o755);
    fs.writeFileSync(join(path, "file"), "", { mode: 0o644 });
    fs.chmodSync(join(path, "file"), 0o644);
    const fileSystem = defaultFileSystem();
    fileSystem.makeDirectorySync(path);
    fileSystem.openReadSync(join(path, "file")).closeSync();
    fileSystem.lockSync(path).releaseSync();
    assert.equal(fs.statSync(path).mode & 0o777, 0o755);
    assert.equal(fs.statSync(join(path, "file")).mode & 0o777, 0o644);
  } finally {
    dispose();
  }
});

test("disk file system tries for ever to make a directory whose parent takes none", () => {
  const fileSystem = defaultFileSystem();
  if (!fs.existsSync("/proc/self")) return assert.ok(true, "there is no such parent here");
  assert.throws(() => fileSystem.makeDirectorySync("/proc/missing/store"), {
    name: "IoError",
    operation: "make directory",
    osCode: "ENOENT",
  });
});

test("disk file system needs only read and write of its directory under Deno", () => {
  const { path, dispose } = temporaryDirectory("permissions");
  try {
    const { command, args } = runtimeCommand("deno", child, ["everything", path], [
      `--allow-read=${path}`,
      `--allow-write=${path}`,
    ]);
    const output = execFileSync(command, args, { encoding: "utf8" });
    assert.deepEqual(output.split("\n").slice(0, -1), [
      "1,2,3 1,2,3 LOCK,LOCK.holder,renamed",
      "LOCK",
      'undefined Cannot open "/etc/hostname": Requires read access to "/etc/hostname", ' +
      "run again with the --allow-read flag",
    ]);
  } finally {
    dispose();
  }
});
