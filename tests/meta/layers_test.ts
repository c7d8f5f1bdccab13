/**
 * Guards the order of the layers (ARCHITECTURE.md): a module imports from layers below its own or
 * from its own folder, never in a circle, and names no package but the three runtime dependencies.
 * Type-only imports count: a layer that needs the types of a higher one is in the wrong place.
 */

import assert from "node:assert/strict";
import * as path from "node:path";
import { test } from "node:test";
import { entryPoints } from "../../scripts/entry_points.ts";
import { filesUnder } from "../../scripts/source_files.ts";
import { importsOf, readSource } from "./source_text.ts";

/** The layers, lowest first; layers in one row do not import each other. */
const layerRows: readonly (readonly string[])[] = [
  ["wasm"],
  ["class_marks"],
  ["errors"],
  ["contract"],
  ["platform"],
  ["bytes"],
  ["compression"],
  ["value"],
  ["iterator", "cache"],
  ["memtable", "wal", "sstable"],
  ["version"],
  ["compaction"],
  ["worker"],
  ["options"],
  ["store/state"],
  ["store/read", "store/background", "store/recovery"],
  ["go"],
  ["store/write", "store/copy"],
  ["store/sub", "store/upkeep"],
  ["store/transaction", "store/watch"],
  ["store"],
  ["adapters"],
  ["mod"],
];

const runtimeDependencies = ["snappyjs"];
/** Optional peers: each has its adapter, and nobody else may import it. */
const adapterPeers: Readonly<Record<string, string>> = { "abstract-level": "src/adapters/level/" };

/** The entry points. */
const entries = entryPoints().map(({ source }) => source);

/** Sources by path relative to the repository. */
type Sources = ReadonlyMap<string, string>;

/**
 * The layer of a file: its folder under src (a wing of the store counts), or the name of a file
 * that is a layer by itself.
 */
function layerOf(file: string): string | undefined {
  if (entries.includes(file)) return "mod";
  if (file.startsWith("wasm/generated/")) return "wasm";
  const wing = /^src\/(store\/\w+)\//.exec(file)?.[1];
  if (wing !== undefined) return wing;
  return /^src\/(?:(\w+)\/.+|(\w+)\.ts)$/.exec(file)?.slice(1).find((name) => name !== undefined);
}

/** Row of a layer, counted from the lowest; -1 for anything else. */
function rowOf(layer: string | undefined): number {
  return layerRows.findIndex((row) => layer !== undefined && row.includes(layer));
}

/** The file that a relative specifier in `file` means. */
function resolve(file: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(file), specifier);
}

/** Whether a file may import a specifier that is not relative; of modules of Node, types only. */
function mayImportPackage(file: string, specifier: string, isType: boolean): boolean {
  if (specifier.startsWith("node:")) return isType && file.startsWith("src/platform/");
  const adapter = adapterPeers[specifier];
  if (adapter !== undefined) return file.startsWith(adapter);
  return runtimeDependencies.some((name) => specifier === name || specifier.startsWith(`${name}/`));
}

/** Every import that breaks the order, in words. */
function layerViolations(sources: Sources): string[] {
  const violations: string[] = [];
  for (const [file, source] of sources) {
    const own = layerOf(file);
    if (rowOf(own) === -1) violations.push(`${file}: it belongs to no layer`);
    for (const { specifier, line, isType } of importsOf(source)) {
      const at = `${file}:${line}`;
      if (specifier === undefined) {
        violations.push(`${at}: imports something that is not a literal`);
      } else if (!specifier.startsWith(".")) {
        if (!mayImportPackage(file, specifier, isType)) {
          violations.push(
            `${at}: imports "${specifier}"; take a module of Node by src/platform/runtime.ts`,
          );
        }
      } else {
        const target = layerOf(resolve(file, specifier));
        if (target !== own && rowOf(target) >= rowOf(own)) {
          violations.push(
            `${at}: "${own}" imports "${specifier}" of "${target}", which is not below it`,
          );
        } else if (rowOf(target) === -1) {
          violations.push(`${at}: imports "${specifier}", which belongs to no layer`);
        }
      }
    }
  }
  return violations;
}

/** Every cycle of imports, as a path of files that ends where it started. */
function importCycles(sources: Sources): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const open: string[] = [];
  const visit = (file: string): void => {
    const source = sources.get(file);
    if (source === undefined || done.has(file)) return;
    const start = open.indexOf(file);
    if (start !== -1) {
      cycles.push([...open.slice(start), file].join(" -> "));
      return;
    }
    open.push(file);
    for (const { specifier } of importsOf(source)) {
      if (specifier?.startsWith(".")) visit(resolve(file, specifier));
    }
    open.pop();
    done.add(file);
  };
  for (const file of sources.keys()) visit(file);
  return cycles;
}

const sources: Sources = new Map(
  [...entries, ...filesUnder("src", ".ts")].map((file) => [file, readSource(file)]),
);

test("Every module imports only from layers below it or its own folder", () => {
  assert.ok(sources.size > 5, `found only ${sources.size} source files`);
  assert.deepEqual(layerViolations(sources), []);
});

test("The contract and its suite reach nothing but src/contract/ and the errors", () => {
  for (const entry of ["contract.ts", "contract_suite.ts"]) {
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const { specifier } of importsOf(sources.get(file)!)) {
        assert.ok(specifier?.startsWith("."), `"${file}" imports "${specifier}"`);
        visit(resolve(file, specifier!));
      }
    };
    visit(entry);
    const strange = [...reached].filter((file) =>
      !entries.includes(file) && !file.startsWith("src/contract/") &&
      file !== "src/errors.ts" && file !== "src/class_marks.ts"
    );
    assert.deepEqual(strange, []);
    assert.ok(reached.size > 5, `only ${reached.size} modules were reached`);
    assert.ok(!reached.has("mod.ts"));
  }
});

test("Whoever shows entries asks visibility.ts; only counters and checks look for tombstones", () => {
  const allowed = [
    "src/go/go_table_writer.ts",
    "src/sstable/stored_block.ts",
    "src/sstable/table_writer.ts",
    "src/store/upkeep/check_table.ts",
    // It shows what was written, and not what is live.
    "src/store/watch/watch_hub.ts",
    "src/store/write/commit.ts",
  ];
  const askers = [...sources].filter(([, source]) => /import [^;]*\bisTombstone\b/.test(source));
  assert.deepEqual(askers.map(([file]) => file).sort(), allowed);
});

test("The Go program is a guest: only open, checkpoints and upkeep know that it exists", () => {
  const hosts: string[] = [];
  for (const [file, source] of sources) {
    const isHost = importsOf(source).some(({ specifier }) => specifier?.includes("/go/"));
    if (isHost) hosts.push(file);
  }
  assert.deepEqual(hosts.sort(), [
    "src/store/copy/checkpoint.ts",
    "src/store/open.ts",
    "src/store/upkeep/verify_store.ts",
  ]);
});

test("No module imports itself in a circle", () => {
  assert.deepEqual(importCycles(sources), []);
});

test("The layer check finds made-up violations of every kind", () => {
  const violationsOf = (file: string, source: string): number =>
    layerViolations(new Map([[file, source]])).length;
  assert.equal(violationsOf("src/bytes/a.ts", `import { b } from "../store/b.ts";`), 1);
  assert.equal(violationsOf("src/bytes/a.ts", `import type { B } from "../store/b.ts";`), 1);
  assert.equal(violationsOf("src/wal/a.ts", `import { b } from "../sstable/b.ts";`), 1);
  assert.equal(violationsOf("src/wal/a.ts", `export * from "../../mod.ts";`), 1);
  assert.equal(violationsOf("src/wal/a.ts", `import { x } from "../../tests/support/x.ts";`), 1);
  assert.equal(violationsOf("src/wal/a.ts", `import * as fs from "node:fs";`), 1);
  assert.equal(violationsOf("src/wal/a.ts", `import fs from "fs";`), 1);
  assert.equal(violationsOf("src/wal/a.ts", `import s from "snappyjs-fast";`), 1);
  assert.equal(violationsOf("src/wal/a.ts", `import s from "snappyjs/part.js";`), 0);
  assert.equal(violationsOf("src/wal/a.ts", `const b = await import(name);`), 1);
  assert.equal(violationsOf("src/utils/a.ts", ""), 1);
  assert.equal(violationsOf("src/platform/a.ts", `import * as fs from "node:fs";`), 1);
  assert.equal(violationsOf("src/platform/a.ts", `export { URL } from "node:url";`), 1);
  assert.equal(violationsOf("src/platform/a.ts", `import { type B, b } from "node:buffer";`), 1);
  assert.equal(violationsOf("src/platform/a.ts", `import type { Stats } from "node:fs";`), 0);
  assert.equal(violationsOf("src/wal/a.ts", `import type { Stats } from "node:fs";`), 1);
  assert.equal(violationsOf("src/platform/a.ts", `type Fs = typeof import("node:fs");`), 0);
  assert.equal(violationsOf("src/platform/a.ts", `const fs = await import("node:fs");`), 1);
  assert.equal(violationsOf("src/store/a.ts", `import { b } from "../wal/b.ts";`), 0);
  assert.equal(violationsOf("src/store/a.ts", `import { b } from "./b.ts";`), 0);
  assert.equal(violationsOf("src/store/a.ts", `import { E } from "../errors.ts";`), 0);
});

test("The cycle check finds a made-up cycle, also through types", () => {
  const made = new Map([
    ["src/wal/a.ts", `import { b } from "./b.ts";`],
    ["src/wal/b.ts", `import { c } from "./c.ts";`],
    ["src/wal/c.ts", `import type { B } from "./b.ts";`],
  ]);
  assert.deepEqual(importCycles(made), ["src/wal/b.ts -> src/wal/c.ts -> src/wal/b.ts"]);
});
