/**
 * A log's blocks may outlive its name: a power loss takes the name of the newest log and leaves its
 * records on the disk, in blocks that are free. In a log of the same number they would pass for
 * records of that log.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSync } from "../../src/store/open.ts";
import { MAX_NUMBERS_AHEAD } from "../../src/version/version_set.ts";
import { LOG_HEADER_BYTES } from "../../src/wal/log_format.ts";
import { type CrashImage, FaultFileSystem } from "../support/fault_file_system.ts";
import { DIRECTORY, smallOptions } from "../support/fault_workload.ts";
import { withSeed } from "../support/seeded.ts";

const isLog = (name: string): boolean => name.endsWith(".wal");

/** The number in a file's name or path. */
const numberOf = (path: string): number => Number(/(\d+)\.\w+$/.exec(path)![1]);

test("A log never gets the number of one whose name a power loss took", () => {
  let lost = 0;
  for (let seed = 1; seed <= 8; seed++) {
    withSeed(seed, (random) => {
      let fileSystem = new FaultFileSystem(seed);
      const written = new Set<string>();
      let left: readonly string[] = [];
      for (let life = 0; life < 10; life++) {
        let created = "";
        let crashed: CrashImage | undefined;
        fileSystem.onOperation = ({ operation, path, phase }) => {
          if (phase !== "after" || !path.endsWith(".wal") || crashed !== undefined) return;
          if (operation === "create" && created === "" && left.some(isLog)) {
            // A running store may be so far ahead of its manifest, and a power loss takes all these
            // names.
            const least = Math.max(...left.filter((name) => /^\d/.test(name)).map(numberOf));
            assert.ok(numberOf(path) > least + MAX_NUMBERS_AHEAD, `"${path}" may have been a log`);
          }
          if (operation === "create") created = path;
          const size = fileSystem.sizesIn(DIRECTORY).get(path.slice(DIRECTORY.length + 1)) ?? 0;
          // A header alone is the same one the next time: the first log's records wait for its
          // name.
          if (path !== created || size <= LOG_HEADER_BYTES) return;
          assert.ok(!written.has(path), `"${path}" gets records a second time`);
          written.add(path);
          created = "";
          if (random.below(4) === 0) crashed = fileSystem.crash("names-late", life);
        };
        const options = { ...smallOptions, walSync: "none", fileSystem } as const;
        const store = openSync(DIRECTORY, options);
        for (let i = 0; i < 200 && crashed === undefined; i++) {
          store.putSync(`k${random.below(40)}`, "v".repeat(random.below(1500)));
        }
        const logs = fileSystem.listSync(DIRECTORY).filter(isLog);
        fileSystem = (crashed ?? fileSystem.crash("names-late", life)).build(life);
        left = fileSystem.listSync(DIRECTORY);
        lost += logs.filter((name) => !left.includes(name)).length;
      }
    });
  }
  assert.ok(lost > 40, `${lost} logs were lost`);
});
