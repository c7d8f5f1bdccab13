/** The contract suite, on every store of the repository. */

import { test } from "node:test";
import { contractSuite } from "../../contract_suite.ts";
import { memoryFileSystem, open, type Options } from "../../mod.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { MapStore } from "./map_store.ts";

/** Small memtables and blocks, so that a few keys are in several tables. */
const small: Options = { memtableSizeBytes: 4096, blockSizeBytes: 256 };

contractSuite({
  test: (title, body) => test(`In memory: ${title}`, body),
  open: () => open("/db", { fileSystem: memoryFileSystem() }),
});

contractSuite({
  test: (title, body) => test(`In small tables without a cache: ${title}`, body),
  open: () => open("/db", { ...small, blockCacheSizeBytes: 0, fileSystem: memoryFileSystem() }),
});

/** Where the test that is running has its store; the tests of a file run one after the other. */
let directory = "";

contractSuite({
  test: (title, body) =>
    test(`On disk: ${title}`, async () => {
      const { path, dispose } = temporaryDirectory("contract");
      directory = path;
      try {
        await body();
      } finally {
        dispose();
      }
    }),
  open: () => open(directory, { ...small, walSync: "none" }),
});

contractSuite({
  test: (title, body) => test(`A store over an array: ${title}`, body),
  open: () => Promise.resolve(new MapStore()),
});
