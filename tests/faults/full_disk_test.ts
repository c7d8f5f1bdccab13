/**
 * A disk that fills up while a store is written to. The write that does not fit fails with a typed
 * error that names ENOSPC, nothing hangs, reads go on, and `close` reports. With room again the
 * store is opened, everything that was acknowledged is there, and writes work (full_disk.ts).
 *
 * The disk is a quota in memory, at many sizes, and a real one in a child process: a tmpfs of 1 MiB
 * in its own mount namespace if that is allowed (Linux, root), else a limit on the size of files
 * (`ulimit -f`, EFBIG). The limit is tried everywhere, too. `TINYKVS_TEST_SCALE` multiplies the
 * sizes of quotas that are tried; `TINYKVS_QUOTA=bytes` tries one only.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { memoryFileSystem, type WalSync } from "../../mod.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { quotaFileSystem } from "../support/quota_file_system.ts";
import { Random } from "../support/random.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { checkRecovered, fillDisk } from "./full_disk.ts";

const child = fileURLToPath(new URL("full_disk_child.ts", import.meta.url));
const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? 1);
const onlyQuota = process.env["TINYKVS_QUOTA"];
const DIRECTORY = "/full";

/** Sizes from just enough for an empty store to dozens of tables. */
function quotas(): number[] {
  if (onlyQuota !== undefined) return [Number(onlyQuota)];
  const random = new Random(4);
  return Array.from({ length: Math.max(1, Math.round(24 * scale)) }, (_, index) => {
    return 400 + Math.round(200_000 * (index / 24 % 1) ** 3) + random.below(4000);
  });
}

for (const walSync of ["none", "interval", "batch", "write"] as const) {
  for (const isSync of [false, true]) {
    const how = `${isSync ? "synchronous " : ""}writes with walSync ${walSync}`;
    test(`A quota that fills up under ${how} loses nothing and is reported`, async () => {
      for (const quota of quotas()) await tryQuota(quota, walSync, isSync);
    });
  }
}

async function tryQuota(quota: number, walSync: WalSync, isSync: boolean): Promise<void> {
  const fileSystem = quotaFileSystem(memoryFileSystem(), quota);
  const plan = {
    directory: DIRECTORY,
    options: {
      fileSystem,
      walSync,
      memtableSizeBytes: 8192,
      blockSizeBytes: 1024,
      l0CompactionTrigger: 2,
    },
    isSync,
    code: "ENOSPC",
  };
  try {
    const filled = await fillDisk(plan);
    assert.ok(fileSystem.usedBytes <= quota);
    fileSystem.quotaBytes = Infinity;
    await checkRecovered(plan, filled);
  } catch (error) {
    throw new Error(
      `with a quota of ${quota} bytes, walSync ${walSync}: ${(error as Error).message}\n` +
        `repeat: TINYKVS_QUOTA=${quota} npm test -- --runtime ${runtimeName} ` +
        `--filter faults/full_disk`,
      { cause: error },
    );
  }
}

/** Runs a shell script with "$@" as a command line of the child. */
function shell(script: string, act: string, directory: string, ...rest: string[]): string {
  const { command, args } = runtimeCommand(runtimeName, child, [act, directory, ...rest]);
  const result = spawnSync("bash", ["-c", script, "bash", command, ...args], {
    encoding: "utf8",
    timeout: 600_000,
  });
  assert.equal(result.status, 0, `${act}: ${result.signal} ${result.stderr}${result.stdout}`);
  return result.stdout.trimEnd();
}

/** A limit of 256 KiB on every file; the signal that comes with it is ignored. */
const LIMIT = `trap '' XFSZ; ulimit -f 256; exec "$@"`;

/** Fills a disk by the limit on files; the process that recovers has no limit. */
function exerciseLimit(directory: string): void {
  assert.match(shell(LIMIT, "short", directory, "EFBIG"), /^262144 bytes$/);
  const filled = shell(LIMIT, "fill", directory, "EFBIG");
  assert.equal(shell(`exec "$@"`, "recover", directory, "EFBIG", filled), "recovered");
}

/**
 * What begins a script that sees a small tmpfs at "$0". Nobody else sees it, and it goes with the
 * shell.
 */
const MOUNT = `mount -t tmpfs -o size=1m,mode=700 tmpfs "$0"`;

function inMountNamespace(directory: string, script: string, args: string[] = []): {
  status: number | null;
  text: string;
} {
  const all = ["--mount", "bash", "-c", `${MOUNT} && ${script}`, directory, ...args];
  const result = spawnSync("unshare", all, { encoding: "utf8", timeout: 600_000 });
  return { status: result.status, text: `${result.stdout ?? ""}${result.stderr ?? ""}` };
}

test("A real disk that fills up loses nothing that was acknowledged, and is reported", () => {
  const { path, dispose } = temporaryDirectory("full");
  try {
    if (inMountNamespace(path, "true").status !== 0) {
      exerciseLimit(path);
      return;
    }
    for (const act of ["short", "all"]) {
      const { command, args } = runtimeCommand(runtimeName, child, [act, path, "ENOSPC"]);
      const { status, text } = inMountNamespace(path, `exec "$@"`, [command, ...args]);
      assert.equal(status, 0, `${act}: ${text}`);
      assert.match(text, act === "short" ? /^\d+ bytes\n$/ : /^(?:[1-9]\d* batches\n){4}$/);
    }
  } finally {
    dispose();
  }
});

test("A limit on the size of files is reported as a full disk is", () => {
  const { path, dispose } = temporaryDirectory("limit");
  try {
    exerciseLimit(path);
  } finally {
    dispose();
  }
});
