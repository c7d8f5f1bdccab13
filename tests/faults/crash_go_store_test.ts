/** Crashes of a store that takes over the files of the Go program, and continues with them. */

import type { FaultFileSystem } from "../support/fault_file_system.ts";
import type { History } from "../support/fault_history.ts";
import { DIRECTORY } from "../support/fault_workload.ts";
import { crashTests, type Workload } from "../support/crash_tests.ts";
import { goLogOf, type GoTableContent, makeGoStore } from "../support/go_tables.ts";
import { writeFullySync } from "../../src/platform/transfer.ts";

const tables: readonly GoTableContent[] = [
  { level: 2, number: 2, texts: { k000: "go 2", k001: "go 2", k002: "go 2", z: "go 2" } },
  // Two that overlap, as a crash of Go's compaction leaves them.
  { level: 1, number: 3, texts: { k000: "go 3", k001: undefined } },
  { level: 1, number: 5, texts: { k000: "go 5", k005: "go 5" } },
  { level: 0, number: 9, texts: { k003: "go 9", y: "go 9" } },
];
const writes: readonly (readonly [string, string | undefined])[] = [
  ...Array.from({ length: 60 }, (_, i) => [`k0${10 + i % 20}`, `go ${i} `.repeat(20)] as const),
  ["z", undefined],
  ["y", "go log"],
];

/** What the Go store holds. */
function contentOfGoStore(): Map<string, string> {
  const content = new Map<string, string>();
  for (const [key, text] of [...tables.flatMap(({ texts }) => Object.entries(texts)), ...writes]) {
    if (text === undefined) content.delete(key);
    else content.set(key, text);
  }
  return content;
}

/**
 * Puts a durable Go store there, and tells the history its content. It has a manifest: without one
 * nobody can notice that a table of it is missing, and every state must notice that
 * (take_over_test.ts has such stores).
 */
function prepare(fileSystem: FaultFileSystem, history: History): void {
  fileSystem.makeDirectorySync(DIRECTORY);
  const store = makeGoStore({ tables, log: goLogOf(writes), hasManifest: true });
  for (const name of store.listSync(DIRECTORY)) {
    const path = `${DIRECTORY}/${name}`;
    const bytes = store.content(path);
    const handle = fileSystem.createSync(path);
    writeFullySync(handle, bytes, 0, bytes.length, 0);
    handle.syncSync();
    handle.closeSync();
  }
  fileSystem.syncDirectorySync(DIRECTORY);
  fileSystem.syncDirectorySync("/");
  history.adopt(contentOfGoStore());
}

const workloads: readonly Workload[] = [
  {
    name: "go",
    title: "A Go store that is taken over and written to",
    options: { walSync: "none" },
    variants: 4,
    prepare,
    mayRemain: (name) => name === "LOCK",
    script: async (run) => {
      await run.open();
      run.checkAll();
      for (let i = 0; i < 3; i++) await run.wait(run.batch(6, 30, 250, { sync: i === 1 }));
      await run.close();
      await run.open();
      await run.wait(run.put(30, 60));
      await run.wait(run.compact());
      await run.close();
    },
  },
];

crashTests("tests/faults/crash_go_store_test.ts", workloads, { opened: 900, nested: 500 });
