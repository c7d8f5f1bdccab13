/**
 * Guards how files are made: the library has no call that replaces, cuts or copies a whole file.
 * Such calls leave a mixture when they fail half-way, do not report short writes, or follow a link
 * that somebody planted. A file is created exclusively, written through a handle, synced, and gets
 * its final name by a rename. It also guards where regular expressions may be.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { filesUnder } from "../../scripts/source_files.ts";
import { blankNonCode, importsOf, lineOf, readSource } from "./source_text.ts";

/** Members that no code of the library may call, whatever object they are of. */
const BANNED = [
  ...["writeFile", "appendFile", "copyFile", "ftruncate"].flatMap((
    name,
  ) => [name, `${name}Sync`]),
  ...[
    "truncateSync",
    "cpSync",
    "createWriteStream",
    "writeTextFile",
    "writeTextFileSync",
    "writev",
    "writevSync",
  ],
  ...["chmod", "chmodSync", "fchmod", "fchmodSync", "rm", "rmSync", "rmdir", "rmdirSync"],
  ...["symlink", "symlinkSync", "DecompressionStream", "eval"],
];

/** Calls of banned names, and code made of text, in words. */
function bannedCalls(file: string, source: string): string[] {
  const code = blankNonCode(source);
  const found: string[] = [];
  for (const name of BANNED) {
    for (const match of code.matchAll(new RegExp(`(?<![\\w$#])${name}\\s*\\(`, "g"))) {
      found.push(`${file}:${lineOf(source, match.index)}: calls "${name}"`);
    }
  }
  for (
    const match of code.matchAll(
      /\bBun\.(?:write|file)\b|\bnew Function\b|\bfs\.(?:truncate|cp)\b/g,
    )
  ) {
    found.push(`${file}:${lineOf(source, match.index)}: "${match[0]}"`);
  }
  return found;
}

/** Flags of calls that open a file for writing, as text: `openSync(path, "w")`. */
function openFlags(source: string): string[] {
  const code = blankNonCode(source);
  return [...code.matchAll(/\bopen(?:Sync)?\s*\(/g)].flatMap((match) => {
    const end = code.indexOf(")", match.index);
    const flags = /"([rwax+s]{1,4})"/.exec(source.slice(match.index, end + 30).split("\n")[0]!);
    return flags === null ? [] : [flags[1]!];
  });
}

const sources = ["mod.ts", ...filesUnder("src", ".ts")];

test("No code of the library replaces, cuts or copies whole files, or changes modes", () => {
  assert.ok(sources.length > 60, `found only ${sources.length} sources`);
  assert.deepEqual(sources.flatMap((file) => bannedCalls(file, readSource(file))), []);
});

test("Every file that the library opens by flags is read or made exclusively", () => {
  const flags = sources.flatMap((file) => openFlags(readSource(file)));
  assert.deepEqual([...new Set(flags)].sort(), ["r", "wx"]);
  const adapter = readSource("src/platform/posix_file_system.ts");
  assert.match(adapter, /CREATE_FLAGS = O_RDWR \| O_CREAT \| O_EXCL;/);
  assert.doesNotMatch(adapter, /O_TRUNC|O_APPEND/);
});

test("The file handle of the contract has no call that cuts, appends or replaces", () => {
  const contract = readSource("src/platform/file_system.ts");
  assert.match(contract, /writeSync\(/);
  assert.doesNotMatch(blankNonCode(contract), /truncate|append|writeFile|copy/i);
});

test("Only the platform loads modules of a runtime", () => {
  const found = sources.filter((file) => !file.startsWith("src/platform/")).flatMap((file) =>
    importsOf(readSource(file)).filter(({ specifier }) => /^(node|bun|deno):/.test(specifier ?? ""))
      .map(({ specifier }) => `${file}: ${specifier}`)
  );
  assert.deepEqual(found, []);
});

/**
 * Files with regular expressions, and over what those run: texts of bounded length, in linear time.
 */
const expressions: Readonly<Record<string, string>> = {
  "src/contract/value_path.ts":
    "a property's name in the text of an error, at most 33 characters of it",
  "src/go/go_store.ts": "names of files",
  "src/platform/directory_lock.ts": "names of files",
  "src/platform/file_url.ts": "the path of a URL that the caller gave",
  "src/platform/lock_record.ts": "LOCK.holder, at most 4 KiB",
  "src/platform/process_liveness.ts": "a link of the system",
  "src/platform/posix_handles.ts": "the system's texts of errors",
  "src/platform/restricted_file_system.ts": "none: it calls SQLite's own exec",
  "src/platform/sqlite_mutex.ts": "none: it calls SQLite's own exec",
  "src/store/recovery/recovery.ts": "CURRENT, at most 128 bytes, and names of files",
  "src/store/recovery/store_path.ts": "the path that the caller gave",
  "src/version/file_names.ts": "names of files",
  "src/version/manifest_format.ts": "CURRENT, at most 128 bytes",
};

/** Whether a source makes or uses a regular expression. */
function usesExpressions(source: string): boolean {
  const code = blankNonCode(source);
  return /\.(?:exec|test|match|matchAll|replace|replaceAll|search)\s*\(|\bRegExp\b/.test(code);
}

test("No regular expression runs over keys or values", () => {
  const found = sources.filter((file) => usesExpressions(readSource(file)));
  assert.deepEqual(found.filter((file) => !Object.hasOwn(expressions, file)), []);
  assert.equal(usesExpressions("if (/a+$/.test(key)) return;"), true);
  assert.equal(usesExpressions("// /a/.test(key)"), false);
});

test("The check of write calls finds made-up violations of every kind", () => {
  for (const name of BANNED) {
    assert.equal(bannedCalls("src/x.ts", `const a = fs.${name}(path);`).length, 1, name);
  }
  assert.equal(bannedCalls("src/x.ts", `await Bun.write(path, bytes)`).length, 1);
  assert.equal(bannedCalls("src/x.ts", `new Function("a")`).length, 1);
  assert.equal(bannedCalls("src/x.ts", `fs.truncate(path, 0, done)`).length, 1);
  assert.deepEqual(bannedCalls("src/x.ts", `writer.truncate(start)`), []);
  assert.deepEqual(bannedCalls("src/x.ts", `// writeFile()\nwriteFileFully("rm(")`), []);
  assert.deepEqual(openFlags(`fs.openSync(path, "w")\nfs.openSync(a, "r")`), ["w", "r"]);
});
