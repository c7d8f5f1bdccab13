// A store's directory in which somebody has put links, pipes and folders in the place of the
// store's files: they are refused or replaced, and what they point to is neither read nor changed.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { CorruptionError, IoError, open, openSync, StoreError } from "../../mod.ts";
import { crc32 } from "../../src/bytes/crc32.ts";
import { runtimeCommand, thisRuntime } from "../support/runtimes.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary.ts";

interface Planted {
  readonly directory: TemporaryDirectory;
  /** The store's directory. */
  readonly store: string;
  /** A folder beside it, to which nothing of the store may reach. */
  readonly outside: string;
}

/** A store with a table and a log on disk, as a kill leaves it. */
async function killedStore(): Promise<Planted> {
  const directory = temporaryDirectory("planted");
  const living = path.join(directory.path, "living");
  const store = path.join(directory.path, "store");
  const outside = path.join(directory.path, "outside");
  fs.mkdirSync(outside);
  const made = await open(living);
  await made.put("in a table", 1);
  await made.flush();
  await made.put("in the log", 2);
  fs.mkdirSync(store);
  for (const name of fs.readdirSync(living)) {
    if (name.startsWith("LOCK")) continue;
    fs.writeFileSync(path.join(store, name), fs.readFileSync(path.join(living, name)));
  }
  await made.close();
  return { directory, store, outside };
}

/** What is in a folder: names and contents of regular files. */
function contentsOf(folder: string): Record<string, string> {
  const entries = fs.readdirSync(folder).sort().map((name) => {
    const file = path.join(folder, name);
    const kind = fs.lstatSync(file);
    return [name, kind.isFile() ? fs.readFileSync(file).toString("base64") : `${kind.mode}`];
  });
  return Object.fromEntries(entries);
}

const isPlantable = process.platform !== "win32";

/** What may lie in the place of a file. */
const kinds: Readonly<Record<string, (file: string, outside: string) => void>> = {
  "a link to the file's own content outside": (file, outside) => {
    const target = path.join(outside, "content");
    fs.renameSync(file, target);
    fs.symlinkSync(target, file);
  },
  "a dangling link": (file, outside) => {
    fs.unlinkSync(file);
    fs.symlinkSync(path.join(outside, "not yet there"), file);
  },
  "a folder": (file) => {
    fs.unlinkSync(file);
    fs.mkdirSync(file);
  },
  "a named pipe": (file) => {
    fs.unlinkSync(file);
    execFileSync("mkfifo", [file]);
  },
};

for (const pattern of [/^CURRENT$/, /^MANIFEST-/, /\.sst$/, /\.wal$/]) {
  test(`A special file in the place of ${pattern.source} is refused by name and stays`, async () => {
    if (!isPlantable) return assert.ok(true, "Windows makes no such files");
    for (const [kind, plant] of Object.entries(kinds)) {
      const { directory, store, outside } = await killedStore();
      try {
        const name = fs.readdirSync(store).find((found) => pattern.test(found))!;
        const file = path.join(store, name);
        plant(file, outside);
        const before = contentsOf(outside);
        await assert.rejects(
          async () => {
            // A table is opened when it is read.
            const opened = await open(store);
            try {
              await opened.get("in a table");
            } finally {
              await opened.close();
            }
          },
          (error) => {
            const where = `${name} as ${kind}: ${error}`;
            assert.ok(error instanceof IoError || error instanceof CorruptionError, where);
            const named = error instanceof IoError ? error.path : error.file;
            assert.equal(named, file, where);
            return true;
          },
          `${name} as ${kind}`,
        );
        assert.deepEqual(contentsOf(outside), before, `${name} as ${kind}`);
        assert.equal(fs.lstatSync(file).isFile(), false, `${name} as ${kind}`);
      } finally {
        directory.dispose();
      }
    }
  });
}

test("Links that were planted under future names are removed or refused, never written through", async () => {
  if (!isPlantable) return assert.ok(true, "Windows makes no such files");
  for (const name of ["CURRENT.tmp", "LOCK.holder", "LOCK.holder.tmp", "LOCK"]) {
    const { directory, store, outside } = await killedStore();
    try {
      const target = path.join(outside, "victim");
      fs.writeFileSync(target, "untouched");
      fs.symlinkSync(target, path.join(store, name));
      try {
        const opened = await open(store);
        await opened.put("more", 1);
        await opened.close();
        assert.equal(fs.lstatSync(path.join(store, "LOCK")).isFile(), true);
      } catch (error) {
        // LOCK itself is what SQLite would open: it is refused.
        assert.ok(error instanceof StoreError && name === "LOCK", `${name}: ${error}`);
      }
      assert.deepEqual(fs.readdirSync(outside), ["victim"], name);
      assert.equal(fs.readFileSync(target, "utf8"), "untouched", name);
    } finally {
      directory.dispose();
    }
  }
});

test("Links under the next numbers of files are refused, never written through", async () => {
  if (!isPlantable) return assert.ok(true, "Windows makes no such files");
  const { directory, store, outside } = await killedStore();
  try {
    const opened = await open(store);
    await opened.put("before", 1);
    const target = path.join(outside, "victim");
    // While the store is open: its next table, log and manifest, whichever comes first.
    for (let number = 1; number < 600; number++) {
      const digits = String(number).padStart(6, "0");
      for (const name of [`${digits}.sst`, `${digits}.wal`, `MANIFEST-${digits}`]) {
        const file = path.join(store, name);
        if (!fs.existsSync(file)) fs.symlinkSync(target, file);
      }
    }
    await assert.rejects(async () => {
      await opened.flush();
      await opened.put("after", 1);
      await opened.flush();
    }, { code: "BACKGROUND" });
    assert.equal(await opened.get("before"), 1);
    await opened.close().catch((error: unknown) => assert.ok(error instanceof StoreError));
    assert.deepEqual(fs.readdirSync(outside), []);
  } finally {
    directory.dispose();
  }
});

test("A store whose directory is itself a link opens, and excludes the other name of it", async () => {
  if (!isPlantable) return assert.ok(true, "Windows makes no such files");
  const { directory, store } = await killedStore();
  try {
    const link = path.join(directory.path, "link");
    fs.symlinkSync(store, link);
    const opened = await open(link);
    assert.equal(await opened.get("in the log"), 2);
    await assert.rejects(open(store), { code: "LOCKED" });
    assert.throws(() => openSync(path.join(store, "..", "store")), { code: "LOCKED" });
    await opened.close();
  } finally {
    directory.dispose();
  }
});

test("CURRENT with a path in it is damage, even with a valid checksum, and leads nowhere", async () => {
  const { directory, store, outside } = await killedStore();
  try {
    const current = path.join(store, "CURRENT");
    const manifest = fs.readdirSync(store).find((name) => name.startsWith("MANIFEST-"))!;
    fs.writeFileSync(path.join(outside, manifest), fs.readFileSync(path.join(store, manifest)));
    const whole = fs.readFileSync(current, "utf8");
    const separators = ["../outside/", "./", "..\\outside\\", `${outside}/`, "a/../", "%2e%2e/"];
    for (const separator of separators) {
      const text = whole.replace(manifest, `${separator}${manifest}`).replace(/ crc32=.*\n$/, "");
      const bytes = new TextEncoder().encode(text);
      const crc = crc32(bytes, new DataView(bytes.buffer), 0, bytes.length);
      fs.writeFileSync(current, `${text} crc32=${crc.toString(16).padStart(8, "0")}\n`);
      await assert.rejects(open(store), { code: "CORRUPTION", file: current }, separator);
    }
    fs.writeFileSync(current, whole);
    const opened = await open(store);
    assert.equal(await opened.get("in the log"), 2);
    await opened.close();
  } finally {
    directory.dispose();
  }
});

const child = fileURLToPath(new URL("special_files_child.ts", import.meta.url));

for (const name of thisRuntime) {
  test(`Under ${name} no file of a store leads out of its directory by a link`, async () => {
    if (!isPlantable) return assert.ok(true, "Windows makes no such files");
    for (const pattern of [/^CURRENT$/, /^MANIFEST-/, /\.sst$/, /\.wal$/]) {
      const { directory, store, outside } = await killedStore();
      try {
        const file = fs.readdirSync(store).find((found) => pattern.test(found))!;
        const target = path.join(outside, file);
        fs.renameSync(path.join(store, file), target);
        fs.symlinkSync(target, path.join(store, file));
        const permissions = [`--allow-read=${store}`, `--allow-write=${store}`];
        const { command, args } = runtimeCommand(name, child, [store], permissions);
        const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
        assert.equal(status, 0, stderr);
        assert.match(stdout, /^refused (IO|CORRUPTION)\n$/, `${file}: ${stdout}`);
        assert.ok(fs.statSync(target).size > 0, file);
      } finally {
        directory.dispose();
      }
    }
  });
}
